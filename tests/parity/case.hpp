#pragma once
/// \file
/// A parity case: what a Python library computed for given weights and inputs, to be computed
/// again.

#include <functional>
#include <map>

#include "dermis/core/check.hpp"
#include "dermis/core/json.hpp"
#include "dermis/io/tensors.hpp"

namespace dermis::parity {

/// A folder with config.json and, as the case needs them, weights.safetensors and
/// inputs.safetensors.
struct Case {
  std::filesystem::path directory;
  std::string name;  ///< of the folder: 01a_timm_vit_cls
  Json config;

  /// Named tensors of a file of the folder, as stored.
  StateDict tensors(const std::string& file) const {
    return read_tensors(directory / file).tensors;
  }
  StateDict weights() const { return tensors("weights.safetensors"); }
  StateDict inputs() const { return tensors("inputs.safetensors"); }
};

/// The tensor of that name; std::runtime_error if there is none.
inline const at::Tensor& at(const StateDict& tensors, const std::string& name) {
  for (const auto& [key, tensor] : tensors)
    if (key == name) return tensor;
  throw std::runtime_error(text("[parity] no tensor '", name, "'"));
}

/// Computes all tensors of a case, intermediate ones too.
using Run = std::function<StateDict(const Case&)>;

/// By the prefix of the case's name: "01a".
inline std::map<std::string, Run>& runs() {
  static std::map<std::string, Run> all;
  return all;
}

/// `const Register _{"01a", timm_vit};` in the file that computes such cases.
struct Register {
  Register(const std::string& prefix, Run run) { runs()[prefix] = std::move(run); }
};

}  // namespace dermis::parity
