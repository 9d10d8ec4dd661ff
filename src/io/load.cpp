#include "dermis/io/load.hpp"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "dermis/core/check.hpp"

namespace dermis {
namespace {

std::string described(const at::Tensor& tensor) {
  return text(c10::toString(tensor.scalar_type()), ' ', tensor.sizes());
}

bool fits(const at::Tensor& target, const at::Tensor& value) {
  return target.sizes() == value.sizes() &&
         (target.scalar_type() == value.scalar_type() ||
          (target.is_floating_point() && value.is_floating_point()));
}

/// Whether `name` is `module` or lies below it.
bool is_below(const std::string& name, const std::string& module) {
  return name.compare(0, module.size(), module) == 0 &&
         (name.size() == module.size() || name[module.size()] == '.');
}

/// "2 missing keys (a, b)": at most ten by name.
std::string listed(const std::string& kind, const std::vector<std::string>& keys) {
  constexpr std::size_t shown = 10;
  std::string line = text(keys.size(), " ", kind, keys.size() == 1 ? " key (" : " keys (");
  for (std::size_t i = 0; i < std::min(shown, keys.size()); ++i) {
    line += (i > 0 ? ", " : "") + keys[i];
  }
  if (keys.size() > shown) line += text(", ... and ", keys.size() - shown, " more");
  return line + ")";
}

/// The kinds that are not empty, joined by "; ".
std::string listed(
    const std::vector<std::pair<const char*, const std::vector<std::string>*>>& kinds) {
  std::string line;
  for (const auto& [kind, keys] : kinds) {
    if (!keys->empty()) line += (line.empty() ? "" : "; ") + listed(kind, *keys);
  }
  return line;
}

/// The names of `keep` below which not every target would be loaded.
std::set<std::string> kept_modules(const StateDict& targets, const std::vector<std::string>& keep,
                                   const std::unordered_map<std::string, at::Tensor>& fitting) {
  std::set<std::string> result;
  for (const std::string& module : keep) {
    bool known = false;
    for (const auto& [name, target] : targets) {
      if (!is_below(name, module)) continue;
      known = true;
      if (fitting.count(name) == 0) result.insert(module);
    }
    check_argument(known, "[load] expected names of the module in keep, got '", module, "'");
  }
  return result;
}

}  // namespace

std::string LoadReport::text() const {
  const std::string rest = listed({{"adapted", &adapted},
                                   {"kept", &kept},
                                   {"missing", &missing},
                                   {"unexpected", &unexpected},
                                   {"mismatched", &mismatched}});
  return dermis::text(loaded.size(), loaded.size() == 1 ? " tensor" : " tensors", " loaded",
                      rest.empty() ? "" : "; ", rest);
}

LoadReport load(const StateDict& targets, const StateDict& values, const std::string& source,
                const LoadOptions& options) {
  std::unordered_map<std::string, at::Tensor> found, fitting;
  for (const auto& [name, value] : values) {
    check_argument(value.defined(), "[load] ", source, ": expected a defined tensor for '", name,
                   "'");
    check_runtime(found.emplace(name, value).second, "[load] ", source, ": key '", name,
                  "' appears twice");
  }
  std::unordered_map<std::string, std::string> mismatches;
  std::set<std::string> adapted, wanted;
  for (const auto& [name, target] : targets) {
    wanted.insert(name);
    const auto match = found.find(name);
    if (match == found.end()) continue;
    at::Tensor value = match->second;
    if (options.adapt && value.sizes() != target.sizes()) {
      const at::Tensor result = options.adapt(name, value, target);
      check_argument(!result.defined() || fits(target, result), "[load] ", source,
                     ": expected adapt to make ", described(target), " of ", name, ", got ",
                     result.defined() ? described(result) : "");
      if (result.defined()) adapted.insert(name);
      if (result.defined()) value = result;
    }
    if (fits(target, value)) {
      fitting.emplace(name, value);
    } else {
      mismatches.emplace(name, text(": expected ", described(target), ", got ", described(value)));
    }
  }

  const std::set<std::string> kept = kept_modules(targets, options.keep, fitting);
  const auto is_kept = [&](const std::string& name) {
    return std::any_of(kept.begin(), kept.end(),
                       [&](const std::string& module) { return is_below(name, module); });
  };
  LoadReport report;
  std::vector<std::string> lacking, misfits;  // of the report's, those that nobody allowed
  for (const auto& [name, target] : targets) {
    const bool leave = is_kept(name);
    if (leave) report.kept.push_back(name);
    if (found.count(name) == 0) {
      report.missing.push_back(name);
      if (!leave && options.strict) lacking.push_back(name);
    } else if (fitting.count(name) == 0) {
      report.mismatched.push_back(name + mismatches.at(name));
      if (!leave) misfits.push_back(report.mismatched.back());
    } else if (!leave) {
      report.loaded.push_back(name);
      if (adapted.count(name) != 0) report.adapted.push_back(name);
    }
  }
  for (const auto& [name, value] : values) {
    if (wanted.count(name) == 0) report.unexpected.push_back(name);
  }
  const std::vector<std::string> none;
  const std::string faults = listed({{"missing", &lacking},
                                     {"unexpected", options.strict ? &report.unexpected : &none},
                                     {"mismatched", &misfits}});
  check_runtime(faults.empty(), "[load] ", source, ": ", faults);
  check_runtime(!report.loaded.empty() || (targets.empty() && values.empty()), "[load] ", source,
                ": nothing matches, expected names such as ",
                targets.empty() ? "none" : targets[0].first, ", got ",
                values.empty() ? "none" : values[0].first);

  const torch::NoGradGuard no_grad;
  for (const auto& [name, target] : targets) {
    if (fitting.count(name) != 0 && !is_kept(name)) at::Tensor(target).copy_(fitting.at(name));
  }
  return report;
}

LoadReport load(torch::nn::Module& module, const StateDict& values, const std::string& source,
                const LoadOptions& options) {
  return load(state_dict(module), values, source, options);
}

}  // namespace dermis
