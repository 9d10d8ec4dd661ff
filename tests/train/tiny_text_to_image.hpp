#pragma once
/// \file
/// A text-to-image model that is trained in a moment.

#include "dermis/train/text_to_image.hpp"
#include "tiny_generator.hpp"

namespace dermis::test {

inline std::vector<std::string> striped_captions(const PixelSet& set) {
  std::vector<std::string> captions;
  for (const auto& sample : set.samples)
    captions.push_back(sample.label == 1 ? "A disc, with stripes." : "A plain disc.");
  return captions;
}

inline TextToImageOptions tiny_text_to_image(std::int64_t count) {
  auto training = steps(count);
  return {.text = {.dim = 16, .depth = 1, .heads = 2, .head_dim = 8, .hidden = 16, .gated = true},
          .model = {.dim = 24,
                    .heads = 2,
                    .double_blocks = 1,
                    .single_blocks = 1,
                    .axes = {4, 4, 4},
                    .guidance = false},
          .training = training,
          .latent_views = 1,
          .sampling = {.steps = 2, .true_guidance = 2}};
}

}  // namespace dermis::test
