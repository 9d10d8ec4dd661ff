#pragma once
/// \file
/// The pictures that stages draw on the way.

#include <vector>

#include "dermis/data/pixels.hpp"
#include "dermis/io/contact_sheet.hpp"

namespace dermis::detail {

/// Images uint8 [N, 3, S, S] row by row on a sheet of `columns` columns.
inline Image sheet(const at::Tensor& images, std::int64_t columns) {
  std::vector<Image> pictures;
  for (const auto& image : images.unbind()) pictures.push_back(to_image(image));
  return grid(pictures, columns);
}

}  // namespace dermis::detail
