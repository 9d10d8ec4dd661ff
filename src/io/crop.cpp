#include "dermis/io/crop.hpp"

#include <algorithm>

#include "dermis/core/check.hpp"
#include "dermis/io/image_view.hpp"

namespace dermis {
namespace detail {

void check_inside(const Image& image, const Box& box, const char* tag) {
  check_argument(box.x >= 0 && box.y >= 0 && box.width > 0 && box.height > 0 &&
                     box.width <= image.width && box.height <= image.height &&
                     box.x <= image.width - box.width && box.y <= image.height - box.height,
                 "[", tag, "] expected a rectangle inside ", image.width, " x ", image.height,
                 ", got ", box.width, " x ", box.height, " at (", box.x, ", ", box.y, ")");
}

}  // namespace detail

namespace {

/// Half of a margin of at least 0.
std::int64_t half_of(std::int64_t margin, CropRounding rounding) {
  const std::int64_t down = margin / 2;
  return rounding == CropRounding::HalfToEven && margin % 2 == 1 && down % 2 == 1 ? down + 1 : down;
}

}  // namespace

Image copy_of(const ImageView& view) {
  Image image = make_image(view.width, view.height);
  for (std::int64_t y = 0; y < view.height; ++y)
    std::copy_n(view.pixel(0, y), 3 * view.width, image.pixel(0, y));
  return image;
}

Image crop(const Image& image, std::int64_t x, std::int64_t y, std::int64_t width,
           std::int64_t height) {
  detail::check_image(image, "crop");
  detail::check_inside(image, {x, y, width, height}, "crop");
  return copy_of({image.pixel(x, y), width, height, 3 * image.width});
}

Image center_crop(const Image& image, std::int64_t width, std::int64_t height,
                  CropRounding rounding) {
  detail::check_image(image, "crop");
  check_argument(width > 0 && height > 0 && width <= image.width && height <= image.height,
                 "[crop] expected a size within ", image.width, " x ", image.height, ", got ",
                 width, " x ", height);
  return crop(image, half_of(image.width - width, rounding),
              half_of(image.height - height, rounding), width, height);
}

Image center_square(const Image& image) {
  return copy_of(ImageView(image).center_square());
}

}  // namespace dermis
