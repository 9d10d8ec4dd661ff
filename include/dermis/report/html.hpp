#pragma once
/// \file
/// A report as one HTML file that needs nothing else: pictures are embedded PNG, charts inline SVG,
/// no scripts, no fonts or styles from outside. Light and dark by the reader's setting; prints on
/// paper.

#include <Eigen/Core>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "dermis/io/image.hpp"
#include "dermis/report/chart.hpp"

namespace dermis {

/// A row of a gallery: a label and a picture a column.
struct GalleryRow {
  std::string label;
  std::vector<Image> images;
};

/// Collects blocks in order, then writes the page. All text is escaped; the same calls give the
/// same bytes. Tables, figures and headings may be added in any order; headings of level 2 make up
/// the contents.
///
///     HtmlReport report("DerMAE on the phantom");
///     report.heading("Curves").chart(LineChart{.title = "Loss", .series = {loss}});
///     report.write(out / "report.html");
class HtmlReport {
 public:
  /// `subtitle` is a line below the title, such as the data and the preset; empty: none.
  explicit HtmlReport(std::string title, std::string subtitle = "");

  /// `level` from 2 to 4, else std::invalid_argument.
  HtmlReport& heading(const std::string& text, int level = 2);
  HtmlReport& paragraph(const std::string& text);
  /// A framed remark, such as "research only".
  HtmlReport& notice(const std::string& text);
  /// Text in a fixed-width font, such as a command line or options.
  HtmlReport& code(const std::string& text);
  /// Tiles of (label, value) for the few figures to read first.
  HtmlReport& key_figures(const std::vector<std::pair<std::string, std::string>>& figures);
  /// A table; columns whose cells are all figures are aligned right. A row of another length than
  /// `columns` is std::invalid_argument.
  HtmlReport& table(const std::vector<std::string>& columns,
                    const std::vector<std::vector<std::string>>& rows,
                    const std::string& caption = "");
  /// `scale` enlarges the picture on the page with hard pixel edges; the embedded file keeps its
  /// size.
  HtmlReport& picture(const Image& image, const std::string& caption, double scale = 1);
  /// Pictures in rows and columns under common headings: real beside synthetic by class; masked,
  /// reconstructed, original. Each row has a picture a column, else std::invalid_argument.
  HtmlReport& gallery(const std::vector<std::string>& columns, const std::vector<GalleryRow>& rows,
                      const std::string& caption, double scale = 1);
  HtmlReport& chart(const LineChart& chart, const std::string& caption = "");
  HtmlReport& chart(const BarChart& chart, const std::string& caption = "");
  /// Heat map of counts [true, predicted] with the percentage of each row. `class_names` [C] must
  /// fit the matrix [C, C].
  HtmlReport& confusion(const Eigen::MatrixXi& matrix, const std::vector<std::string>& class_names,
                        const std::string& caption);

  /// The whole page.
  std::string html() const;
  /// Writes the page atomically; std::runtime_error names the path if it cannot.
  void write(const std::filesystem::path& path) const;

 private:
  HtmlReport& figure(const std::string& body, const std::string& caption);

  std::string title_;
  std::string subtitle_;
  std::string body_;
  std::vector<std::string> contents_;  // headings of level 2
  int figures_ = 0;
  int tables_ = 0;
};

}  // namespace dermis
