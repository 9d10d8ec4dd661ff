#include "inference.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace dermis::edge {

Activations place_activations(const Network& n, const Kernels& kernels, int threads, Arena& arena) {
  const std::int64_t tokens = n.tokens(), dim = pad(n.dim), hidden = pad(n.hidden);
  const std::int64_t width = pad(n.dim / n.heads), mixed = n.heads * width;
  const std::int64_t patch = pad(n.in_channels * n.patch_size * n.patch_size);
  const std::int64_t widest = std::max({dim, hidden, mixed, patch});
  Activations a;
  a.tokens = arena.take<float>(tokens * dim);
  a.input = arena.take<float>(tokens * std::max(dim, patch));
  a.quantized = arena.take<std::uint8_t>(tokens * widest);
  a.scales = arena.take<float>(tokens);
  a.queries = arena.take<float>(tokens * mixed);
  a.keys_values = arena.take<float>(tokens * 2 * mixed);
  a.packed_keys = arena.take<float>(n.heads * attention_keys_size(width, tokens));
  a.mixed = arena.take<float>(tokens * mixed);
  a.hidden = arena.take<float>(tokens * hidden);
  a.feature = arena.take<float>(dim);
  a.logits = arena.take<float>(n.exits() * pad(n.num_classes));
  a.attention = arena.take<float>(n.heads * row_blocks(tokens, kernels) * pad(tokens));
  a.scratch_size = std::max(attention_scratch_size(width, tokens), widest);
  a.scratch = arena.take<float>(threads * a.scratch_size);
  return a;
}

void Inference::attention_map(float* map) const {
  const std::int64_t tokens = network_.tokens();
  const bool one = !network_.mean_pooling;
  const bool all_rows = network_.mean_pooling || stopped_ + 1 < network_.exits();
  const std::int64_t parts = network_.heads * row_blocks(all_rows ? tokens : 1, kernels_);
  const auto share = 1.0f / static_cast<float>(network_.heads * (one ? 1 : tokens - 1));
  std::fill(map, map + network_.patches(), 0.0f);
  for (std::int64_t i = 0; i < parts; ++i)
    for (std::int64_t t = 1; t < tokens; ++t)
      map[t - 1] += memory_.attention[i * pad(tokens) + t] * share;
}

std::int64_t Inference::run(const float* pixels, bool attention, const ExitRule& rule) {
  embed(pixels);
  for (std::int64_t i = 0; i < network_.depth; ++i) {
    // Of the last block, nothing but the class token is looked at.
    const bool last = i + 1 == network_.depth;
    const std::int64_t rows = last && !network_.mean_pooling ? 1 : network_.tokens();
    block(weights_.blocks[static_cast<std::size_t>(i)], rows,
          attention && (last || network_.every_depth));
    if (!network_.every_depth && !last) continue;
    stopped_ = network_.every_depth ? i : 0;
    const float* logits = answer(stopped_);
    if (rule.stop && !last && rule.stop(rule.context, stopped_, logits)) break;
  }
  return stopped_;
}

void Inference::embed(const float* pixels) {
  const Network& n = network_;
  const std::int64_t side = n.image_size, p = n.patch_size, dim = pad(n.dim);
  const std::int64_t width = weights_.patches.in;
  team_.share(n.patches(), [&](int, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float* corner = pixels + i / n.grid() * p * side + i % n.grid() * p;
      float* to = memory_.input + i * width;
      for (std::int64_t c = 0; c < n.in_channels; ++c)
        for (std::int64_t y = 0; y < p; ++y, to += p)
          std::memcpy(to, corner + (c * side + y) * side, static_cast<std::size_t>(p) * sizeof *to);
      std::fill(to, memory_.input + (i + 1) * width, 0.0f);
    }
  });
  team_.share(n.tokens(), [&](int, std::int64_t begin, std::int64_t end) {
    std::copy(weights_.positions + begin * dim, weights_.positions + end * dim,
              memory_.tokens + begin * dim);
  });
  const Input patches = prepared(memory_.input, n.patches(), width);
  linear(weights_.patches, patches, n.patches(), memory_.tokens + dim, Epilogue::Add);
}

void Inference::block(const BlockWeights& block, std::int64_t rows, bool attention) {
  const std::int64_t tokens = network_.tokens(), heads = network_.heads;
  const std::int64_t true_width = network_.dim / heads, width = pad(true_width);
  const std::int64_t mixed = heads * width;
  float* x = memory_.tokens;

  const Input input = normalized(x, tokens, block.norm1);
  linear(block.queries, input, rows, memory_.queries, Epilogue::Store);
  linear(block.keys_values, input, tokens, memory_.keys_values, Epilogue::Store);

  const AttentionCall call{rows,
                           tokens,
                           heads,
                           width,
                           1.0f / std::sqrt(static_cast<float>(true_width)),
                           memory_.queries,
                           memory_.keys_values,
                           memory_.keys_values + mixed,
                           mixed,
                           2 * mixed,
                           memory_.packed_keys,
                           memory_.mixed,
                           attention ? memory_.attention : nullptr,
                           network_.mean_pooling ? 1 : 0,
                           network_.mean_pooling ? rows : 1};
  team_.share(pack_keys_parts(call, kernels_), [&](int, std::int64_t begin, std::int64_t end) {
    kernels_.pack_keys(call, begin, end);
  });
  team_.share(
      attention_parts(call, kernels_), [&](int thread, std::int64_t begin, std::int64_t end) {
        kernels_.attention(call, memory_.scratch + thread * memory_.scratch_size, begin, end);
      });
  linear(block.project, prepared(memory_.mixed, rows, mixed), rows, x, Epilogue::Add);

  linear(block.fc1, normalized(x, rows, block.norm2), rows, memory_.hidden, Epilogue::Gelu);
  linear(block.fc2, prepared(memory_.hidden, rows, block.fc1.out), rows, x, Epilogue::Add);
}

const float* Inference::answer(std::int64_t exit) {
  const std::int64_t dim = pad(network_.dim);
  const auto at = static_cast<std::size_t>(exit);
  const float* pooled = memory_.tokens;
  if (network_.mean_pooling) {
    std::fill(memory_.feature, memory_.feature + dim, 0.0f);
    for (std::int64_t t = 1; t < network_.tokens(); ++t)
      for (std::int64_t i = 0; i < dim; ++i) memory_.feature[i] += memory_.tokens[t * dim + i];
    for (std::int64_t i = 0; i < dim; ++i)
      memory_.feature[i] /= static_cast<float>(network_.patches());
    pooled = memory_.feature;
  }
  NormCall norm{1,
                network_.dim,
                dim,
                pooled,
                weights_.exit_norms[at].gain,
                weights_.exit_norms[at].bias,
                static_cast<float>(network_.norm_eps)};
  norm.y = memory_.feature;
  kernels_.norm(norm, nullptr, 0, 1);
  LinearCall head{&weights_.heads[at], 1};
  head.x = memory_.feature;
  head.y = memory_.logits + exit * pad(network_.num_classes);
  head.stride = pad(network_.num_classes);
  kernels_.linear(head, 0, linear_parts(head, kernels_));
  return head.y;
}

void Inference::share_norm(const NormCall& call) {
  team_.share(call.rows, [&](int thread, std::int64_t begin, std::int64_t end) {
    kernels_.norm(call, memory_.scratch + thread * memory_.scratch_size, begin, end);
  });
}

Inference::Input Inference::normalized(const float* x, std::int64_t rows,
                                       const NormWeights& weights) {
  NormCall call{rows,
                network_.dim,
                pad(network_.dim),
                x,
                weights.gain,
                weights.bias,
                static_cast<float>(network_.norm_eps)};
  if (bytes_) {
    call.quantized = memory_.quantized;
    call.scales = memory_.scales;
  } else {
    call.y = memory_.input;
  }
  share_norm(call);
  return {call.y, call.quantized, call.scales};
}

Inference::Input Inference::prepared(const float* x, std::int64_t rows, std::int64_t width) {
  if (!bytes_) return {x, nullptr, nullptr};
  NormCall call{rows, width, width, x, nullptr, nullptr, 0};
  call.quantized = memory_.quantized;
  call.scales = memory_.scales;
  share_norm(call);
  return {nullptr, call.quantized, call.scales};
}

void Inference::linear(const PackedLinear& layer, const Input& input, std::int64_t rows, float* y,
                       Epilogue epilogue) {
  LinearCall call{&layer, rows};
  call.x = input.values;
  call.quantized = input.quantized;
  call.scales = input.scales;
  call.y = y;
  call.stride = layer.out;
  call.epilogue = epilogue;
  team_.share(linear_parts(call, kernels_), [&](int, std::int64_t begin, std::int64_t end) {
    kernels_.linear(call, begin, end);
  });
}

}  // namespace dermis::edge
