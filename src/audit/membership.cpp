#include "dermis/audit/membership.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "dermis/core/check.hpp"
#include "dermis/metrics/classification.hpp"

namespace dermis {
namespace {

constexpr std::size_t kLeastForOnePercent = 100;

void check_side(const ImageLosses& side, const char* name) {
  check_argument(side.losses.size() >= 2 && side.lesions.size() == side.losses.size(),
                 "[membership] expected at least 2 ", name, " images and a lesion for each, got ",
                 side.losses.size(), " losses and ", side.lesions.size(), " lesions");
  for (const double loss : side.losses)
    check_argument(std::isfinite(loss), "[membership] expected finite ", name, " losses, got ",
                   loss);
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Share of the members below every threshold that at most 1 % of the others are below.
double tpr_at_1_percent(const std::vector<double>& losses, const std::vector<int>& member) {
  std::vector<double> others;
  for (std::size_t i = 0; i < losses.size(); ++i)
    if (member[i] == 0) others.push_back(losses[i]);
  const auto members = losses.size() - others.size();
  if (others.empty() || members == 0)  // a resample may lack one side
    return std::numeric_limits<double>::quiet_NaN();
  const auto threshold = others.begin() + static_cast<std::ptrdiff_t>(others.size() / 100);
  std::nth_element(others.begin(), threshold, others.end());
  std::size_t told = 0;
  for (std::size_t i = 0; i < losses.size(); ++i) told += member[i] != 0 && losses[i] < *threshold;
  return static_cast<double>(told) / static_cast<double>(members);
}

}  // namespace

MembershipResult membership_audit(const ImageLosses& members, const ImageLosses& others,
                                  const BootstrapOptions& options) {
  check_side(members, "training");
  check_side(others, "held-out");
  std::vector<double> losses;
  std::vector<int> member;
  std::vector<std::string> lesions;
  for (const auto* side : {&members, &others}) {
    losses.insert(losses.end(), side->losses.begin(), side->losses.end());
    lesions.insert(lesions.end(), side->lesions.begin(), side->lesions.end());
    member.resize(losses.size(), side == &members);
  }
  MembershipResult result;
  result.members = static_cast<std::int64_t>(members.losses.size());
  result.others = static_cast<std::int64_t>(others.losses.size());
  result.member_loss = mean(members.losses);
  result.other_loss = mean(others.losses);
  result.auc = bootstrap_interval(
      lesions,
      [&](const std::vector<std::int64_t>& rows) {
        auto scores = select(losses, rows);
        for (auto& score : scores) score = -score;
        return auc(scores, select(member, rows));
      },
      options);
  if (others.losses.size() < kLeastForOnePercent) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    result.tpr_at_1_percent = {nan, nan, nan};
  } else {
    result.tpr_at_1_percent = bootstrap_interval(
        lesions,
        [&](const std::vector<std::int64_t>& rows) {
          return tpr_at_1_percent(select(losses, rows), select(member, rows));
        },
        options);
  }
  return result;
}

Json to_json(const MembershipResult& result) {
  return Json::object({{"members", result.members},
                       {"others", result.others},
                       {"member_loss", result.member_loss},
                       {"other_loss", result.other_loss},
                       {"auc", to_json(result.auc)},
                       {"tpr_at_1_percent", to_json(result.tpr_at_1_percent)},
                       {"exposed", result.exposed()}});
}

}  // namespace dermis
