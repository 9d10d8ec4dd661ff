#include "card_fields.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>

namespace dermis::detail {

namespace {

constexpr std::size_t longest_listing = 32;

bool contains_any(const std::string& key, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](const char* word) { return key.find(word) != std::string::npos; });
}

std::string lower(std::string key) {
  for (char& c : key) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return key;
}

/// Keys whose texts and lists name someone or something that a card must not name.
bool names_somebody(const std::string& key) {
  return contains_any(key, {"patient", "lesion", "image", "path", "file", "folder", "directory",
                            "nearest", "neighbour", "copies", "quarantine", "leak"});
}

/// Keys whose members are named by patients, lesions or images.
bool keyed_by_somebody(const std::string& key) {
  const auto whose = key.rfind("by_", 0) == 0 ? 3 : key.rfind("per_", 0) == 0 ? 4 : 0;
  return whose > 0 && names_somebody(key.substr(static_cast<std::size_t>(whose)));
}

bool is_path(const std::string& word) {
  if (word.find('\\') != std::string::npos) return true;
  if (word.find('/') == std::string::npos) return false;
  return std::any_of(word.begin(), word.end(),  // not a fraction such as 1/8
                     [](unsigned char c) { return std::isdigit(c) == 0 && c != '/' && c != '.'; });
}

std::string without_paths(const std::string& text) {
  std::string safe, word;
  const auto end_word = [&] {
    safe += is_path(word) ? "(path)" : word;
    word.clear();
  };
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c)) != 0 || c == ',' || c == ';' || c == '\'' ||
        c == '"' || c == '(' || c == ')') {
      end_word();
      safe += c;
    } else {
      word += c;
    }
  }
  end_word();
  return safe;
}

/// What a record of a list is about, such as "hair, MEL"; empty if it does not say.
std::string label(const Json& record) {
  std::string joined;
  for (const char* key : {"artefact", "name", "group", "figure", "first", "second", "class"})
    if (record.contains(key) && record.at(key).is_string())
      joined += (joined.empty() ? "" : ", ") + without_paths(record.at(key).get<std::string>());
  return joined;
}

Json disclosed_below(const Json& value, bool named);

/// Numbers stay a list; records become a table whose rows have their labels, or else numbers.
Json disclosed_list(const Json& list) {
  Json numbers = Json::array(), table = Json::object();
  for (const auto& element : list.elements()) {
    if (element.is_object()) {
      auto row = disclosed_below(element, true);
      const auto known = label(element);
      const auto key =
          known.empty() || table.contains(known) ? std::to_string(table.size() + 1) : known;
      if (!row.is_null()) table[key] = std::move(row);
    } else if (element.is_number() || element.is_bool()) {
      numbers.push_back(element);
    }
  }
  if (table.size() > 0) return table;
  return numbers.size() == list.size() ? numbers : Json();
}

/// `named`: texts and lists below here may name somebody.
Json disclosed_below(const Json& value, bool named) {
  if (value.is_string()) {
    if (named || value.get<std::string>().empty()) return {};
    return without_paths(value.get<std::string>());
  }
  if (value.is_number() && !value.is_integer() && !std::isfinite(value.get<double>())) return {};
  if (value.is_array()) {
    if (named || value.size() == 0 || value.size() > longest_listing) return {};
    return disclosed_list(value);
  }
  if (value.is_object()) {
    Json kept = Json::object();
    for (const auto& [key, below] : value.items()) {
      const auto known = lower(key);
      if (keyed_by_somebody(known)) continue;
      auto shown = disclosed_below(below, named || names_somebody(known));
      if (!shown.is_null()) kept[key] = std::move(shown);
    }
    // An interval is its mean: without it the ends say nothing.
    if (is_interval(value) && !kept.contains("mean")) return {};
    return kept.size() > 0 ? kept : Json();
  }
  return value;
}

}  // namespace

bool is_interval(const Json& value) {
  return value.is_object() && value.size() == 3 && value.contains("mean") && value.contains("lo") &&
         value.contains("hi");
}

Json disclosed(const Json& value) {
  return disclosed_below(value, false);
}

Json member(const Json& root, std::initializer_list<std::string> path) {
  const Json* at = &root;
  for (const auto& key : path) {
    if (!at->contains(key)) return {};
    at = &at->at(key);
  }
  return *at;
}

Json show(const Json& root, std::initializer_list<std::string> path) {
  // With its key, which tells what a text may name.
  const auto& key = *(path.end() - 1);
  return member(disclosed(Json::object({{key, member(root, path)}})), {key});
}

Json by_class(const std::vector<std::pair<std::string, Json>>& columns) {
  Json table = Json::object();
  for (const auto& [column, figures] : columns) {
    if (!figures.is_object()) continue;
    for (const auto& [name, figure] : figures.items()) {
      auto shown = disclosed(figure);
      if (!shown.is_null()) table[name][column] = std::move(shown);
    }
  }
  return table.size() > 0 ? table : Json();
}

Json rows_of(const Json& objects, const std::vector<std::string>& keys) {
  Json table = Json::object();
  if (!objects.is_object()) return {};
  for (const auto& [name, object] : objects.items()) {
    for (const auto& key : keys) {
      auto shown = show(object, {key});
      if (!shown.is_null()) table[name][key] = std::move(shown);
    }
  }
  return table.size() > 0 ? table : Json();
}

}  // namespace dermis::detail
