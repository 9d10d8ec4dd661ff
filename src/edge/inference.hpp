#pragma once
/// \file
/// A forward pass: which kernel runs when, on what memory.

#include <cstdint>

#include "arena.hpp"
#include "dermis/edge/manifest.hpp"
#include "kernels.hpp"
#include "team.hpp"
#include "weights.hpp"

namespace dermis::edge {

/// Where intermediate results lie. T tokens; D, H, A padded widths of a token, of the perceptron
/// and of all heads.
struct Activations {
  float* tokens;            ///< [T, D]
  float* input;             ///< what a linear layer takes: [T, widest of D, H, A, a patch], or
  std::uint8_t* quantized;  ///< the same in bytes, with
  float* scales;            ///< [T]
  float* queries;           ///< [T, A]
  float* keys_values;       ///< [T, 2 A]
  float* packed_keys;       ///< [heads, attention_keys_size()]
  float* mixed;             ///< [T, A]
  float* hidden;            ///< [T, H]
  float* feature;           ///< [D] what a head sees
  float* logits;            ///< [exits, pad(classes)]
  float* attention;         ///< [heads, blocks of T rows, pad(T)], see AttentionCall
  float* scratch;           ///< [threads, scratch_size]
  std::int64_t scratch_size;
};

Activations place_activations(const Network& network, const Kernels& kernels, int threads,
                              Arena& arena);

/// Whether the answer of exit `exit`, whose logits these are, is the last.
struct ExitRule {
  bool (*stop)(void* context, std::int64_t exit, const float* logits) = nullptr;  ///< null: never
  void* context = nullptr;
};

/// Runs a network; holds nothing of its own.
class Inference {
 public:
  Inference(const Manifest& manifest, const Weights& weights, const Activations& memory,
            const Kernels& kernels, Team& team)
      : network_(manifest.network),
        bytes_(manifest.precision == Precision::I8),
        weights_(weights),
        memory_(memory),
        kernels_(kernels),
        team_(team) {}

  /// Pixels [C, S, S] -> logits of the heads up to the one that stops. \return its index
  std::int64_t run(const float* pixels, bool attention, const ExitRule& rule);

  /// After a run() with attention: [patches] what the pooled tokens attend to in the last block
  /// computed, mean over heads (and tokens).
  void attention_map(float* map) const;

 private:
  struct Input {
    const float* values;
    const std::uint8_t* quantized;
    const float* scales;
  };
  void embed(const float* pixels);
  void block(const BlockWeights& block, std::int64_t rows, bool attention);
  const float* answer(std::int64_t exit);
  Input normalized(const float* x, std::int64_t rows, const NormWeights& norm);
  Input prepared(const float* x, std::int64_t rows, std::int64_t width);
  void share_norm(const NormCall& call);
  void linear(const PackedLinear& layer, const Input& input, std::int64_t rows, float* y,
              Epilogue epilogue);

  const Network& network_;
  const bool bytes_;
  const Weights& weights_;
  const Activations& memory_;
  const Kernels& kernels_;
  Team& team_;
  std::int64_t stopped_ = 0;  // exit of the last run
};

}  // namespace dermis::edge
