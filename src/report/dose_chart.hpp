#pragma once
/// \file
/// A dose curve as people see it.

#include "../metrics/format.hpp"
#include "dermis/audit/dose_curve.hpp"
#include "dermis/report/chart.hpp"

namespace dermis::detail {

/// A line for each share of the real images.
inline LineChart dose_chart(const std::string& title, const std::vector<DoseEffect>& effects) {
  LineChart chart{.title = title,
                  .x_label = "synthetic images over real ones",
                  .y_label = "balanced accuracy",
                  .series = {}};
  for (const auto& effect : effects) {
    const auto name = percent(effect.real_share) + " of the real images";
    if (chart.series.empty() || chart.series.back().name != name)
      chart.series.push_back({.name = name, .xs = {}, .ys = {}});
    chart.series.back().xs.push_back(effect.dose);
    chart.series.back().ys.push_back(effect.balanced_accuracy.mean);
  }
  return chart;
}

}  // namespace dermis::detail
