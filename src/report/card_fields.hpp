#pragma once
/// \file
/// What cards take out of a run's JSON, and what they leave out.

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "dermis/core/json.hpp"

namespace dermis::detail {

/// Whether this is {"mean", "lo", "hi"}.
bool is_interval(const Json& value);

/// `value` without what a card must not show (names of patients, lesions, images; paths) and
/// without what holds nothing: NaN, empty texts, objects and lists. Null if nothing is left. A list
/// of objects becomes a table, a row named by its artefact, name, group, figure or class or else by
/// its number; one of more than 32 is left out, as listings of images are.
Json disclosed(const Json& value);

/// The member at the end of `path`, null where there is none.
Json member(const Json& root, std::initializer_list<std::string> path);

/// What is disclosed of member(root, path), whose last key counts too. `path` has at least one key.
Json show(const Json& root, std::initializer_list<std::string> path);

/// Figures by class, {"MEL": 0.4, ...} each, side by side: {"MEL": {"recall": 0.4, ...}, ...}. Null
/// without any.
Json by_class(const std::vector<std::pair<std::string, Json>>& columns);

/// {"mean": ...} and so on of several objects: {"teacher": {key: ...}, ...}. Null without any.
Json rows_of(const Json& objects, const std::vector<std::string>& keys);

}  // namespace dermis::detail
