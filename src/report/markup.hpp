#pragma once
/// \file
/// Text for HTML and SVG: escaping, base64, and numbers that no locale can change.

#include <string>
#include <string_view>

namespace dermis::detail {

/// `text` safe as element content and inside quoted attributes. Control characters, which no HTML
/// may hold, become U+FFFD.
std::string escape(std::string_view text);

std::string base64(std::string_view bytes);

/// `value` with `decimals` digits after the point.
std::string fixed(double value, int decimals);

/// `value` with three significant digits, without an exponent where it can be read: 0.0123, 1.50,
/// 1234, 1.2e-07.
std::string significant(double value);

/// Characters (code points) of UTF-8 text, for estimates of width.
int characters(std::string_view text);

/// At most `limit` characters of `text`, the last an ellipsis if it was cut.
std::string shortened(std::string_view text, int limit);

}  // namespace dermis::detail
