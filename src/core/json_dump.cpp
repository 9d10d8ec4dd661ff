#include <algorithm>
#include <charconv>
#include <cmath>

#include "dermis/core/json.hpp"

namespace dermis {
namespace {

/// Length of the valid UTF-8 sequence at the start of `bytes`, 0 if there is none (RFC 3629: no
/// overlong forms, no surrogates, at most U+10FFFF).
std::size_t utf8_length(std::string_view bytes) {
  const auto byte = [&](std::size_t i) {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  std::size_t length = 0;
  unsigned low = 0x80, high = 0xBF;  // range of the second byte
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  }
  return length;
}

void dump_string(std::string_view value, std::string& out) {
  constexpr const char* digits = "0123456789abcdef";
  out += '"';
  while (!value.empty()) {
    const char c = value.front();
    const std::size_t length = utf8_length(value);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (length > 1) {
      out += value.substr(0, length);
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += digits[c >> 4];
      out += digits[c & 15];
    } else {
      out += c;
    }
    value.remove_prefix(std::max<std::size_t>(length, 1));
  }
  out += '"';
}

void dump_double(double value, std::string& out) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value)
                       .ptr;  // shortest text that reads back equal
  const std::string_view written(buffer, static_cast<std::size_t>(end - buffer));
  out += written;
  if (written.find_first_of(".e") == std::string_view::npos) out += ".0";  // reads back as a double
}

void new_line(int indent, int depth, std::string& out) {
  if (indent < 0) return;
  out += '\n';
  out.append(static_cast<std::size_t>(indent) * static_cast<std::size_t>(depth), ' ');
}

void dump_value(const Json& json, int indent, int depth, std::string& out) {
  if (json.is_null()) {
    out += "null";
  } else if (json.is_bool()) {
    out += json.get<bool>() ? "true" : "false";
  } else if (json.is_integer()) {
    out += std::to_string(json.get<std::int64_t>());
  } else if (json.is_number()) {
    dump_double(json.get<double>(), out);
  } else if (json.is_string()) {
    dump_string(json.get<std::string>(), out);
  } else if (json.is_array()) {
    out += '[';
    bool first = true;
    for (const Json& element : json.elements()) {
      if (!first) out += ',';
      first = false;
      new_line(indent, depth + 1, out);
      dump_value(element, indent, depth + 1, out);
    }
    if (!first) new_line(indent, depth, out);
    out += ']';
  } else {
    out += '{';
    bool first = true;
    for (const auto& [key, value] : json.items()) {
      if (!first) out += ',';
      first = false;
      new_line(indent, depth + 1, out);
      dump_string(key, out);
      out += indent < 0 ? ":" : ": ";
      dump_value(value, indent, depth + 1, out);
    }
    if (!first) new_line(indent, depth, out);
    out += '}';
  }
}

}  // namespace

std::string Json::dump(int indent) const {
  std::string out;
  dump_value(*this, indent, 0, out);
  return out;
}

}  // namespace dermis
