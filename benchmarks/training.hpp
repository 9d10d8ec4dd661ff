#pragma once
/// \file
/// What the benchmarks of training share.

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include <string>

#include "dermis/layers/autocast.hpp"
#include "dermis/train/optimizer.hpp"

namespace dermis::bench {

/// Registers NAME and NAME/bf16 of function(state, bf16).
template <class Function>
int with_and_without_bf16(const std::string& name, Function function) {
  for (const bool bf16 : {false, true}) {
    benchmark::RegisterBenchmark((name + (bf16 ? "/bf16" : "")).c_str(), function, bf16)
        ->Unit(benchmark::kMillisecond);
  }
  return 0;
}

/// Whole steps of AdamW on `loss()`, whose forward pass runs under autocast with `bf16`.
template <class Loss>
void train_steps(benchmark::State& state, const torch::nn::Module& module, std::int64_t batch,
                 bool bf16, const Loss& loss) {
  AdamW optimizer(parameter_groups(module, {.weight_decay = 0.05}));
  for (auto _ : state) {
    optimizer.zero_grad();
    at::Tensor value;
    {
      const Autocast autocast(bf16);
      value = loss();
    }
    value.backward();
    optimizer.step(1e-4);
  }
  state.SetItemsProcessed(state.iterations() * batch);
}

}  // namespace dermis::bench
