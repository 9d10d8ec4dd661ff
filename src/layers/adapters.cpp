#include "dermis/layers/adapters.hpp"

#include <algorithm>

#include "dermis/io/csv.hpp"

namespace dermis {
namespace {

std::vector<std::string> components(const std::string& path) {
  std::vector<std::string> parts(1);
  for (const char c : path)
    if (c == '.')
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

bool matches_any(const std::string& path, const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const auto& pattern) { return matches_path(path, pattern); });
}

/// Every pattern must say something about `names`.
void check_patterns(const std::vector<std::string>& patterns, const std::vector<std::string>& names,
                    const char* kind) {
  for (const auto& pattern : patterns) {
    const bool found = std::any_of(names.begin(), names.end(),
                                   [&](const auto& name) { return matches_path(name, pattern); });
    check_argument(found, "[low_rank] expected the pattern '", pattern, "' to match one of the ",
                   kind, " ", names.empty() ? "(there are none)" : detail::first_few(names));
  }
}

}  // namespace

std::vector<std::pair<std::string, LinearImpl*>> linear_layers(torch::nn::Module& module) {
  std::vector<std::pair<std::string, LinearImpl*>> layers;
  for (const auto& item : module.named_modules("", /*include_self=*/false))
    if (auto* linear = item.value()->as<LinearImpl>()) layers.emplace_back(item.key(), linear);
  return layers;
}

bool matches_path(const std::string& path, const std::string& pattern) {
  const auto names = components(path), wanted = components(pattern);
  if (wanted.size() > names.size()) return false;
  return std::equal(wanted.rbegin(), wanted.rend(), names.rbegin(),
                    [](const auto& want, const auto& name) { return want == "*" || want == name; });
}

std::vector<std::string> add_low_rank(torch::nn::Module& module,
                                      const std::vector<std::string>& patterns,
                                      const LowRankOptions& options,
                                      const std::optional<at::Generator>& generator,
                                      const std::vector<std::string>& trained,
                                      std::optional<at::ScalarType> type) {
  const auto layers = linear_layers(module);
  std::vector<std::string> paths, adapted;
  for (const auto& layer : layers) paths.push_back(layer.first);
  check_argument(!patterns.empty(), "[low_rank] expected patterns of layers, got none");
  check_patterns(patterns, paths, "Linear layers");
  check_patterns(trained, module.named_parameters().keys(), "parameters");
  for (const auto& [path, linear] : layers) {
    if (!matches_any(path, patterns)) continue;
    const auto limit = std::min(linear->weight.size(0), linear->weight.size(1));
    check_argument(options.rank > 0 && options.rank <= limit, "[low_rank] ", path,
                   ": expected a rank in 1..", limit, ", got ", options.rank);
    check_argument(!linear->low_rank().enabled(), "[low_rank] ", path,
                   ": this layer already has a low-rank adapter of rank ", linear->low_rank().rank);
  }
  for (const auto& item : module.named_parameters())
    item.value().set_requires_grad(matches_any(item.key(), trained));
  for (const auto& [path, linear] : layers) {
    if (!matches_any(path, patterns)) continue;
    linear->add_low_rank(options, generator, type);
    adapted.push_back(path);
  }
  return adapted;
}

void merge_low_rank(torch::nn::Module& module) {
  for (const auto& layer : linear_layers(module)) layer.second->set_merged(true);
}

void unmerge_low_rank(torch::nn::Module& module) {
  for (const auto& layer : linear_layers(module)) layer.second->set_merged(false);
}

void fold_low_rank(torch::nn::Module& module) {
  merge_low_rank(module);
  for (const auto& layer : linear_layers(module)) layer.second->drop_low_rank();
}

void set_low_rank_strength(torch::nn::Module& module, double strength) {
  for (const auto& layer : linear_layers(module))
    if (layer.second->low_rank().enabled()) layer.second->set_low_rank_strength(strength);
}

void set_low_rank_generator(torch::nn::Module& module, const at::Generator& generator) {
  for (const auto& layer : linear_layers(module)) layer.second->low_rank_generator = generator;
}

}  // namespace dermis
