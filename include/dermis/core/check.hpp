#pragma once
/// \file
/// Errors. A caller's mistake is std::invalid_argument; a file or the environment is
/// std::runtime_error. Every message starts with a [tag], then says what was expected and what was
/// found.

#include <sstream>
#include <stdexcept>
#include <string>

namespace dermis {

/// Ctrl-C (or any stop request) after the work in hand was saved; programs turn it into exit code
/// 130.
class Interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Joins anything streamable into one string: text("size ", 3, " x ", 4).
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// Throws std::invalid_argument made of `parts` unless `ok`: check_argument(d > 0, "[vit] expected
/// depth above 0, got ", d).
template <class... Parts>
void check_argument(bool ok, const Parts&... parts) {
  if (!ok) throw std::invalid_argument(text(parts...));
}

/// Throws std::runtime_error made of `parts` unless `ok`: for files, formats and the environment.
template <class... Parts>
void check_runtime(bool ok, const Parts&... parts) {
  if (!ok) throw std::runtime_error(text(parts...));
}

}  // namespace dermis
