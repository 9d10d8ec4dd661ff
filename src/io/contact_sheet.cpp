#include "dermis/io/contact_sheet.hpp"

#include <algorithm>

#include "dermis/core/check.hpp"

namespace dermis {

Image grid(const std::vector<Image>& images, std::int64_t columns, std::int64_t gap,
           std::int64_t scale) {
  check_argument(columns > 0 && gap >= 0 && scale > 0,
                 "[grid] expected columns and scale above 0 and a gap of at least 0, got ", columns,
                 ", ", scale, " and ", gap);
  std::int64_t cell_width = 0, cell_height = 0;
  for (const Image& image : images) {
    detail::check_image(image, "grid");
    cell_width = std::max(cell_width, image.width * scale);
    cell_height = std::max(cell_height, image.height * scale);
  }
  if (images.empty()) return {};
  const auto count = static_cast<std::int64_t>(images.size());
  columns = std::min(columns, count);
  const std::int64_t rows = (count + columns - 1) / columns;
  Image sheet =
      make_image(columns * (cell_width + gap) - gap, rows * (cell_height + gap) - gap, 255);
  for (std::int64_t i = 0; i < count; ++i) {
    const Image& image = images[static_cast<std::size_t>(i)];
    const std::int64_t left =
        i % columns * (cell_width + gap) + (cell_width - image.width * scale) / 2;
    const std::int64_t top =
        i / columns * (cell_height + gap) + (cell_height - image.height * scale) / 2;
    for (std::int64_t y = 0; y < image.height * scale; ++y) {
      for (std::int64_t x = 0; x < image.width * scale; ++x) {
        const std::uint8_t* from = image.pixel(x / scale, y / scale);
        std::copy(from, from + 3, sheet.pixel(left + x, top + y));
      }
    }
  }
  return sheet;
}

}  // namespace dermis
