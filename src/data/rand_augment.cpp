#include "dermis/data/rand_augment.hpp"

#include <algorithm>

#include "dermis/core/check.hpp"

namespace dermis {

Image distort(const Image& image, Distortion distortion, double magnitude, bool negative,
              const Rgb& fill) {
  check_argument(magnitude >= 0 && magnitude <= 10,
                 "[rand_augment] expected a magnitude in [0, 10], got ", magnitude);
  const double level = magnitude / 10, sign = negative ? -1 : 1;
  const double factor = std::max(0.1, 1.0 + sign * (level * 0.9));
  const double shear = sign * (level * 0.3), shift = sign * (level * 0.45);
  switch (distortion) {
    case Distortion::AutoContrast:
      return autocontrast(image);
    case Distortion::Equalize:
      return equalize(image);
    case Distortion::Invert:
      return invert(image);
    case Distortion::Rotate:
      return rotate(image, sign * (level * 30), fill);
    case Distortion::Posterize:
      return posterize(image, 4 - static_cast<int>(level * 4));
    case Distortion::Solarize:
      return solarize(image, 256 - static_cast<int>(level * 256));
    case Distortion::SolarizeAdd:
      return solarize_add(image, static_cast<int>(level * 110));
    case Distortion::Color:
      return adjust_color(image, factor);
    case Distortion::Contrast:
      return adjust_contrast(image, factor);
    case Distortion::Brightness:
      return adjust_brightness(image, factor);
    case Distortion::Sharpness:
      return adjust_sharpness(image, factor);
    case Distortion::ShearX:
      return affine(image, {1, shear, 0, 0, 1, 0}, fill);
    case Distortion::ShearY:
      return affine(image, {1, 0, 0, shear, 1, 0}, fill);
    case Distortion::TranslateX:
      return affine(image, {1, 0, shift * static_cast<double>(image.width), 0, 1, 0}, fill);
    case Distortion::TranslateY:
      return affine(image, {1, 0, 0, 0, 1, shift * static_cast<double>(image.height)}, fill);
  }
  throw std::invalid_argument("[rand_augment] expected a member of the enumeration Distortion");
}

void validate(const RandAugmentOptions& options) {
  check_argument(options.operations >= 0, "[rand_augment] expected operations of at least 0, got ",
                 options.operations);
  check_argument(options.probability >= 0 && options.probability <= 1,
                 "[rand_augment] expected probability in [0, 1], got ", options.probability);
  check_argument(options.magnitude >= 0 && options.magnitude <= 10,
                 "[rand_augment] expected magnitude in [0, 10], got ", options.magnitude);
  check_argument(options.magnitude_std >= 0,
                 "[rand_augment] expected magnitude_std of at least 0, got ",
                 options.magnitude_std);
}

Image rand_augment(Image image, const RandAugmentOptions& options, RandomStream& stream) {
  validate(options);
  for (int i = 0; i < options.operations; ++i) {
    const auto distortion = static_cast<Distortion>(stream.below(distortion_count));
    const bool applied = stream.chance(options.probability);
    const double magnitude =
        std::clamp(options.magnitude + options.magnitude_std * stream.normal(), 0.0, 10.0);
    const bool negative = stream.chance(0.5);
    if (applied) image = distort(image, distortion, magnitude, negative, options.fill);
  }
  return image;
}

}  // namespace dermis
