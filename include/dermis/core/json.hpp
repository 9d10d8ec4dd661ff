#pragma once
/// \file
/// A small ordered JSON value: configs, manifests, metrics. Objects keep the order of insertion, so
/// that what a person wrote and what a program dumps read alike.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "dermis/core/check.hpp"

namespace dermis {

namespace detail {
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
}  // namespace detail

/// null, bool, int64, double, string, array or object.
///
///     Json config = Json::object({{"preset", "demo"}, {"steps", 100}});
///     config["rates"] = std::vector<double>{0.1, 0.2};
///     const auto steps = config.at("steps").get<std::int64_t>();
///     const auto seed = config.value("seed", 0);
class Json {
 public:
  using Member = std::pair<std::string, Json>;

  Json() = default;  ///< null
  Json(std::nullptr_t) {}
  /// bool, every integer type (beyond int64: std::invalid_argument) and floating point.
  template <class T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
  Json(T value) {
    if constexpr (std::is_same_v<T, bool>) {
      value_ = value;
    } else if constexpr (std::is_integral_v<T>) {
      value_ = static_cast<std::int64_t>(value);
      if constexpr (std::is_unsigned_v<T>) {
        check_argument(std::get<std::int64_t>(value_) >= 0,
                       "[json] expected an integer below 2^63, got ", value);
      }
    } else {
      value_ = static_cast<double>(value);
    }
  }
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(std::vector<Json> elements) : value_(std::move(elements)) {}
  /// An array of anything a Json can be made of.
  template <class T>
  Json(const std::vector<T>& elements)
      : value_(std::vector<Json>(elements.begin(), elements.end())) {}

  static Json object(std::vector<Member> members = {});
  static Json array(std::vector<Json> elements = {});

  /// Parses one JSON text. Strict: no comments, no trailing commas, no duplicate keys, at most 256
  /// levels, UTF-8. Throws std::runtime_error naming `source`, line and column. An integer beyond
  /// int64 becomes a double.
  static Json parse(std::string_view text, const std::string& source);
  /// Reads and parses a file; throws std::runtime_error naming it.
  static Json read(const std::filesystem::path& path);

  /// One line with indent -1; otherwise `indent` spaces a level. Doubles are written so that they
  /// read back bit-equal and as doubles; NaN and infinities become null; bytes that are not UTF-8
  /// become U+FFFD.
  std::string dump(int indent = -1) const;

  /// Member `key`, appended as null if new. Turns null into an object; another type is
  /// std::invalid_argument.
  Json& operator[](const std::string& key);
  /// Member `key`; std::runtime_error naming the key if it is missing or this is not an object.
  const Json& at(const std::string& key) const;
  /// Whether this is an object with member `key`.
  bool contains(const std::string& key) const;
  /// Number of elements or members; 0 for everything else.
  std::size_t size() const;
  /// Appends. Turns null into an array; another type is std::invalid_argument.
  void push_back(Json element);
  /// Elements of an array; std::runtime_error if this is none.
  const std::vector<Json>& elements() const;
  /// Members of an object in order; std::runtime_error if this is none.
  const std::vector<Member>& items() const;

  /// The value as bool, an integer type, float or double (from either kind of number), std::string,
  /// or a std::vector of these. Another type, a fraction read as integer or an integer out of T's
  /// range is std::runtime_error.
  template <class T>
  T get() const {
    if constexpr (detail::IsVector<T>::value) {
      T result;
      for (const Json& element : elements())
        result.push_back(element.get<typename T::value_type>());
      return result;
    } else if constexpr (std::is_same_v<T, bool>) {
      return as_bool();
    } else if constexpr (std::is_integral_v<T>) {
      const std::int64_t value = as_integer();
      const T narrow = static_cast<T>(value);
      check_runtime(static_cast<std::int64_t>(narrow) == value && (narrow < T{}) == (value < 0),
                    "[json] expected an integer of ", 8 * sizeof(T), " bits, got ", value);
      return narrow;
    } else if constexpr (std::is_floating_point_v<T>) {
      return static_cast<T>(as_double());
    } else {
      static_assert(std::is_same_v<T, std::string>,
                    "Json::get: bool, integers, floats, std::string, vectors of these");
      return as_string();
    }
  }

  /// Member `key` as T; `fallback` if the member is missing or null. A wrong type is
  /// std::runtime_error naming the key.
  template <class T>
  T value(const std::string& key, T fallback) const {
    const Json* member = find(key);
    if (member == nullptr || member->is_null()) return fallback;
    try {
      return member->get<T>();
    } catch (const std::runtime_error& error) {
      throw std::runtime_error(text(error.what(), " for key '", key, "'"));
    }
  }
  std::string value(const std::string& key, const char* fallback) const {
    return value<std::string>(key, std::string(fallback));
  }

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_integer() const { return std::holds_alternative<std::int64_t>(value_); }
  bool is_number() const { return is_integer() || std::holds_alternative<double>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<std::vector<Json>>(value_); }
  bool is_object() const { return std::holds_alternative<std::vector<Member>>(value_); }

  /// Same JSON value: 1 equals 1.0, the order of members does not matter.
  bool operator==(const Json& other) const;
  bool operator!=(const Json& other) const { return !(*this == other); }

 private:
  const Json* find(const std::string& key) const;
  bool as_bool() const;
  std::int64_t as_integer() const;
  double as_double() const;
  const std::string& as_string() const;

  std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<Json>,
               std::vector<Member>>
      value_;
};

}  // namespace dermis
