#pragma once
/// \file
/// Labelled images as a network without LibTorch takes them.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace dermis::edge {

struct LabelledPixels {
  std::int64_t count = 0;
  /// Writes the normalised pixels [3, S, S] of an image.
  std::function<void(std::int64_t index, float* pixels)> pixels;
  std::vector<int> labels;
  std::vector<std::string> lesions;  ///< see bootstrap_interval
};

}  // namespace dermis::edge
