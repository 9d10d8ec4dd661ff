#pragma once
/// \file
/// Position tables: fixed sine-cosine, and resampling of a table to another grid.

#include <cmath>

#include "dermis/layers/parameter.hpp"

namespace dermis {

/// MAE's fixed table for a side x side grid (util/pos_embed.py): the first half of the axes encodes
/// the column, the second the row, each as [sin | cos] with frequencies 10000^(-k / (dim / 4)).
/// With a class token its row of zeros comes first. Returns [1, (1 +) side side, dim].
inline at::Tensor sincos_position(std::int64_t dim, std::int64_t side, bool class_token) {
  check_argument(dim % 4 == 0 && side > 0,
                 "[position] expected a width divisible by 4 and a positive grid, got ", dim,
                 " and ", side);
  const auto quarter = dim / 4;
  const auto omega = at::pow(
      10000.0, -torch::arange(quarter, torch::kDouble) / static_cast<double>(quarter));  // [D/4]
  const auto line = torch::arange(side, torch::kDouble);
  const auto encode = [&](const at::Tensor& position) {
    const auto angle = at::outer(position, omega);
    return at::cat({angle.sin(), angle.cos()}, 1);  // [N, D/2]
  };
  const auto column = line.repeat({side}), row = line.repeat_interleave(side);
  auto table = at::cat({encode(column), encode(row)}, 1);  // [N, D]
  if (class_token) table = at::cat({torch::zeros({1, dim}, torch::kDouble), table}, 0);
  return table.to(torch::kFloat).unsqueeze(0);
}

/// Resamples a table [1, prefix + n n, D] to another square grid: bicubic, align_corners false,
/// prefix rows kept. MAE's code does not antialias (the default here); timm does.
inline at::Tensor resample_position(const at::Tensor& table, std::int64_t side, std::int64_t prefix,
                                    bool antialias = false) {
  const auto count = table.size(1) - prefix;
  const auto old_side =
      static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(count))));
  check_argument(old_side * old_side == count, "[position] expected a table of ", prefix,
                 " + n n rows, got ", shape_text(table));
  if (old_side == side) return table;
  const auto grid = table.slice(1, prefix)
                        .reshape({1, old_side, old_side, -1})
                        .permute({0, 3, 1, 2});  // [1, D, n, n]
  const auto resized = antialias ? at::_upsample_bicubic2d_aa(grid, {side, side}, false)
                                 : at::upsample_bicubic2d(grid, {side, side}, false);
  const auto rows =
      resized.permute({0, 2, 3, 1}).reshape({1, side * side, -1});  // [1, side side, D]
  return at::cat({table.slice(1, 0, prefix), rows}, 1);
}

}  // namespace dermis
