#pragma once
/// \file
/// Private to src/train: the images of a plan in their order, and the batches they are drawn in.

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "dermis/train/synthesis.hpp"

namespace dermis::detail {

/// One image to draw.
struct PlannedImage {
  int label = 0;
  std::int64_t number = 0;  ///< within its class
};

constexpr std::size_t synthesis_batch = 64;

/// All images of a plan, class by class.
inline std::vector<PlannedImage> planned_images(const std::vector<std::int64_t>& plan) {
  std::vector<PlannedImage> images;
  for (std::size_t c = 0; c < plan.size(); ++c)
    for (std::int64_t i = 0; i < plan[c]; ++i) images.push_back({static_cast<int>(c), i});
  return images;
}

/// uint8 [B, 3, S, S]: the images from `first` on, one batch. Always a whole one, because kernels
/// may round differently for another number of images.
inline at::Tensor draw_batch(const Generator& generator, const std::vector<PlannedImage>& images,
                             std::size_t first, std::uint64_t seed) {
  std::vector<int> labels;
  std::vector<std::int64_t> numbers;
  for (auto i = first; i < std::min(images.size(), first + synthesis_batch); ++i) {
    labels.push_back(images[i].label);
    numbers.push_back(images[i].number);
  }
  return generator.sample(labels, numbers, seed);
}

inline std::string synthetic_id(const std::string& class_name, std::int64_t number) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%05lld", static_cast<long long>(number));
  return "synthetic_" + class_name + "_" + digits;
}

inline std::filesystem::path synthetic_path(const std::filesystem::path& directory,
                                            const std::string& class_name, std::int64_t number) {
  return directory / class_name / (synthetic_id(class_name, number) + ".png");
}

/// Where quarantine() puts an image.
inline std::filesystem::path quarantined_path(const std::filesystem::path& directory,
                                              const std::string& class_name, std::int64_t number) {
  return synthetic_path(directory / "quarantine", class_name, number);
}

}  // namespace dermis::detail
