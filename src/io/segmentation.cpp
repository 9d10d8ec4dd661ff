#include "segmentation.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace dermis::detail {

double otsu(const std::vector<double>& values) {
  constexpr int bins = 128;
  const double top = *std::max_element(values.begin(), values.end());
  if (top <= 0) return 0;
  std::array<double, bins> counts{};
  for (const double v : values)
    ++counts[static_cast<std::size_t>(std::min<double>(bins - 1, v / top * bins))];
  double total = 0;
  for (int i = 0; i < bins; ++i) total += i * counts[static_cast<std::size_t>(i)];
  double below = 0, sum = 0, best = -1;
  int at = 0;
  const auto n = static_cast<double>(values.size());
  for (int i = 0; i + 1 < bins; ++i) {
    below += counts[static_cast<std::size_t>(i)];
    sum += i * counts[static_cast<std::size_t>(i)];
    if (below == 0 || below == n) continue;
    const double difference = sum / below - (total - sum) / (n - below);
    const double between = below * (n - below) * difference * difference;
    if (between > best) {
      best = between;
      at = i;
    }
  }
  return top * (at + 1) / bins;
}

void keep_central_piece(Plane& mask, std::int64_t width, std::int64_t height) {
  std::vector<std::int64_t> best, piece;
  double best_weight = 0;
  Plane left = mask;
  for (std::int64_t first = 0; first < width * height; ++first) {
    if (left[static_cast<std::size_t>(first)] == 0) continue;
    piece.assign(1, first);
    left[static_cast<std::size_t>(first)] = 0;
    double weight = 0;
    for (std::size_t i = 0; i < piece.size(); ++i) {
      const std::int64_t x = piece[i] % width, y = piece[i] / width;
      const double u = (2.0 * static_cast<double>(x) + 1) / static_cast<double>(width) - 1;
      const double v = (2.0 * static_cast<double>(y) + 1) / static_cast<double>(height) - 1;
      weight += (1 - std::abs(u)) * (1 - std::abs(v));
      const auto visit = [&](std::int64_t p, std::int64_t q) {
        if (p < 0 || q < 0 || p >= width || q >= height) return;
        std::uint8_t& value = left[static_cast<std::size_t>(q * width + p)];
        if (value == 0) return;
        value = 0;
        piece.push_back(q * width + p);
      };
      visit(x - 1, y);
      visit(x + 1, y);
      visit(x, y - 1);
      visit(x, y + 1);
    }
    if (weight > best_weight) {
      best_weight = weight;
      best = piece;
    }
  }
  std::fill(mask.begin(), mask.end(), std::uint8_t{0});
  for (const std::int64_t i : best) mask[static_cast<std::size_t>(i)] = 1;
}

}  // namespace dermis::detail
