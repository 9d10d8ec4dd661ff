#include "dermis/core/json.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "dermis/core/file.hpp"
#include "parse_reason.hpp"

namespace dermis {
namespace {

constexpr std::size_t max_depth = 256;  // bounds the recursion of dump and of destructors

/// An input iterator that tells the handler how far the parser has read, for the position in
/// errors.
class Cursor {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Cursor(const char* at, std::size_t* read) : at_(at), read_(read) {}
  reference operator*() const { return *at_; }
  Cursor& operator++() {
    ++at_;
    ++*read_;
    return *this;
  }
  Cursor operator++(int) {
    Cursor before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const Cursor& a, const Cursor& b) { return a.at_ == b.at_; }
  friend bool operator!=(const Cursor& a, const Cursor& b) { return a.at_ != b.at_; }

 private:
  const char* at_;
  std::size_t* read_;
};

/// Builds a Json from the parser's events. The parser keeps no recursion of its own, and neither do
/// we.
class Builder {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  Builder(std::string_view text, const std::string& source, const std::size_t& read)
      : text_(text), source_(source), read_(read) {}

  bool null() { return add(Json()); }
  bool boolean(bool value) { return add(Json(value)); }
  bool number_integer(number_integer_t value) { return add(Json(value)); }
  bool number_unsigned(number_unsigned_t value) {
    constexpr number_unsigned_t limit = std::numeric_limits<std::int64_t>::max();
    return add(value <= limit ? Json(value) : Json(static_cast<double>(value)));
  }
  bool number_float(number_float_t value, const string_t&) { return add(Json(value)); }
  bool string(string_t& value) { return add(Json(std::move(value))); }
  bool binary(binary_t&) { return false; }  // not reached: only binary formats have it

  bool start_object(std::size_t) { return open(true); }
  bool start_array(std::size_t) { return open(false); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(string_t& name) {
    Level& level = levels_.back();
    if (!level.keys.insert(name).second)
      fail(read_, "key '" + name + "' appears twice in an object");
    level.key = std::move(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception& error) {
    fail(position, detail::parse_reason(error));
  }

  Json take() { return std::move(result_); }

 private:
  struct Level {
    bool is_object;
    std::vector<Json> elements;
    std::vector<Json::Member> members;
    std::string key;
    std::unordered_set<std::string> keys;
  };

  [[noreturn]] void fail(std::size_t position, const std::string& reason) const {
    const std::string_view before =
        text_.substr(0, position == 0 ? 0 : std::min(position, text_.size() + 1) - 1);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t newline = before.rfind('\n');
    const std::size_t column =
        before.size() - (newline == std::string_view::npos ? 0 : newline + 1) + 1;
    throw std::runtime_error(
        dermis::text("[json] ", source_, ":", line, ":", column, ": ", reason));
  }

  bool open(bool is_object) {
    if (levels_.size() == max_depth) fail(read_, dermis::text("more than ", max_depth, " levels"));
    levels_.push_back(Level{is_object, {}, {}, {}, {}});
    return true;
  }

  bool close() {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    return add(level.is_object ? Json::object(std::move(level.members))
                               : Json::array(std::move(level.elements)));
  }

  bool add(Json value) {
    if (levels_.empty()) {
      result_ = std::move(value);
    } else if (Level& level = levels_.back(); level.is_object) {
      level.members.emplace_back(std::move(level.key), std::move(value));
    } else {
      level.elements.push_back(std::move(value));
    }
    return true;
  }

  std::string_view text_;
  const std::string& source_;
  const std::size_t& read_;
  std::vector<Level> levels_;
  Json result_;
};

/// What was found instead, for errors.
std::string found(const Json& json) {
  if (json.is_null()) return "null";
  if (json.is_array()) return "an array";
  if (json.is_object()) return "an object";
  std::string value = json.dump();
  if (value.size() > 60) value = value.substr(0, 60) + "...";
  return (json.is_string() ? "the string " : json.is_bool() ? "the bool " : "the number ") + value;
}

template <class Error>
[[noreturn]] void mismatch(const std::string& expected, const Json& json) {
  throw Error("[json] expected " + expected + ", got " + found(json));
}

}  // namespace

Json Json::object(std::vector<Member> members) {
  Json result;
  result.value_ = std::move(members);
  return result;
}

Json Json::array(std::vector<Json> elements) {
  Json result;
  result.value_ = std::move(elements);
  return result;
}

Json Json::parse(std::string_view text, const std::string& source) {
  std::size_t read = 0;
  Builder builder(text, source, read);
  check_runtime(text.find('\0') == std::string_view::npos, "[json] ", source,
                ": expected UTF-8 text, got NUL bytes");  // the parser would stop at the first
  nlohmann::json::sax_parse(Cursor(text.data(), &read), Cursor(text.data() + text.size(), &read),
                            &builder);
  return builder.take();
}

Json Json::read(const std::filesystem::path& path) {
  return parse(read_file(path), path.string());
}

const Json* Json::find(const std::string& key) const {
  if (const auto* members = std::get_if<std::vector<Member>>(&value_)) {
    for (const Member& member : *members) {
      if (member.first == key) return &member.second;
    }
  }
  return nullptr;
}

Json& Json::operator[](const std::string& key) {
  if (is_null()) value_ = std::vector<Member>();
  if (!is_object()) mismatch<std::invalid_argument>("an object to set key '" + key + "' in", *this);
  if (const Json* member = find(key)) return const_cast<Json&>(*member);
  auto& members = std::get<std::vector<Member>>(value_);
  members.emplace_back(key, Json());
  return members.back().second;
}

const Json& Json::at(const std::string& key) const {
  if (!is_object()) mismatch<std::runtime_error>("an object with key '" + key + "'", *this);
  const Json* member = find(key);
  check_runtime(member != nullptr, "[json] expected key '", key, "', which is missing");
  return *member;
}

bool Json::contains(const std::string& key) const {
  return find(key) != nullptr;
}

std::size_t Json::size() const {
  if (is_array()) return elements().size();
  return is_object() ? items().size() : 0;
}

void Json::push_back(Json element) {
  if (is_null()) value_ = std::vector<Json>();
  if (!is_array()) mismatch<std::invalid_argument>("an array to append to", *this);
  std::get<std::vector<Json>>(value_).push_back(std::move(element));
}

const std::vector<Json>& Json::elements() const {
  if (!is_array()) mismatch<std::runtime_error>("an array", *this);
  return std::get<std::vector<Json>>(value_);
}

const std::vector<Json::Member>& Json::items() const {
  if (!is_object()) mismatch<std::runtime_error>("an object", *this);
  return std::get<std::vector<Member>>(value_);
}

bool Json::as_bool() const {
  if (!is_bool()) mismatch<std::runtime_error>("a bool", *this);
  return std::get<bool>(value_);
}

std::int64_t Json::as_integer() const {
  if (is_integer()) return std::get<std::int64_t>(value_);
  if (is_number()) {  // 100.0 and 1e3 are integers too: that is how some writers put them
    const double value = std::get<double>(value_);
    if (value == std::floor(value) && std::abs(value) <= 9007199254740992.0)
      return static_cast<std::int64_t>(value);
  }
  mismatch<std::runtime_error>("an integer", *this);
}

double Json::as_double() const {
  if (!is_number()) mismatch<std::runtime_error>("a number", *this);
  return is_integer() ? static_cast<double>(std::get<std::int64_t>(value_))
                      : std::get<double>(value_);
}

const std::string& Json::as_string() const {
  if (!is_string()) mismatch<std::runtime_error>("a string", *this);
  return std::get<std::string>(value_);
}

bool Json::operator==(const Json& other) const {
  if (is_number() && other.is_number()) {
    return is_integer() && other.is_integer() ? as_integer() == other.as_integer()
                                              : as_double() == other.as_double();
  }
  if (value_.index() != other.value_.index()) return false;
  if (is_array()) return elements() == other.elements();
  if (is_object()) {
    if (size() != other.size()) return false;
    return std::all_of(items().begin(), items().end(), [&](const Member& member) {
      const Json* same = other.find(member.first);
      return same != nullptr && *same == member.second;
    });
  }
  if (is_string()) return as_string() == other.as_string();
  return is_null() || as_bool() == other.as_bool();
}

}  // namespace dermis
