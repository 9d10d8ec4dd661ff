#include "dermis/report/deploy_report.hpp"

#include "../metrics/format.hpp"
#include "dermis/report/html.hpp"

namespace dermis {

using detail::format;
using detail::percent;
using detail::points;

void write_deploy_page(const std::filesystem::path& path,
                       const std::vector<edge::Variant>& variants,
                       const std::vector<std::string>& classes, const std::string& source) {
  HtmlReport page("Files for a phone", source);
  page.notice("Research software, not a medical device.");
  std::vector<std::vector<std::string>> rows, recalls;
  for (const auto& v : variants) {
    rows.push_back(
        {edge::name(v.precision), format("%.1f", static_cast<double>(v.file_bytes) / 1e6),
         format("%.1f", static_cast<double>(v.memory_bytes) / 1e6), format("%.2f", v.milliseconds),
         percent(v.agreement), percent(v.balanced_accuracy), points(v.difference),
         format("%.3f", v.calibration_error), format("%.2f", v.mean_exit + 1)});
    auto& row = recalls.emplace_back(std::vector<std::string>{edge::name(v.precision)});
    for (std::size_t c = 0; c < classes.size(); ++c)
      row.push_back(percent(v.recall[c]) + ", " + points(v.recall_difference[c]));
  }
  page.table({"precision", "file, MB", "memory, MB", "ms an image", "same class as the first",
              "balanced accuracy", "difference, points", "calibration error", "blocks or exit"},
             rows, "Differences to the first file, in pairs by lesion, 95 % intervals.");
  std::vector<std::string> columns = {"precision"};
  columns.insert(columns.end(), classes.begin(), classes.end());
  page.table(columns, recalls, "Recall by class, and its difference to the first file in points.");
  page.write(path);
}

}  // namespace dermis
