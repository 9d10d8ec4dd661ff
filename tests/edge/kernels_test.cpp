#include "edge/kernels.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "dermis/core/random.hpp"
#include "edge/half.hpp"
#include "edge/pack.hpp"

namespace dermis::edge {
namespace {

std::vector<float> draw(std::int64_t count, const char* purpose) {
  RandomStream stream(3, purpose);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& v : values) v = static_cast<float>(stream.normal());
  return values;
}

/// A layer's weights in panels, fp32 and bytes.
struct Layer {
  Layer(std::int64_t in, std::int64_t out, const Kernels& kernels)
      : weights(draw(in * out, "weights")),
        bias(draw(out, "bias")),
        scales(static_cast<std::size_t>(out), 0.01f),
        bytes(weights.size()),
        corrections(static_cast<std::size_t>(out)),
        panels(static_cast<std::size_t>(packed_size(in, out, kernels.panel))),
        byte_panels(panels.size()) {
    for (std::size_t i = 0; i < bytes.size(); ++i)  // the whole range, both ends included
      bytes[i] = static_cast<std::int8_t>(static_cast<int>(i * 37 % 255) - 127);
    pack_weights(panels.data(), in, out, kernels.panel, [&](std::int64_t o, std::int64_t i) {
      return weights[static_cast<std::size_t>(o * in + i)];
    });
    pack_bytes(byte_panels.data(), in, out, kernels.panel, [&](std::int64_t o, std::int64_t i) {
      return bytes[static_cast<std::size_t>(o * in + i)];
    });
    for (std::int64_t o = 0; o < out; ++o)
      for (std::int64_t i = 0; i < in; ++i)
        corrections[static_cast<std::size_t>(o)] -=
            kernels.input_offset * bytes[static_cast<std::size_t>(o * in + i)];
    packed = {in,         out, panels.data(), byte_panels.data(), scales.data(), corrections.data(),
              bias.data()};
  }
  std::vector<float> weights, bias, scales;
  std::vector<std::int8_t> bytes;
  std::vector<std::int32_t> corrections;
  std::vector<float> panels;
  std::vector<std::int8_t> byte_panels;
  PackedLinear packed;
};

TEST_CASE("Every size of tile multiplies as the definition says") {
  const std::int64_t in = 48, rows = GENERATE(1, 2, 5, 6, 7, 13, 14, 15, 29);
  const std::int64_t out = GENERATE(16, 32, 48);
  const auto x = draw(rows * in, "x");
  for (const Kernels* kernels : supported_kernels()) {
    CAPTURE(kernels->name, rows, out);
    Layer layer(in, out, *kernels);
    layer.packed.quantized = nullptr;
    std::vector<float> y(static_cast<std::size_t>(rows * out), 2.0f);
    LinearCall call{&layer.packed, rows, x.data(), nullptr, nullptr, y.data(), out, Epilogue::Add};
    const std::int64_t parts = linear_parts(call, *kernels);
    kernels->linear(call, 0, parts / 2);
    kernels->linear(call, parts / 2, parts);
    double most = 0;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t o = 0; o < out; ++o) {
        double sum = 2 + layer.bias[static_cast<std::size_t>(o)];
        for (std::int64_t i = 0; i < in; ++i)
          sum += double{x[static_cast<std::size_t>(r * in + i)]} *
                 layer.weights[static_cast<std::size_t>(o * in + i)];
        most = std::max(most, std::abs(sum - y[static_cast<std::size_t>(r * out + o)]));
      }
    CHECK(most < 1e-5);
  }
}

TEST_CASE("Sums of products of bytes are exact, at both ends of their range") {
  const std::int64_t in = 64, out = 48, rows = 15;
  auto x = draw(rows * in, "x");
  for (std::int64_t i = 0; i < in; ++i) x[static_cast<std::size_t>(i)] = i % 2 ? 1.0f : -1.0f;
  for (const Kernels* kernels : supported_kernels()) {
    CAPTURE(kernels->name);
    const Layer layer(in, out, *kernels);
    std::vector<std::uint8_t> q(x.size());
    std::vector<float> scales(static_cast<std::size_t>(rows)),
        y(static_cast<std::size_t>(rows * out));
    NormCall norm{rows, in, in, x.data(), nullptr, nullptr, 0, nullptr, q.data(), scales.data()};
    kernels->norm(norm, nullptr, 0, rows);
    LinearCall call{&layer.packed, rows, nullptr, q.data(), scales.data(), y.data(), out};
    kernels->linear(call, 0, linear_parts(call, *kernels));
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t o = 0; o < out; ++o) {
        std::int64_t sum = 0;
        for (std::int64_t i = 0; i < in; ++i) {
          const auto at = static_cast<std::size_t>(r * in + i);
          const auto value = static_cast<std::int8_t>(q[at] - kernels->input_offset);
          REQUIRE(
              std::abs(x[at] - scales[static_cast<std::size_t>(r)] * static_cast<float>(value)) <=
              0.501f * scales[static_cast<std::size_t>(r)]);
          sum += std::int64_t{value} * layer.bytes[static_cast<std::size_t>(o * in + i)];
        }
        const double expected =
            static_cast<double>(sum) * 0.01 * scales[static_cast<std::size_t>(r)] +
            layer.bias[static_cast<std::size_t>(o)];
        REQUIRE(y[static_cast<std::size_t>(r * out + o)] ==
                Approx(expected).epsilon(1e-5).margin(1e-4));
      }
  }
}

TEST_CASE("exp and GELU are within 1e-6") {
  for (const Kernels* kernels : supported_kernels()) {
    CAPTURE(kernels->name);
    std::vector<float> x(1 << 16), y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = -87.0f + 175.0f * static_cast<float>(i) / static_cast<float>(x.size());
    kernels->exponential(x.data(), y.data(), static_cast<std::int64_t>(x.size()));
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
      worst = std::max(worst, std::abs(y[i] / std::exp(double{x[i]}) - 1));
    CHECK(worst < 1e-6);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] /= 10;
    kernels->gelu(x.data(), y.data(), static_cast<std::int64_t>(x.size()));
    worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
      worst = std::max(worst, std::abs(y[i] - x[i] * 0.5 * std::erfc(-x[i] / std::sqrt(2.0))));
    CHECK(worst < 1e-6);
    std::vector<float> ends(16, -1000.0f), zero(16, 1.0f);
    kernels->exponential(ends.data(), zero.data(), 16);
    CHECK(zero == std::vector<float>(16, 0.0f));
    kernels->gelu(ends.data(), zero.data(), 16);
    CHECK(zero == std::vector<float>(16, 0.0f));
  }
}

TEST_CASE("Every half is read and written back, and rounding is to nearest even") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = from_half(half);
    if (std::isnan(value))
      REQUIRE(std::isnan(from_half(to_half(value))));
    else
      REQUIRE(to_half(value) == half);
  }
  CHECK(from_half(0x3c00) == 1.0f);
  CHECK(from_half(0x0001) == 0x1p-24f);
  CHECK(to_half(1 + 0x1p-11f) == 0x3c00);             // a tie, to even
  CHECK(to_half(1 + 3 * 0x1p-11f) == 0x3c02);         // a tie, to even
  CHECK(to_half(1 + 0x1p-11f + 0x1p-20f) == 0x3c01);  // above it
  CHECK(to_half(65519.0f) == 0x7bff);
  CHECK(to_half(65520.0f) == 0x7c00);
  CHECK(to_half(-0x1p-25f) == 0x8000);
  CHECK(to_half(0x1.8p-25f) == 0x0001);
}

}  // namespace
}  // namespace dermis::edge
