#pragma once
/// \file
/// From a data set to tensors: decoded, squared, resized, and normalised by the training part's
/// statistics. Two scales are in use everywhere: uint8 images are 0..255, float images are 0..1.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "dermis/data/dataset.hpp"
#include "dermis/io/dermoscopy.hpp"
#include "dermis/io/image.hpp"
#include "dermis/io/resize.hpp"

namespace dermis {

/// A data set in memory.
struct PixelSet {
  at::Tensor images;            ///< uint8 [N, 3, S, S]
  at::Tensor labels;            ///< int64 [N]
  std::vector<Sample> samples;  ///< N, with the original sizes filled in
  std::vector<std::string> classes;
  DermoscopyOptions preprocessing = {};  ///< what the images went through before they were squared

  int64_t size() const { return static_cast<int64_t>(samples.size()); }
  std::vector<int64_t> class_counts() const;  ///< number of images of each class
  /// Copies of the images at `indices`, in that order. Throws std::invalid_argument on an index out
  /// of range.
  PixelSet subset(const std::vector<int64_t>& indices) const;
  /// The same images as a data set, which shares their memory: for splits and searches.
  Dataset dataset() const;
};

/// `a` followed by `b`, with `a`'s preprocessing. Throws std::invalid_argument unless classes and
/// image size agree.
PixelSet concatenate(const PixelSet& a, const PixelSet& b);

/// How an image becomes a square.
enum class Fit {
  CenterSquare,  ///< crop the largest centred square
  Squash,  ///< resize both sides alike: leaks the aspect ratio, which in ISIC data tells source and
           ///< class
};
std::string name(Fit fit);
void from_name(Fit& fit, const std::string& text);

/// How an image of any size becomes one of `size` x `size` pixels.
struct SquareOptions {
  DermoscopyOptions preprocessing = {};  ///< border, hair, colour: before the square is cut
  Fit fit = Fit::CenterSquare;
  Filter filter = Filter::Bicubic;  ///< antialiased as in Pillow
};

/// `image`, preprocessed, squared and resized to `size` x `size` pixels.
Image squared(const Image& image, int64_t size, const SquareOptions& options = {});

struct PixelOptions {
  int threads = 1;               ///< decoding threads; the result does not depend on it
  DataReport* report = nullptr;  ///< corrupt images are counted and named here
  SquareOptions square = {};
  bool progress = true;  ///< show progress on stderr
};

/// Decodes every image of `dataset` to `size` x `size` pixels, in the data set's order. An image
/// that does not decode is left out, counted and named in `options.report`. Throws
/// std::invalid_argument when size or threads is below 1, std::runtime_error when a class that had
/// images has none left (or there are no images at all), Interrupted after Ctrl-C.
PixelSet load_pixels(const Dataset& dataset, int64_t size, const PixelOptions& options = {});

/// uint8 [3, H, W] of an image.
at::Tensor to_tensor(const Image& image);
/// Image of a uint8 (0..255) or floating (0..1, clamped, rounded to nearest) tensor [3, H, W] on
/// any device.
Image to_image(const at::Tensor& pixels);

/// Images [B, 3, H, W] (or [3, H, W]) resized to height x width as torch's interpolate with
/// align_corners false: Bilinear or Bicubic (antialiased: Keys' a = -0.5, otherwise -0.75). uint8
/// stays uint8; floats are neither rounded nor clamped, so that Bicubic leaves the range. For
/// Pillow's pixels resize the Image. Throws std::invalid_argument for another filter, shape or
/// size.
at::Tensor resize(const at::Tensor& images, int64_t height, int64_t width, Filter filter,
                  bool antialias = true);

/// View `view` of square images [B, 3, S, S]: mirrored for odd ones, turned by view / 2 right
/// angles. 0 is the image itself, 0 to 7 are all eight.
at::Tensor right_angle_view(const at::Tensor& images, int64_t view);

/// Per-channel affine scaling to mean 0 and deviation 1. `mean` and `std` are in units of 0..1.
struct Normalization {
  std::vector<double> mean = {0.5, 0.5, 0.5};  ///< R, G, B
  std::vector<double> std = {0.5, 0.5, 0.5};   ///< R, G, B; above 0

  /// images [B, 3, H, W] or [3, H, W], uint8 0..255 or float 0..1 -> float, normalised.
  at::Tensor operator()(const at::Tensor& images) const;
  /// Normalised float images -> float 0..1 (not clamped).
  at::Tensor inverse(const at::Tensor& images) const;
};

/// Channel means and population deviations over all pixels (deviation at least 1/255), exact
/// whatever the threads. Give it the training part alone: statistics of validation or test images
/// would leak into training.
Normalization measure_normalization(const PixelSet& training);

}  // namespace dermis
