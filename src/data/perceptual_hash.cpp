#include "perceptual_hash.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "dermis/data/duplicates.hpp"
#include "dermis/io/resize.hpp"

namespace dermis {
namespace detail {
namespace {

constexpr std::size_t kLow = 8;  // coefficients a side that the hash looks at
using Coefficients = std::array<std::array<double, kLow>, kLow>;

/// The lowest coefficients of the two-dimensional DCT-II; their common scale does not matter.
Coefficients low_frequencies(const Luminance& luminance) {
  static const auto cosines = [] {
    std::array<std::array<double, kHashSide>, kLow> table{};
    for (std::size_t k = 0; k < kLow; ++k) {
      for (std::size_t i = 0; i < kHashSide; ++i) {
        table[k][i] = std::cos(3.14159265358979323846 * static_cast<double>(k * (2 * i + 1)) /
                               (2.0 * kHashSide));
      }
    }
    return table;
  }();
  std::array<std::array<double, kHashSide>, kLow> rows{};  // transformed along y
  for (std::size_t k = 0; k < kLow; ++k) {
    for (std::size_t y = 0; y < kHashSide; ++y) {
      for (std::size_t x = 0; x < kHashSide; ++x)
        rows[k][x] += cosines[k][y] * luminance[y * kHashSide + x];
    }
  }
  Coefficients low{};
  for (std::size_t v = 0; v < kLow; ++v) {
    for (std::size_t u = 0; u < kLow; ++u) {
      for (std::size_t x = 0; x < kHashSide; ++x) low[v][u] += cosines[u][x] * rows[v][x];
    }
  }
  return low;
}

}  // namespace

Luminance hash_luminance(const Image& image) {
  Image grey = image;
  for (std::size_t i = 0; i < grey.rgb.size(); i += 3) {  // Pillow's convert("L")
    const std::uint32_t l =
        (19595U * grey.rgb[i] + 38470U * grey.rgb[i + 1] + 7471U * grey.rgb[i + 2] + 0x8000U) >>
        16U;
    std::fill_n(grey.rgb.begin() + static_cast<std::ptrdiff_t>(i), 3, static_cast<std::uint8_t>(l));
  }
  const Image small = resize(grey, kHashSide, kHashSide, Filter::Lanczos);
  Luminance luminance{};
  for (std::size_t i = 0; i < luminance.size(); ++i) luminance[i] = small.rgb[3 * i];
  return luminance;
}

std::array<std::uint64_t, 8> luminance_hashes(const Luminance& luminance) {
  const Coefficients low = low_frequencies(luminance);
  std::array<std::uint64_t, 8> hashes{};
  for (std::size_t view = 0; view < hashes.size(); ++view) {
    // In frequencies a transposition is one too, and a flip changes the sign of the odd ones.
    std::array<double, kLow * kLow> values{};
    for (std::size_t v = 0; v < kLow; ++v) {
      for (std::size_t u = 0; u < kLow; ++u) {
        const bool minus = ((view & 1U) != 0 && u % 2 == 1) != ((view & 2U) != 0 && v % 2 == 1);
        const double value = (view & 4U) != 0 ? low[u][v] : low[v][u];
        values[v * kLow + u] = minus ? -value : value;
      }
    }
    auto sorted = values;
    std::sort(sorted.begin(), sorted.end());
    const double median = (sorted[sorted.size() / 2 - 1] + sorted[sorted.size() / 2]) / 2;
    for (const double value : values) hashes[view] = hashes[view] << 1U | (value > median);
  }
  return hashes;
}

double view_correlation(const Luminance& a, const Luminance& b, std::size_t view) {
  const auto count = static_cast<double>(a.size());
  double sum_a = 0, sum_b = 0, aa = 0, bb = 0, ab = 0;  // whole numbers, exact
  for (std::size_t y = 0; y < kHashSide; ++y) {
    for (std::size_t x = 0; x < kHashSide; ++x) {
      std::size_t row = (view & 2U) != 0 ? kHashSide - 1 - y : y;
      std::size_t column = (view & 1U) != 0 ? kHashSide - 1 - x : x;
      if ((view & 4U) != 0) std::swap(row, column);
      const double p = a[y * kHashSide + x];
      const double q = b[row * kHashSide + column];
      sum_a += p;
      sum_b += q;
      aa += p * p;
      bb += q * q;
      ab += p * q;
    }
  }
  const double spread = (count * aa - sum_a * sum_a) * (count * bb - sum_b * sum_b);
  return spread > 0 ? (count * ab - sum_a * sum_b) / std::sqrt(spread) : 0;
}

}  // namespace detail

std::array<std::uint64_t, 8> perceptual_hashes(const Image& image) {
  detail::check_image(image, "hash");
  return detail::luminance_hashes(detail::hash_luminance(image));
}

std::uint64_t perceptual_hash(const Image& image) {
  return perceptual_hashes(image)[0];
}

}  // namespace dermis
