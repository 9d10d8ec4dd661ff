#pragma once
/// \file
/// From the tensor names of one library to those of another: a table of renames, and fused layers
/// taken apart or put together.

#include <string>
#include <vector>

#include "dermis/io/tensors.hpp"

namespace dermis {

/// One kind of name in two layouts. `*` stands for one component between dots ("11", "weight"); the
/// first `*` of `from` goes to the first of `to`, and so on. An empty `to`: the tensor is left out.
struct KeyRule {
  std::string from, to;
};
/// The first rule that matches decides.
using KeyMap = std::vector<KeyRule>;

/// The map read the other way, without the rules that leave a tensor out.
KeyMap reversed(const KeyMap& map);

/// Renames every tensor; the tensors themselves are shared.
/// \param layout  what the names should be ("a transformers ViT"), for the error
/// \param source  usually the file, for the error
/// \throws std::runtime_error once, with the names that no rule knows and, if it can be told, whose
///         file it looks like
StateDict rename_keys(const StateDict& tensors, const KeyMap& map, const std::string& layout,
                      const std::string& source);

/// Stacks parts into a whole: STEM.part.SUFFIX of all `parts` become STEM.whole.SUFFIX, rows one
/// below the other (query, key and value become qkv).
/// \throws std::runtime_error naming `source` and the name if a part lacks the others
StateDict merge_rows(const StateDict& tensors, const std::vector<std::string>& parts,
                     const std::string& whole, const std::string& source);

/// The inverse of merge_rows: equal parts, each in memory of its own.
/// \throws std::runtime_error naming `source` and the name if the rows do not divide
StateDict split_rows(const StateDict& tensors, const std::string& whole,
                     const std::vector<std::string>& parts, const std::string& source);

/// Whose names these are, "timm's VisionTransformer" for example; "" if it cannot be told.
std::string layout_of(const StateDict& tensors);

}  // namespace dermis
