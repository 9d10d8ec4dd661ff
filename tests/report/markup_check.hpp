#pragma once
/// \file
/// A small reader of the markup that the report writes, to check its structure and to take text and
/// attributes out of it.

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace dermis::fixtures {

/// Throws std::runtime_error unless every element is closed in order and no stray '<' or '>' stands
/// between. Returns the names of the elements in order of opening.
inline std::vector<std::string> elements(const std::string& markup) {
  const std::vector<std::string> empty{"meta", "img", "!DOCTYPE"};
  std::vector<std::string> open, seen;
  std::size_t at = 0;
  const auto fail = [&](const std::string& what) {
    throw std::runtime_error(what + " near: " + markup.substr(at, 60));
  };
  while (true) {
    const std::size_t tag = markup.find('<', at);
    const std::size_t stray = markup.find('>', at);
    if (tag == std::string::npos && stray == std::string::npos) break;
    if (stray < tag && (open.empty() || open.back() != "style")) fail("stray '>'");
    if (tag == std::string::npos) fail("unclosed text");
    std::size_t end = tag + 1;
    for (bool quoted = false; end < markup.size() && (quoted || markup[end] != '>'); ++end) {
      if (markup[end] == '"') quoted = !quoted;
      if (!quoted && markup[end] == '<') fail("'<' in a tag");
    }
    const bool closing = markup[tag + 1] == '/';
    const std::size_t from = tag + (closing ? 2 : 1);
    const std::string name = markup.substr(from, markup.find_first_of(" >/", from) - from);
    at = tag;
    if (closing) {
      if (open.empty() || open.back() != name) fail("closing an element that is not open");
      open.pop_back();
    } else {
      seen.push_back(name);
      bool void_element = markup[end - 1] == '/';
      for (const std::string& other : empty) void_element = void_element || name == other;
      if (!void_element) open.push_back(name);
    }
    at = end + 1;
  }
  if (!open.empty()) fail("unclosed element " + open.back());
  return seen;
}

inline int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

/// The values of attribute `name` of all `element`s, as numbers.
inline std::vector<double> numbers(const std::string& markup, const std::string& element,
                                   const std::string& name) {
  std::vector<double> values;
  const std::string start = "<" + element + " ", key = " " + name + "=\"";
  for (std::size_t at = markup.find(start); at != std::string::npos;
       at = markup.find(start, at + 1)) {
    const std::size_t value = markup.find(key, at);
    if (value < markup.find('>', at)) {
      values.push_back(std::strtod(markup.c_str() + value + key.size(), nullptr));
    }
  }
  return values;
}

inline std::vector<std::uint8_t> from_base64(const std::string& text) {
  std::vector<std::uint8_t> bytes;
  unsigned word = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    word = word << 6 | static_cast<unsigned>(digits.find(c));
    bits += 6;
    if (bits >= 8) bytes.push_back(static_cast<std::uint8_t>(word >> (bits -= 8)));
  }
  return bytes;
}

}  // namespace dermis::fixtures
