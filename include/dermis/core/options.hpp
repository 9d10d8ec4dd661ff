#pragma once
/// \file
/// Options to and from JSON. An options struct lists its fields once, in `visit_fields(options,
/// visit)`; this header turns the list into a JSON object, reads one back with every unknown key
/// refused, and so makes model files and `--config` files self-describing.

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dermis/core/json.hpp"

namespace dermis {

namespace detail {
struct AnyVisitor {
  template <class T>
  void operator()(const char*, T&&) const {}
};
template <class T, class = void>
struct HasFields : std::false_type {};
template <class T>
struct HasFields<
    T, std::void_t<decltype(visit_fields(std::declval<T&>(), std::declval<AnyVisitor>()))>>
    : std::true_type {};
/// A vector of options.
template <class T>
struct ListsOptions : std::false_type {};
template <class T>
struct ListsOptions<std::vector<T>> : HasFields<T> {};
}  // namespace detail

/// The fields of `options` as an object, nested options as nested objects, vectors of options as
/// arrays of them. Enumerations convert by `std::string name(Enum)`.
template <class Options>
Json options_to_json(const Options& options) {
  Json object = Json::object();
  visit_fields(options, [&](const char* key, const auto& field) {
    using Field = std::remove_cv_t<std::remove_reference_t<decltype(field)>>;
    if constexpr (detail::HasFields<const Field>::value) {
      object[key] = options_to_json(field);
    } else if constexpr (detail::ListsOptions<Field>::value) {
      object[key] = Json::array();
      for (const auto& element : field) object[key].push_back(options_to_json(element));
    } else if constexpr (std::is_enum_v<Field>) {
      object[key] = std::string(name(field));
    } else {
      object[key] = Json(field);
    }
  });
  return object;
}

/// Overwrites the fields that `object` names, an array of options as a whole. A key that is no
/// field, or a value of another type, is one std::runtime_error that names `source` and the key.
/// Enumerations are read by `void from_name(Enum&, const std::string&)`.
template <class Options>
void options_from_json(Options& options, const Json& object, const std::string& source) {
  check_runtime(object.is_object(), "[options] ", source, ": expected an object, got ",
                object.dump());
  for (const auto& [key, value] : object.items()) {
    bool known = false;
    std::string names;
    visit_fields(options, [&, &key = key, &value = value](const char* field_key, auto& field) {
      using Field = std::remove_reference_t<decltype(field)>;
      names += (names.empty() ? "" : ", ") + std::string(field_key);
      if (key != field_key) return;
      known = true;
      if constexpr (detail::HasFields<Field>::value) {
        options_from_json(field, value, source + ": " + key);
      } else if constexpr (detail::ListsOptions<Field>::value) {
        check_runtime(value.is_array(), "[options] ", source, ": key '", key,
                      "': expected an array, got ", value.dump());
        field.clear();
        for (const auto& element : value.elements()) {
          const auto place = text(source, ": ", key, "[", field.size(), "]");
          options_from_json(field.emplace_back(), element, place);
        }
      } else {
        try {
          if constexpr (std::is_same_v<Field, Json>) {
            field = value;
          } else if constexpr (std::is_enum_v<Field>) {
            from_name(field, value.template get<std::string>());
          } else {
            field = value.template get<Field>();
          }
        } catch (const std::exception& error) {
          throw std::runtime_error(text("[options] ", source, ": key '", key, "': ", error.what()));
        }
      }
    });
    check_runtime(known, "[options] ", source, ": unknown key '", key, "'; expected one of ",
                  names);
  }
}

}  // namespace dermis
