#include <algorithm>
#include <map>
#include <unordered_map>

#include "dermis/core/check.hpp"
#include "dermis/io/csv.hpp"
#include "dermis/io/load.hpp"
#include "dermis/weights/key_map.hpp"
#include "dermis/weights/lora.hpp"
#include "lora_names.hpp"

namespace dermis {
namespace {

/// Where a name of a file leads: rows of layers of ours, those of `rows` 0 are all.
struct Target {
  LinearImpl* linear = nullptr;
  RowRule rule;
};
using Targets = std::unordered_map<std::string, std::vector<Target>>;

/// By names without prefix and dots.
Targets targets_of(torch::nn::Module& module, const RowMap& map) {
  Targets targets;
  std::unordered_map<std::string, LinearImpl*> by_path;
  for (const auto& [path, linear] : linear_layers(module)) {
    by_path.emplace(path, linear);
    targets[detail::flattened(path)].push_back(
        {linear, {path, 0, path, 0, linear->weight.size(0)}});
  }
  for (const auto& rule : map) {
    const auto found = by_path.find(rule.ours);
    if (found == by_path.end()) continue;
    const auto key = detail::flattened(rule.theirs);
    auto& places = targets[key];
    // A name that both sides have, such as proj_out, is the other library's.
    std::erase_if(places, [&](const Target& t) { return t.rule.theirs != rule.theirs; });
    places.push_back({found->second, rule});
  }
  return targets;
}

/// A part of a file's adapter that goes to one layer of ours.
struct Part {
  const LoraLayer* layer;
  RowRule rule;
};
using Plans = std::map<std::string, std::vector<Part>>;  // by the path of our layer

void check_fits(const LoraLayer& layer, const std::vector<Target>& targets,
                const std::string& source) {
  std::int64_t rows = 0;
  for (const auto& target : targets)
    rows = std::max(rows, target.rule.theirs_first + target.rule.rows);
  const auto in = targets[0].linear->weight.size(1);
  // XLabs adapts the first rows of a single block's fused layer, its queries, keys and values.
  const bool first_rows = layer.B.size(0) == 3 * in && rows > 3 * in && targets.size() == 1;
  check_runtime(layer.A.size(1) == in && (layer.B.size(0) == rows || first_rows), "[lora] ", source,
                ": expected '", layer.layer, "' for a layer ", in, " -> ", rows, ", got ",
                layer.A.size(1), " -> ", layer.B.size(0), ": an adapter of another model");
  for (const auto& target : targets)
    check_runtime(!target.linear->low_rank().enabled(), "[lora] ", source, ": '", layer.layer,
                  "' is for a layer that already has an adapter of rank ",
                  target.linear->low_rank().rank);
}

/// A below A, each B in its own rows and columns.
LoraLayer fused(const std::string& path, const std::vector<Part>& parts, std::int64_t out) {
  const double scale = parts[0].layer->scale;
  const bool one_scale = std::all_of(parts.begin(), parts.end(),
                                     [&](const Part& part) { return part.layer->scale == scale; });
  std::vector<at::Tensor> downs;
  for (const auto& part : parts) downs.push_back(part.layer->A.to(at::kFloat));
  const auto A = at::cat(downs);
  const auto B = at::zeros({out, A.size(0)}, at::kFloat);
  std::int64_t column = 0;
  for (const auto& [layer, rule] : parts) {
    const auto rows = std::min(rule.rows, layer->B.size(0) - rule.theirs_first);
    const auto values = layer->B.narrow(0, rule.theirs_first, rows).to(at::kFloat);
    B.narrow(0, rule.ours_first, rows)
        .narrow(1, column, layer->B.size(1))
        .copy_(one_scale ? values : values * layer->scale);
    column += layer->B.size(1);
  }
  return {path, A, B, one_scale ? scale : 1.0};
}

/// The full tensors under our names: behind a prefix, or by `map`.
StateDict full_tensors(const LoraAdapter& adapter, const RowMap& map) {
  std::unordered_map<std::string, std::string> renamed;
  for (const auto& rule : map)
    for (const auto* suffix : {".weight", ".bias"})
      renamed.emplace(rule.theirs + suffix, rule.ours + suffix);
  StateDict result;
  for (const auto& [name, tensor] : adapter.full) {
    auto plain = detail::without_lora_prefix(name);
    const auto found = renamed.find(plain);
    result.emplace_back(found == renamed.end() ? plain : found->second, tensor);
  }
  return result;
}

}  // namespace

std::string LoraReport::text() const {
  const auto all = applied.size() + unmatched.size();
  return dermis::text("applied ", applied.size(), " of ", all, all == 1 ? " layer" : " layers",
                      unmatched.empty() ? "" : "; this model has no ",
                      unmatched.empty() ? "" : detail::first_few(unmatched));
}

LoraAdapter lora_for(torch::nn::Module& module, const LoraAdapter& adapter,
                     const std::string& source, const RowMap& map, LoraReport* report) {
  const auto targets = targets_of(module, map);
  LoraReport found;
  Plans plans;
  for (const auto& layer : adapter.layers) {
    const auto places = targets.find(detail::flattened(detail::without_lora_prefix(layer.layer)));
    if (places == targets.end()) {
      found.unmatched.push_back(layer.layer);
      continue;
    }
    check_fits(layer, places->second, source);
    found.applied.push_back(layer.layer);
    for (const auto& target : places->second)
      plans[target.rule.ours].push_back({&layer, target.rule});
  }
  const auto layers = linear_layers(module);
  check_runtime(!found.applied.empty(), "[lora] ", source, ": applied 0 of ", adapter.layers.size(),
                " layers, such as ", adapter.layers.empty() ? "none" : adapter.layers[0].layer,
                "; this model has layers such as ", layers.empty() ? "none" : layers[0].first);
  LoraAdapter ours{{}, full_tensors(adapter, map)};
  for (const auto& [path, linear] : layers)
    if (const auto plan = plans.find(path); plan != plans.end())
      ours.layers.push_back(fused(path, plan->second, linear->weight.size(0)));
  if (report != nullptr) *report = found;
  return ours;
}

LoraReport apply_lora(torch::nn::Module& module, const LoraAdapter& adapter,
                      const std::string& source, const RowMap& map) {
  LoraReport report;
  const auto ours = lora_for(module, adapter, source, map, &report);
  if (!ours.full.empty()) load(module, ours.full, source, {.strict = false});
  std::map<std::string, LinearImpl*> by_path;
  for (const auto& [path, linear] : linear_layers(module)) by_path.emplace(path, linear);
  for (const auto& layer : ours.layers) {
    auto* linear = by_path.at(layer.layer);
    const auto type = linear->weight.scalar_type();
    const double alpha = layer.scale * static_cast<double>(layer.A.size(0));
    linear->add_low_rank(LowRankOptions{.alpha = alpha}, layer.A.to(type), layer.B.to(type));
  }
  return report;
}

LoraAdapter collect_lora(torch::nn::Module& module) {
  LoraAdapter adapter;
  for (const auto& [path, linear] : linear_layers(module))
    if (linear->low_rank().enabled())
      adapter.layers.push_back(
          {path, linear->lora_A.detach(), linear->lora_B.detach(), linear->low_rank().scale()});
  return adapter;
}

LoraAdapter lora_to(const LoraAdapter& adapter, const RowMap& map) {
  LoraAdapter result{{}, adapter.full};
  const auto rules = reversed(map);  // ours is now `theirs`
  for (const auto& layer : adapter.layers) {
    std::map<std::string, std::vector<RowRule>> parts;
    for (const auto& rule : rules)
      if (rule.theirs == layer.layer) parts[rule.ours].push_back(rule);
    check_argument(!parts.empty(), "[lora] expected a layer that the other library has, got '",
                   layer.layer, "'");
    const bool fresh = layer.B.count_nonzero().item<std::int64_t>() == 0;
    for (auto& [name, pieces] : parts) {
      std::sort(pieces.begin(), pieces.end(),
                [](const auto& a, const auto& b) { return a.ours_first < b.ours_first; });
      std::vector<at::Tensor> rows;
      for (const auto& piece : pieces)
        rows.push_back(layer.B.narrow(0, piece.theirs_first, piece.rows));
      auto B = at::cat(rows);
      const auto used = B.ne(0).any(0).nonzero().flatten();  // ranks of this part
      if (used.numel() == 0 && !fresh) continue;
      const bool all = fresh || used.numel() == B.size(1);
      result.layers.push_back({name, all ? layer.A : layer.A.index_select(0, used),
                               all ? B : B.index_select(1, used), layer.scale});
    }
  }
  return result;
}

}  // namespace dermis
