#include "dermis/core/check.hpp"
#include "dermis/metrics/group_gaps.hpp"

namespace dermis {

Json to_json(const GroupGaps& result, const std::vector<std::string>& classes) {
  Json groups = Json::array(), gaps = Json::array();
  for (const GroupFigures& group : result.groups) {
    check_argument(group.recall.size() == classes.size(), "[groups] expected the names of ",
                   group.recall.size(), " classes, got ", classes.size());
    Json recall = Json::object();
    for (std::size_t c = 0; c < classes.size(); ++c) recall[classes[c]] = to_json(group.recall[c]);
    groups.push_back(Json::object({{"group", group.group},
                                   {"images", group.images},
                                   {"lesions", group.lesions},
                                   {"balanced_accuracy", to_json(group.balanced_accuracy)},
                                   {"recall", recall},
                                   {"calibration_error", to_json(group.calibration_error)},
                                   {"overconfidence", to_json(group.overconfidence)},
                                   {"note", group.note}}));
  }
  for (const GroupGap& gap : result.gaps) {
    Json names = Json::array();
    for (const int c : gap.classes) names.push_back(classes[static_cast<std::size_t>(c)]);
    gaps.push_back(Json::object({{"figure", gap.figure},
                                 {"first", gap.first},
                                 {"second", gap.second},
                                 {"classes", names},
                                 {"difference", to_json(gap.difference)},
                                 {"found", gap.found}}));
  }
  return Json::object(
      {{"groups", groups}, {"gaps", gaps}, {"unknown", result.unknown}, {"found", result.found}});
}

}  // namespace dermis
