// Images without files: what needs no more than this links neither libjpeg nor libpng.
#include "dermis/core/check.hpp"
#include "dermis/io/image.hpp"

namespace dermis {
namespace detail {

void check_image(const Image& image, const char* tag) {
  check_argument(image.width > 0 && image.height > 0, "[", tag,
                 "] expected an image of at least 1 x 1, got ", image.width, " x ", image.height);
  // The division guards against sizes whose product would overflow.
  const auto pixels = static_cast<std::int64_t>(image.rgb.size() / 3);
  check_argument(image.rgb.size() % 3 == 0 && pixels / image.width == image.height &&
                     pixels % image.width == 0,
                 "[", tag, "] expected 3 bytes for each of ", image.width, " x ", image.height,
                 " pixels, got ", image.rgb.size(), " bytes");
}

}  // namespace detail

Image make_image(std::int64_t width, std::int64_t height, std::uint8_t fill) {
  check_argument(width > 0 && height > 0, "[image] expected an image of at least 1 x 1, got ",
                 width, " x ", height);
  Image image;
  image.width = width;
  image.height = height;
  image.rgb.assign(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3, fill);
  return image;
}

}  // namespace dermis
