#pragma once
/// \file
/// Position tables: fixed sine-cosine, and resampling of a table to another grid.

#include <cmath>

#include "dermis/layers/parameter.hpp"

namespace dermis {

/// Size of a grid of patches.
struct GridSize {
  std::int64_t rows = 0, columns = 0;
  std::int64_t count() const { return rows * columns; }
  bool operator==(const GridSize&) const = default;
};

/// Which half of a sine-cosine table's axes encodes what.
enum class SinCosOrder {
  ColumnFirst,  ///< column, then row: MAE's files (util/pos_embed.py)
  RowFirst      ///< row, then column
};

/// Fixed table of a grid: each half of the axes encodes one coordinate as [sin | cos] with
/// frequencies 10000^(-k / (dim / 4)), computed in double precision. With a class token its row of
/// zeros comes first. Returns [1, (1 +) rows columns, dim].
inline at::Tensor sincos_position(std::int64_t dim, const GridSize& grid, bool class_token,
                                  SinCosOrder order = SinCosOrder::ColumnFirst) {
  check_argument(dim % 4 == 0 && grid.rows > 0 && grid.columns > 0,
                 "[position] expected a width divisible by 4 and a positive grid, got ", dim,
                 " and ", grid.rows, " x ", grid.columns);
  const auto quarter = dim / 4;
  const auto omega = at::pow(
      10000.0, -torch::arange(quarter, torch::kDouble) / static_cast<double>(quarter));  // [D/4]
  const auto encode = [&](const at::Tensor& position) {
    const auto angle = at::outer(position, omega);
    return at::cat({angle.sin(), angle.cos()}, 1);  // [N, D/2]
  };
  const auto row = torch::arange(grid.rows, torch::kDouble).repeat_interleave(grid.columns);
  const auto column = torch::arange(grid.columns, torch::kDouble).repeat({grid.rows});
  const bool row_first = order == SinCosOrder::RowFirst;
  auto table =
      at::cat({encode(row_first ? row : column), encode(row_first ? column : row)}, 1);  // [N, D]
  if (class_token) table = at::cat({torch::zeros({1, dim}, torch::kDouble), table}, 0);
  return table.to(torch::kFloat).unsqueeze(0);
}

/// The same for a side x side grid, in MAE's order.
inline at::Tensor sincos_position(std::int64_t dim, std::int64_t side, bool class_token) {
  return sincos_position(dim, GridSize{side, side}, class_token);
}

/// Resamples a table [1, prefix + N, D] from one grid to another: bicubic, align_corners false,
/// prefix rows kept. MAE's code and transformers do not antialias (the default here); timm does.
inline at::Tensor resample_position(const at::Tensor& table, const GridSize& from,
                                    const GridSize& to, std::int64_t prefix,
                                    bool antialias = false) {
  check_argument(table.dim() == 3 && table.size(1) == prefix + from.count(),
                 "[position] expected a table of ", prefix, " + ", from.rows, " x ", from.columns,
                 " rows, got ", shape_text(table));
  check_argument(to.rows > 0 && to.columns > 0, "[position] expected a positive grid, got ",
                 to.rows, " x ", to.columns);
  if (from == to) return table;
  const auto grid = table.slice(1, prefix)
                        .reshape({1, from.rows, from.columns, -1})
                        .permute({0, 3, 1, 2});  // [1, D, h, w]
  const auto resized = antialias ? at::_upsample_bicubic2d_aa(grid, {to.rows, to.columns}, false)
                                 : at::upsample_bicubic2d(grid, {to.rows, to.columns}, false);
  const auto rows = resized.permute({0, 2, 3, 1}).reshape({1, to.count(), -1});  // [1, N', D]
  return at::cat({table.slice(1, 0, prefix), rows}, 1);
}

/// The same from a square grid, whose side is found from the table, to another.
inline at::Tensor resample_position(const at::Tensor& table, std::int64_t side, std::int64_t prefix,
                                    bool antialias = false) {
  const auto count = table.size(1) - prefix;
  const auto old_side =
      static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(count))));
  check_argument(old_side * old_side == count, "[position] expected a table of ", prefix,
                 " + n n rows, got ", shape_text(table));
  return resample_position(table, {old_side, old_side}, {side, side}, prefix, antialias);
}

}  // namespace dermis
