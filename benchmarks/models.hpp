#pragma once
/// \file
/// What the benchmarks of models share.

#include <benchmark/benchmark.h>
#include <torch/types.h>

#include <string>

#include "dermis/core/freed_memory.hpp"
#include "dermis/layers/autocast.hpp"
#include "dermis/layers/matmul.hpp"
#include "dermis/train/optimizer.hpp"

namespace dermis::bench {

inline const bool as_the_programs_do = prefer_onednn_matmul() + keep_freed_memory() > 0;

/// Registers NAME and NAME/bf16 of function(state, bf16).
template <class Function>
int with_and_without_bf16(const std::string& name, Function function) {
  for (const bool bf16 : {false, true}) {
    benchmark::RegisterBenchmark((name + (bf16 ? "/bf16" : "")).c_str(), function, bf16)
        ->Unit(benchmark::kMillisecond);
  }
  return 0;
}

/// Runs `body()` once unmeasured, which pays for what LibTorch sets up at first use, then in the
/// measured loop. \param images  processed by a call
template <class Body>
void measure(benchmark::State& state, std::int64_t images, const Body& body) {
  body();
  for (auto _ : state) body();
  state.SetItemsProcessed(state.iterations() * images);
}

/// Forward passes without gradients, with `bf16` under autocast.
template <class Forward>
void forward_passes(benchmark::State& state, std::int64_t images, bool bf16,
                    const Forward& forward) {
  const torch::NoGradGuard no_grad;
  measure(state, images, [&] {
    const Autocast autocast(bf16);
    benchmark::DoNotOptimize(forward());
  });
}

/// Whole steps of AdamW on `loss()`, whose forward pass runs under autocast with `bf16`.
template <class Loss>
void train_steps(benchmark::State& state, const torch::nn::Module& module, std::int64_t images,
                 bool bf16, const Loss& loss) {
  AdamW optimizer(parameter_groups(module, {.weight_decay = 0.05}));
  measure(state, images, [&] {
    optimizer.zero_grad();
    at::Tensor value;
    {
      const Autocast autocast(bf16);
      value = loss();
    }
    value.backward();
    optimizer.step(1e-4);
  });
}

}  // namespace dermis::bench
