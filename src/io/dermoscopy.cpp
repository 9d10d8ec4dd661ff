#include "dermis/io/dermoscopy.hpp"

namespace dermis {

Image preprocess(Image image, const DermoscopyOptions& options) {
  detail::check_image(image, "dermoscopy");
  if (options.crop_border) image = crop_border(image);
  if (options.remove_hair) image = remove_hair(image).image;
  if (options.colour_constancy) image = colour_constancy(image);
  return image;
}

}  // namespace dermis
