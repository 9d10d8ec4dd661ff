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

/// What each target would get.
struct Matches {
  std::unordered_map<std::string, at::Tensor> fitting;
  std::unordered_map<std::string, std::string> misfits;  // ": expected ..., got ..."
  std::set<std::string> adapted;
};

Matches match(const StateDict& targets, const std::unordered_map<std::string, at::Tensor>& values,
              const std::string& source, const LoadOptions& options) {
  Matches matches;
  for (const auto& [name, target] : targets) {
    const auto found = values.find(name);
    if (found == values.end()) continue;
    at::Tensor value = found->second;
    if (options.adapt && value.sizes() != target.sizes()) {
      const at::Tensor adapted = options.adapt(name, value, target);
      if (adapted.defined()) {
        check_argument(fits(target, adapted), "[load] ", source, ": expected adapt to make ",
                       described(target), " of ", name, ", got ", described(adapted));
        value = adapted;
        matches.adapted.insert(name);
      }
    }
    if (fits(target, value)) {
      matches.fitting.emplace(name, value);
    } else {
      matches.misfits.emplace(name,
                              text(": expected ", described(target), ", got ", described(value)));
    }
  }
  return matches;
}

/// The targets at or below a name of `keep` not all of whose targets would be loaded.
std::set<std::string> kept_targets(const StateDict& targets, const std::vector<std::string>& keep,
                                   const Matches& matches) {
  std::set<std::string> kept;
  for (const std::string& module : keep) {
    std::vector<std::string> below;
    bool whole = true;
    for (const auto& [name, target] : targets) {
      if (!is_below(name, module)) continue;
      below.push_back(name);
      whole = whole && matches.fitting.count(name) != 0;
    }
    check_argument(!below.empty(), "[load] expected names of the module in keep, got '", module,
                   "'");
    if (!whole) kept.insert(below.begin(), below.end());
  }
  return kept;
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
  std::unordered_map<std::string, at::Tensor> found;
  for (const auto& [name, value] : values) {
    check_argument(value.defined(), "[load] ", source, ": expected a defined tensor for '", name,
                   "'");
    check_runtime(found.emplace(name, value).second, "[load] ", source, ": key '", name,
                  "' appears twice");
  }
  const Matches matches = match(targets, found, source, options);
  const std::set<std::string> kept = kept_targets(targets, options.keep, matches);

  LoadReport report;
  std::vector<std::string> lacking, misfits;  // of the report's, those that nobody allowed
  std::set<std::string> wanted;
  for (const auto& [name, target] : targets) {
    const bool leave = kept.count(name) != 0;
    wanted.insert(name);
    if (leave) report.kept.push_back(name);
    if (found.count(name) == 0) {
      report.missing.push_back(name);
      if (!leave && options.strict) lacking.push_back(name);
    } else if (const auto misfit = matches.misfits.find(name); misfit != matches.misfits.end()) {
      report.mismatched.push_back(name + misfit->second);
      if (!leave) misfits.push_back(report.mismatched.back());
    } else if (!leave) {
      report.loaded.push_back(name);
      if (matches.adapted.count(name) != 0) report.adapted.push_back(name);
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
    const auto value = matches.fitting.find(name);
    if (value != matches.fitting.end() && kept.count(name) == 0)
      at::Tensor(target).copy_(value->second);
  }
  return report;
}

LoadReport load(torch::nn::Module& module, const StateDict& values, const std::string& source,
                const LoadOptions& options) {
  return load(state_dict(module), values, source, options);
}

}  // namespace dermis
