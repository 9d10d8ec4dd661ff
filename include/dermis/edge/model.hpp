#pragma once
/// \file
/// A skin-lesion classifier on a phone: a ViT, or a student that answers at every depth, from one
/// file, without LibTorch. C++17.
///
///     dermis::edge::Model model("student.edge", {.threads = 2});
///     const auto& answer = model.predict(dermis::read_image("lesion.jpg"));
///     if (!answer.abstained) std::puts(model.manifest().classes[answer.best].c_str());

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "dermis/edge/manifest.hpp"
#include "dermis/io/image_view.hpp"

namespace dermis::edge {

struct ModelOptions {
  int threads = 1;           ///< 1 to 64, the caller's among them; results do not depend on it
  std::string kernels = "";  ///< one of kernel_names(); empty: the first
  bool attention = true;     ///< whether answers come with an attention map
  std::int64_t largest_side = 4096;  ///< of squares that predict() resizes without new memory
};

/// Instruction sets that this machine can run, best first.
std::vector<std::string> kernel_names();

/// What the network says about an image.
struct Prediction {
  std::vector<float> probabilities;   ///< [classes], calibrated
  int best = 0;                       ///< the most probable class
  bool abstained = false;             ///< probabilities[best] is below the file's abstain_below
  std::vector<std::uint8_t> flagged;  ///< [classes] 1 where a class reaches its threshold
  int exit = 0;                       ///< which head answered, 0 the first
  /// [grid, grid] What the class token (with mean pooling the first patch token) of the last block
  /// computed attends to, mean over heads; sums to at most 1. Empty if not asked for.
  std::vector<float> attention;
};

/// A loaded file. All memory is taken by the constructor; logits() and predict() allocate nothing,
/// unless an image is larger than ModelOptions::largest_side or the file asks for preprocessing
/// (hair, border, colour), which works on a copy. Not for two threads at once.
class Model {
 public:
  /// \throws std::runtime_error naming the file if it is missing, damaged (its checksum is
  ///         compared) or no edge file; std::invalid_argument for options that cannot be
  explicit Model(const std::filesystem::path& path, const ModelOptions& options = {});
  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  const Manifest& manifest() const;
  const char* kernels() const;       ///< the instruction set in use
  std::size_t memory_bytes() const;  ///< of weights and activations together

  /// An RGB image of any size (at least 1 x 1), an Image or pixels held elsewhere, prepared as in
  /// training. Valid until the next call.
  const Prediction& predict(const ImageView& image);
  /// Pixels [3, image_size, image_size], normalised.
  const Prediction& predict(const float* pixels);
  /// Logits [exits, classes] of every head, none skipped.
  const std::vector<float>& logits(const float* pixels);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Pixels [3, image_size, image_size] as the network takes them: preprocessed, squared, resized,
/// normalised, bit for bit as in training.
std::vector<float> pixels_of(const ImageView& image, const Manifest& manifest);

}  // namespace dermis::edge
