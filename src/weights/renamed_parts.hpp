#pragma once
/// \file
/// Renaming tensors where another library has the same blocks in other places.

#include <string>
#include <utility>
#include <vector>

#include "dermis/io/tensors.hpp"

namespace dermis::detail {

/// Names of a block's layers: theirs, ours. What is not listed keeps its name.
using Parts = std::vector<std::pair<std::string, std::string>>;

/// A block: where it is with them, where with us, and what its layers are called.
struct Place {
  std::string theirs, ours;
  const Parts* parts = nullptr;
};

/// `name` begins with `prefix` and a dot, or is it.
inline bool is_below(const std::string& name, const std::string& prefix) {
  return name.compare(0, prefix.size(), prefix) == 0 &&
         (name.size() == prefix.size() || name[prefix.size()] == '.');
}

/// Our name of their tensor; the name itself if no place has it. No place may lie below another.
inline std::string our_name(const std::string& name, const std::vector<Place>& places) {
  for (const auto& place : places) {
    if (!is_below(name, place.theirs)) continue;
    auto rest =
        name.substr(std::min(place.theirs.size() + 1, name.size()));  // "in_layers.0.weight"
    if (place.parts != nullptr)
      for (const auto& [theirs, ours] : *place.parts)
        if (is_below(rest, theirs)) {
          rest = ours + rest.substr(theirs.size());
          break;
        }
    return place.ours + "." + rest;
  }
  return name;
}

/// Whether any name begins with `prefix`.
inline bool has_prefix(const StateDict& tensors, const std::string& prefix) {
  for (const auto& entry : tensors)
    if (entry.first.compare(0, prefix.size(), prefix) == 0) return true;
  return false;
}

}  // namespace dermis::detail
