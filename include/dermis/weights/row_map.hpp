#pragma once
/// \file
/// Layers of one library that are rows of another's: fused projections, halves in another order.
/// The same table renames weights and low-rank adapters.

#include <string>
#include <vector>

#include "dermis/io/tensors.hpp"

namespace dermis {

/// Rows `theirs_first`... of the layer or tensor `theirs` are the rows `ours_first`... of `ours`.
struct RowRule {
  std::string theirs;
  std::int64_t theirs_first = 0;
  std::string ours;
  std::int64_t ours_first = 0;
  std::int64_t rows = 0;
};
/// Together the rules of one layer cover all of its rows, once, on either side.
using RowMap = std::vector<RowRule>;

/// The map read the other way.
RowMap reversed(const RowMap& map);

/// The rules of tensors that follow from those of layers: `suffixes` are ".weight", ".bias".
RowMap with_suffixes(const RowMap& layers, const std::vector<std::string>& suffixes);

/// Tensors under our names. Of an `ours` of which nothing is there, nothing is made.
/// \param layout  what the names should be, for the error
/// \param source  usually the file, for the error
/// \throws std::runtime_error on a tensor that no rule names, a part without the others, or rows
///         that are not the rule's
StateDict map_rows(const StateDict& tensors, const RowMap& map, const std::string& layout,
                   const std::string& source);

}  // namespace dermis
