#pragma once
/// \file
/// Other names for classes: several into one (every kind of nevus into NV), or none (left out).

#include <filesystem>
#include <map>
#include <string>

namespace dermis {

/// From the name in the data to the class it becomes; an empty one leaves the class out.
using ClassMap = std::map<std::string, std::string>;

/// Reads a CSV with the columns `from,to`, one row a name; an empty `to` leaves that class out.
/// Throws std::runtime_error that names file and line for other columns, no rows, an empty or
/// doubled `from`.
ClassMap read_class_map(const std::filesystem::path& csv);

}  // namespace dermis
