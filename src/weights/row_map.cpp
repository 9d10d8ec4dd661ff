#include "dermis/weights/row_map.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "dermis/core/check.hpp"
#include "dermis/io/csv.hpp"
#include "dermis/weights/key_map.hpp"

namespace dermis {
namespace {

void check_known(const StateDict& tensors, const RowMap& map, const std::string& layout,
                 const std::string& source) {
  std::unordered_set<std::string> known;
  for (const auto& rule : map) known.insert(rule.theirs);
  std::vector<std::string> unknown;
  for (const auto& entry : tensors)
    if (known.count(entry.first) == 0) unknown.push_back(entry.first);
  if (unknown.empty()) return;
  const auto looks = layout_of(tensors);
  check_runtime(false, "[weights] ", source, ": expected the tensors of ", layout, ", got ",
                unknown.size(), " that it does not have: ", detail::first_few(unknown),
                looks.empty() || looks == layout ? "" : "; this looks like " + looks);
}

/// The rows of one `ours` put together; undefined if none of its parts is there.
at::Tensor joined(std::vector<const RowRule*> rules,
                  const std::unordered_map<std::string, at::Tensor>& tensors,
                  const std::unordered_map<std::string, std::int64_t>& heights,
                  const std::string& source) {
  std::sort(rules.begin(), rules.end(),
            [](const auto* a, const auto* b) { return a->ours_first < b->ours_first; });
  std::vector<at::Tensor> parts;
  std::string present, absent;
  for (const auto* rule : rules) {
    const auto found = tensors.find(rule->theirs);
    if (found == tensors.end()) {
      absent = rule->theirs;
      continue;
    }
    present = rule->theirs;
    const auto& tensor = found->second;
    const auto height = heights.at(rule->theirs);
    check_runtime(tensor.dim() > 0 && tensor.size(0) == height, "[weights] ", source, ": expected ",
                  height, " rows in '", rule->theirs, "', got ", tensor.sizes());
    parts.push_back(tensor.narrow(0, rule->theirs_first, rule->rows));
  }
  if (present.empty()) return {};
  check_runtime(absent.empty(), "[weights] ", source, ": expected '", absent, "' beside '", present,
                "'");
  if (rules.size() == 1 && parts[0].size(0) == heights.at(present)) return parts[0];
  for (const auto& part : parts)
    check_runtime(part.sizes().slice(1) == parts[0].sizes().slice(1), "[weights] ", source,
                  ": expected parts of '", rules[0]->ours, "' of one width, got ", part.sizes(),
                  " and ", parts[0].sizes());
  return at::cat(parts);
}

}  // namespace

RowMap reversed(const RowMap& map) {
  RowMap result;
  for (const auto& rule : map)
    result.push_back({rule.ours, rule.ours_first, rule.theirs, rule.theirs_first, rule.rows});
  return result;
}

RowMap with_suffixes(const RowMap& layers, const std::vector<std::string>& suffixes) {
  RowMap result;
  for (const auto& suffix : suffixes)
    for (auto rule : layers) {
      rule.theirs += suffix;
      rule.ours += suffix;
      result.push_back(std::move(rule));
    }
  return result;
}

StateDict map_rows(const StateDict& tensors, const RowMap& map, const std::string& layout,
                   const std::string& source) {
  check_known(tensors, map, layout, source);
  const std::unordered_map<std::string, at::Tensor> by_name(tensors.begin(), tensors.end());
  std::unordered_map<std::string, std::int64_t> heights;
  std::unordered_map<std::string, std::vector<const RowRule*>> rules;
  std::vector<std::string> order;
  for (const auto& rule : map) {
    auto& height = heights[rule.theirs];
    height = std::max(height, rule.theirs_first + rule.rows);
    auto& of_ours = rules[rule.ours];
    if (of_ours.empty()) order.push_back(rule.ours);
    of_ours.push_back(&rule);
  }
  StateDict result;
  for (const auto& name : order) {
    auto tensor = joined(rules.at(name), by_name, heights, source);
    if (tensor.defined()) result.emplace_back(name, std::move(tensor));
  }
  return result;
}

}  // namespace dermis
