#pragma once
/// \file
/// Occlusion (Zeiler and Fergus, arXiv 1311.2901): cover a square of the image and see how far the
/// probability of a class falls. It asks the model and nothing of its insides, so that maps drawn
/// from the insides can be held against it.

#include <concepts>
#include <string>
#include <type_traits>
#include <vector>

#include "dermis/train/predict_function.hpp"

namespace dermis {

/// What a covered square shows instead.
enum class OcclusionFill {
  Mean,  ///< the image's mean colour
  Blur,  ///< the image, blurred over two sides of the square: no edge that was not there
};

std::string name(OcclusionFill fill);
void from_name(OcclusionFill& fill, const std::string& name);

struct OcclusionOptions {
  std::int64_t size = 16;   ///< side of the square, pixels
  std::int64_t stride = 8;  ///< from one square to the next, pixels; at most `size`
  OcclusionFill fill = OcclusionFill::Mean;
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, OcclusionOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("size", o.size);
  visit("stride", o.stride);
  visit("fill", o.fill);
}

/// A quarter of the image's side, moved by half of that.
OcclusionOptions occlusion_for(std::int64_t image_size);

/// How far the probability of `classes[i]` falls when a pixel of image i is covered: the mean over
/// the squares that cover it. Squares at the far edges are moved inwards, so that every pixel is
/// covered.
/// \param images  uint8 [N, 3, S, S]
/// \return float [N, S, S], in -1..1: negative where covering raises the probability
/// \throws std::invalid_argument for a size outside 1 .. S, a stride outside 1 .. size, or classes
///         that are not as many as the images or that the answer has no column for
at::Tensor occlusion_maps(const PredictFunction& predict, const at::Tensor& images,
                          const std::vector<int>& classes, const OcclusionOptions& options = {});

}  // namespace dermis
