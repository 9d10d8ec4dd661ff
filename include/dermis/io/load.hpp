#pragma once
/// \file
/// Weights into modules: what fits, what is missing, what was left alone.

#include <functional>
#include <string>
#include <vector>

#include "dermis/io/tensors.hpp"

namespace dermis {

/// How a load may depart from "the same names, shapes and kinds of type".
struct LoadOptions {
  /// False: names may be missing and unexpected, as in torch's load_state_dict(strict=False); a
  /// tensor of another shape is still an error, since that is another model.
  bool strict = true;
  /// Modules (or tensors) that keep their initial values where the weights do not fit, such as
  /// {"head"} for a classifier of other classes: if anything at or below the name is missing or
  /// mismatched, all of it is left alone, and reported.
  std::vector<std::string> keep;
  /// Called for a value whose shape is not its target's; gives one that fits, or an undefined
  /// tensor if it knows none. A ViT at another image size:
  ///
  ///     [&](const std::string& name, const at::Tensor& value, const at::Tensor&) {
  ///       return name == "pos_embed" ? resample_position(value, vit->options.grid(), 1)
  ///                                  : at::Tensor();
  ///     }
  std::function<at::Tensor(const std::string& name, const at::Tensor& value,
                           const at::Tensor& target)>
      adapt;
};

/// What became of every name.
struct LoadReport {
  std::vector<std::string> loaded;      ///< copied, those that were adapted included
  std::vector<std::string> adapted;     ///< by LoadOptions::adapt
  std::vector<std::string> kept;        ///< targets left alone on behalf of LoadOptions::keep
  std::vector<std::string> missing;     ///< targets that no value has the name of
  std::vector<std::string> unexpected;  ///< values that no target has the name of
  std::vector<std::string> mismatched;  ///< "name: expected Float [8, 4], got Float [9, 4]"

  /// One line: "150 tensors loaded; 2 kept keys (head.weight, head.bias); ...", at most ten names a
  /// kind.
  std::string text() const;
};

/// Copies `values` into the equally named `targets`; floating types convert into one another, other
/// types do not. Everything is checked before the first copy, so that targets change as the report
/// says or not at all.
/// \param source  named in the error, usually the file
/// \throws std::runtime_error once, listing every key at fault (in `mismatched` always unless it
///         was kept; in `missing` and `unexpected` if strict); if a name is twice among the values;
///         or if nothing matches
/// \throws std::invalid_argument if a name of `keep` is no target's, `adapt` gives what does not
///         fit, or a value is undefined
LoadReport load(const StateDict& targets, const StateDict& values, const std::string& source,
                const LoadOptions& options = {});

/// load() into all parameters and buffers of `module`.
LoadReport load(torch::nn::Module& module, const StateDict& values, const std::string& source,
                const LoadOptions& options = {});

}  // namespace dermis
