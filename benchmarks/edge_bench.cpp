// dermis::edge: the matrix products of ViT-S/16 for one image beside what a tile reaches whose data
// lie in the first cache, and the rest of a block. Counters are billions of operations a second,
// one thread.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "../src/edge/kernels.hpp"
#include "../src/edge/pack.hpp"

namespace {

using namespace dermis::edge;

constexpr std::int64_t tokens = 197, dim = 384, heads = 6, head_width = 64;

const Kernels& kernels() {
  return *supported_kernels().front();
}

/// Aligned as an arena's: to a cache line.
template <class T>
struct Buffer {
  explicit Buffer(std::int64_t count) : values(static_cast<std::size_t>(count) + 64 / sizeof(T)) {}
  T* data() {
    const auto address = reinterpret_cast<std::uintptr_t>(values.data());
    return reinterpret_cast<T*>((address + 63) / 64 * 64);
  }
  std::vector<T> values;
};

void linear(benchmark::State& state, bool bytes, std::int64_t rows, std::int64_t in,
            std::int64_t out, Epilogue epilogue) {
  const std::int64_t size = packed_size(in, out, kernels().panel);
  Buffer<float> x(rows * in), y(rows * out), w(size), scales(rows + out), bias(out);
  Buffer<std::uint8_t> q(rows * in);
  Buffer<std::int8_t> packed(size);
  Buffer<std::int32_t> corrections(out);
  for (std::int64_t i = 0; i < rows * in; ++i) x.data()[i] = static_cast<float>(i % 7);
  PackedLinear layer{
      in,         out, w.data(), bytes ? packed.data() : nullptr, scales.data(), corrections.data(),
      bias.data()};
  const LinearCall call{&layer, rows, x.data(), q.data(), scales.data(), y.data(), out, epilogue};
  for (auto _ : state) {
    kernels().linear(call, 0, linear_parts(call, kernels()));
    benchmark::ClobberMemory();
  }
  state.counters["GOPS"] = benchmark::Counter(
      2e-9 * static_cast<double>(rows * in * out * static_cast<std::int64_t>(state.iterations())),
      benchmark::Counter::kIsRate);
}

void attention(benchmark::State& state) {
  const std::int64_t width = heads * head_width;
  Buffer<float> qkv(3 * tokens * width), keys(heads * attention_keys_size(head_width, tokens)),
      scratch(attention_scratch_size(head_width, tokens)), out(tokens * width);
  const AttentionCall call{tokens,
                           tokens,
                           heads,
                           head_width,
                           0.125f,
                           qkv.data(),
                           qkv.data() + width,
                           qkv.data() + 2 * width,
                           3 * width,
                           3 * width,
                           keys.data(),
                           out.data(),
                           nullptr,
                           0,
                           0};
  for (auto _ : state) {
    kernels().pack_keys(call, 0, pack_keys_parts(call, kernels()));
    kernels().attention(call, scratch.data(), 0, attention_parts(call, kernels()));
    benchmark::ClobberMemory();
  }
}

void norm(benchmark::State& state, std::int64_t width, bool gain) {
  Buffer<float> x(tokens * width), weights(width), scales(tokens), scratch(width);
  Buffer<std::uint8_t> q(tokens * width);
  const NormCall call{tokens,         width, width,   x.data(), gain ? weights.data() : nullptr,
                      weights.data(), 1e-6f, nullptr, q.data(), scales.data()};
  for (auto _ : state) {
    kernels().norm(call, scratch.data(), 0, tokens);
    benchmark::ClobberMemory();
  }
}

const int registered = [] {
  const auto add = [](const std::string& name, auto function) {
    benchmark::RegisterBenchmark(("edge/" + name).c_str(), function)->Unit(benchmark::kMicrosecond);
  };
  for (const bool bytes : {false, true}) {
    const std::string end = bytes ? "/int8" : "/fp32";
    const auto add_linear = [&](const std::string& name, std::int64_t rows, std::int64_t in,
                                std::int64_t out, Epilogue epilogue) {
      add(name + end,
          [=](benchmark::State& state) { linear(state, bytes, rows, in, out, epilogue); });
    };
    add_linear("peak", kernels().tile_rows, 256, kernels().panel, Epilogue::Store);
    add_linear("qkv", tokens, dim, 3 * dim, Epilogue::Store);
    add_linear("proj", tokens, dim, dim, Epilogue::Add);
    add_linear("fc1", tokens, dim, 4 * dim, Epilogue::Gelu);
    add_linear("fc2", tokens, 4 * dim, dim, Epilogue::Add);
  }
  add("attention", attention);
  add("norm_quantize", [](benchmark::State& state) { norm(state, dim, true); });
  add("quantize_hidden", [](benchmark::State& state) { norm(state, 4 * dim, false); });
  return 0;
}();

}  // namespace
