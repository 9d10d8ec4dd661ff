#pragma once
/// \file
/// Pieces of SVG that the charts share. Coordinates are in CSS pixels of a drawing `width` wide.

#include <string>
#include <string_view>

namespace dermis::detail {

/// Width of a character of the charts' 13-pixel font, on average and on the generous side.
inline constexpr double character_width = 7;

/// A coordinate with one decimal.
std::string coordinate(double value);

/// Colour `index` of the palette as a CSS value. The palette is that of Okabe and Ito without its
/// yellow, which is too faint on white; it repeats after `palette_size`.
std::string colour(std::size_t index);
inline constexpr std::size_t palette_size = 7;

/// Classes of text: "ink" (full), "soft" (labels of ticks), "strong" (titles). `anchor` is start,
/// middle or end.
std::string text_at(double x, double y, std::string_view text, std::string_view kind,
                    std::string_view anchor = "start");

std::string line_at(double x1, double y1, double x2, double y2, std::string_view style);

/// An svg element around `body`; `title` is what a screen reader says.
std::string svg_element(double width, double height, std::string_view title, std::string_view body);

/// CSS values with fallbacks, for a drawing outside the page.
inline constexpr std::string_view ink = "var(--ink,#1c2128)";
inline constexpr std::string_view grid_line = "stroke:var(--line,#d9dee5);stroke-width:1";
inline constexpr std::string_view axis_line = "stroke:var(--soft,#59636e);stroke-width:1";

}  // namespace dermis::detail
