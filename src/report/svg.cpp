#include "svg.hpp"

#include <array>

#include "dermis/core/check.hpp"
#include "markup.hpp"

namespace dermis::detail {

std::string coordinate(double value) {
  return fixed(value, 1);
}

std::string colour(std::size_t index) {
  static constexpr std::array<std::string_view, palette_size> fallbacks{
      "#0072b2", "#d55e00", "#009e73", "#b5578f", "#c98500", "#3f9fd8", "#5b6470"};
  const std::size_t i = index % palette_size;
  return text("var(--c", i + 1, ",", fallbacks[i], ")");
}

std::string text_at(double x, double y, std::string_view content, std::string_view kind,
                    std::string_view anchor) {
  const char* fill = kind == "soft" ? "var(--soft,#59636e)" : "var(--ink,#1c2128)";
  const char* extra = kind == "strong" ? ";font-weight:600;font-size:15px" : "";
  return text("<text x=\"", coordinate(x), "\" y=\"", coordinate(y), "\" text-anchor=\"", anchor,
              "\" style=\"fill:", fill, extra, "\">", escape(content), "</text>\n");
}

std::string line_at(double x1, double y1, double x2, double y2, std::string_view style) {
  return text("<line x1=\"", coordinate(x1), "\" y1=\"", coordinate(y1), "\" x2=\"", coordinate(x2),
              "\" y2=\"", coordinate(y2), "\" style=\"", style, "\"/>\n");
}

std::string svg_element(double width, double height, std::string_view title,
                        std::string_view body) {
  return text(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\" viewBox=\"0 0 ",
      coordinate(width), " ", coordinate(height), "\" width=\"", coordinate(width), "\" height=\"",
      coordinate(height),
      "\" style=\"font:13px system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,"
      "sans-serif\">\n<title>",
      escape(title), "</title>\n", body, "</svg>\n");
}

}  // namespace dermis::detail
