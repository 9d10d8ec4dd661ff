#include "dermis/report/html.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"
#include "markup.hpp"
#include "style.hpp"

namespace dermis {
namespace {

using detail::escape;

/// True for cells such as "0.62", "-3 %", "61.2 % [58.9, 63.4]", "–", "- / -" and "".
bool is_figure(const std::string& cell) {
  if (cell.find_first_not_of("-/ ") == std::string::npos || cell == "–" || cell == "—") return true;
  std::size_t start = cell[0] == '+' || cell[0] == '-' ? 1 : 0;
  if (cell.rfind("−", 0) == 0) start = std::string("−").size();
  return start < cell.size() && cell[start] >= '0' && cell[start] <= '9';
}

std::string numbered(const char* kind, int number, const std::string& caption) {
  return text("<b>", kind, " ", number, ".</b> ", escape(caption));
}

std::string image_element(const Image& image, const std::string& alt, double scale) {
  check_argument(std::isfinite(scale) && scale > 0, "[report] expected a scale above 0, got ",
                 scale);
  const auto enlarged = [&](std::int64_t size) {
    const auto pixels = std::llround(static_cast<double>(size) * scale);
    return std::to_string(std::max<long long>(1, pixels));
  };
  return text("<img", scale > 1 ? " class=\"hard\"" : "", " width=\"", enlarged(image.width),
              "\" height=\"", enlarged(image.height), "\" alt=\"", escape(alt),
              "\" src=\"data:image/png;base64,", detail::base64(encode_png(image)), "\">");
}

}  // namespace

HtmlReport::HtmlReport(std::string title, std::string subtitle)
    : title_(std::move(title)), subtitle_(std::move(subtitle)) {}

HtmlReport& HtmlReport::heading(const std::string& text_of, int level) {
  check_argument(level >= 2 && level <= 4, "[report] expected a heading level in 2 .. 4, got ",
                 level);
  std::string anchor;
  if (level == 2) {
    contents_.push_back(text_of);
    anchor = text(" id=\"section-", contents_.size(), "\"");
  }
  body_ += text("<h", level, anchor, ">", escape(text_of), "</h", level, ">\n");
  return *this;
}

HtmlReport& HtmlReport::paragraph(const std::string& text_of) {
  body_ += text("<p>", escape(text_of), "</p>\n");
  return *this;
}

HtmlReport& HtmlReport::notice(const std::string& text_of) {
  body_ += text("<p class=\"notice\">", escape(text_of), "</p>\n");
  return *this;
}

HtmlReport& HtmlReport::code(const std::string& text_of) {
  body_ += text("<pre>", escape(text_of), "</pre>\n");
  return *this;
}

HtmlReport& HtmlReport::key_figures(
    const std::vector<std::pair<std::string, std::string>>& figures) {
  body_ += "<dl class=\"tiles\">\n";
  for (const auto& [label, value] : figures) {
    body_ += text("<div><dt>", escape(label), "</dt><dd>", escape(value), "</dd></div>\n");
  }
  body_ += "</dl>\n";
  return *this;
}

HtmlReport& HtmlReport::table(const std::vector<std::string>& columns,
                              const std::vector<std::vector<std::string>>& rows,
                              const std::string& caption) {
  std::vector<bool> figures(columns.size(), !rows.empty());
  if (!figures.empty()) figures[0] = false;  // names the row
  for (std::size_t i = 0; i < rows.size(); ++i) {
    check_argument(rows[i].size() == columns.size(), "[report] expected ", columns.size(),
                   " cells in row ", i, ", got ", rows[i].size());
    for (std::size_t c = 0; c < columns.size(); ++c) {
      figures[c] = figures[c] && is_figure(rows[i][c]);
    }
  }
  const auto kind = [&](std::size_t c) { return figures[c] ? " class=\"figure\"" : ""; };
  body_ += "<div class=\"wide\"><table class=\"data\">\n";
  if (!caption.empty()) {
    body_ += text("<caption>", numbered("Table", ++tables_, caption), "</caption>\n");
  }
  body_ += "<thead><tr>";
  for (std::size_t c = 0; c < columns.size(); ++c) {
    body_ += text("<th scope=\"col\"", kind(c), ">", escape(columns[c]), "</th>");
  }
  body_ += "</tr></thead>\n<tbody>\n";
  for (const std::vector<std::string>& row : rows) {
    body_ += "<tr>";
    for (std::size_t c = 0; c < row.size(); ++c) {
      body_ += c == 0 ? text("<th scope=\"row\">", escape(row[c]), "</th>")
                      : text("<td", kind(c), ">", escape(row[c]), "</td>");
    }
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table></div>\n";
  return *this;
}

HtmlReport& HtmlReport::figure(const std::string& body, const std::string& caption) {
  body_ += text("<figure>\n", body);
  if (!caption.empty()) {
    body_ += text("<figcaption>", numbered("Figure", ++figures_, caption), "</figcaption>\n");
  }
  body_ += "</figure>\n";
  return *this;
}

HtmlReport& HtmlReport::picture(const Image& image, const std::string& caption, double scale) {
  return figure(image_element(image, caption, scale) + "\n", caption);
}

HtmlReport& HtmlReport::gallery(const std::vector<std::string>& columns,
                                const std::vector<GalleryRow>& rows, const std::string& caption,
                                double scale) {
  const bool labelled = std::any_of(rows.begin(), rows.end(),
                                    [](const GalleryRow& row) { return !row.label.empty(); });
  std::string body = text("<div class=\"wide\"><table class=\"gallery\">\n<thead><tr>",
                          labelled ? "<td></td>" : "");
  for (const std::string& column : columns) {
    body += text("<th scope=\"col\">", escape(column), "</th>");
  }
  body += "</tr></thead>\n<tbody>\n";
  for (const GalleryRow& row : rows) {
    check_argument(row.images.size() == columns.size(), "[report] expected ", columns.size(),
                   " pictures in row '", row.label, "', got ", row.images.size());
    body += "<tr>";
    if (labelled) body += text("<th scope=\"row\">", escape(row.label), "</th>");
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const std::string alt = row.label.empty() ? columns[c] : row.label + ": " + columns[c];
      body += text("<td>", image_element(row.images[c], alt, scale), "</td>");
    }
    body += "</tr>\n";
  }
  return figure(body + "</tbody></table></div>\n", caption);
}

HtmlReport& HtmlReport::chart(const LineChart& chart, const std::string& caption) {
  return figure("<div class=\"wide\">" + to_svg(chart) + "</div>\n", caption);
}

HtmlReport& HtmlReport::chart(const BarChart& chart, const std::string& caption) {
  return figure("<div class=\"wide\">" + to_svg(chart) + "</div>\n", caption);
}

HtmlReport& HtmlReport::confusion(const Eigen::MatrixXi& matrix,
                                  const std::vector<std::string>& class_names,
                                  const std::string& caption) {
  const auto classes = static_cast<Eigen::Index>(class_names.size());
  check_argument(matrix.rows() == classes && matrix.cols() == classes,
                 "[report] expected a confusion matrix of ", classes, " x ", classes, ", got ",
                 matrix.rows(), " x ", matrix.cols());
  std::string body = text("<div class=\"wide\"><table class=\"confusion\">\n<thead><tr><td></td>",
                          "<th class=\"axis\" colspan=\"", classes,
                          "\">predicted</th><td></td></tr>\n<tr><th class=\"axis\">true</th>");
  for (const std::string& name : class_names) {
    body += text("<th scope=\"col\">", escape(name), "</th>");
  }
  body += "<th class=\"axis\">images</th></tr></thead>\n<tbody>\n";
  for (Eigen::Index i = 0; i < classes; ++i) {
    const int total = matrix.row(i).sum();
    body +=
        text("<tr><th scope=\"row\">", escape(class_names[static_cast<std::size_t>(i)]), "</th>");
    for (Eigen::Index j = 0; j < classes; ++j) {
      const double share = total > 0 ? static_cast<double>(matrix(i, j)) / total : 0;
      body += text("<td class=\"cell", i == j ? " right" : "", share > 0.5 ? " hot" : "",
                   "\" style=\"background:rgba(var(--heat),", detail::fixed(share, 3), ")\">",
                   total > 0 ? detail::fixed(100 * share, 0) + " %" : "–", "<small>", matrix(i, j),
                   "</small></td>");
    }
    body += text("<td>", total, "</td></tr>\n");
  }
  return figure(body + "</tbody></table></div>\n", caption);
}

std::string HtmlReport::html() const {
  std::string page = text(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
      escape(title_), "</title>\n<style>", detail::style_sheet, "</style>\n</head>\n<body>\n",
      "<header>\n<h1>", escape(title_), "</h1>\n");
  if (!subtitle_.empty()) page += text("<p class=\"subtitle\">", escape(subtitle_), "</p>\n");
  if (contents_.size() > 2) {
    page += "<nav aria-label=\"Contents\"><ul>\n";
    for (std::size_t i = 0; i < contents_.size(); ++i) {
      page += text("<li><a href=\"#section-", i + 1, "\">", escape(contents_[i]), "</a></li>\n");
    }
    page += "</ul></nav>\n";
  }
  return page + "</header>\n<main>\n" + body_ + "</main>\n</body>\n</html>\n";
}

void HtmlReport::write(const std::filesystem::path& path) const {
  write_atomically(path, html());
}

}  // namespace dermis
