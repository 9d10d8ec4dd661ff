#include <algorithm>
#include <map>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"
#include "dermis/weights/lora.hpp"
#include "lora_names.hpp"

namespace dermis {
namespace {

double alpha_of(const LoraLayer& layer) {
  return layer.scale * static_cast<double>(layer.A.size(0));
}

void check_any(const LoraAdapter& adapter) {
  check_argument(!adapter.layers.empty(), "[lora] expected an adapter with layers, got none");
}

/// The value that most layers have.
template <class T>
T commonest(const std::map<T, int>& counts) {
  return std::max_element(counts.begin(), counts.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

Json peft_config(const LoraAdapter& adapter) {
  std::map<std::int64_t, int> ranks;
  std::map<double, int> alphas;
  std::vector<std::string> names, saved;
  for (const auto& layer : adapter.layers) {
    ++ranks[layer.A.size(0)];
    ++alphas[alpha_of(layer)];
    names.push_back(layer.layer);
  }
  for (const auto& [name, tensor] : adapter.full) {
    const auto module = name.substr(0, name.rfind('.'));
    if (std::find(saved.begin(), saved.end(), module) == saved.end()) saved.push_back(module);
  }
  const auto rank = commonest(ranks);
  const auto alpha = commonest(alphas);
  auto rank_pattern = Json::object(), alpha_pattern = Json::object();
  for (const auto& layer : adapter.layers) {
    if (layer.A.size(0) != rank) rank_pattern[layer.layer] = layer.A.size(0);
    if (alpha_of(layer) != alpha) alpha_pattern[layer.layer] = alpha_of(layer);
  }
  return Json::object({{"peft_type", "LORA"},
                       {"task_type", Json()},
                       {"base_model_name_or_path", Json()},
                       {"bias", "none"},
                       {"fan_in_fan_out", false},
                       {"inference_mode", true},
                       {"r", rank},
                       {"lora_alpha", alpha},
                       {"lora_dropout", 0.0},
                       {"use_rslora", false},
                       {"use_dora", false},
                       {"rank_pattern", rank_pattern},
                       {"alpha_pattern", alpha_pattern},
                       {"target_modules", names},
                       {"modules_to_save", saved.empty() ? Json() : Json(saved)}});
}

}  // namespace

void write_lora_kohya(const std::filesystem::path& path, const LoraAdapter& adapter) {
  check_any(adapter);
  check_argument(adapter.full.empty(),
                 "[lora] expected an adapter without full tensors: kohya's "
                 "files have no place for '",
                 adapter.full.empty() ? "" : adapter.full[0].first, "'");
  StateDict tensors;
  for (const auto& layer : adapter.layers) {
    const auto name = "lora_unet_" + detail::flattened(layer.layer);
    tensors.emplace_back(name + ".alpha", at::scalar_tensor(alpha_of(layer), at::kFloat));
    tensors.emplace_back(name + ".lora_down.weight", layer.A);
    tensors.emplace_back(name + ".lora_up.weight", layer.B);
  }
  write_tensors(path, tensors, {{"ss_network_module", "networks.lora_flux"}, {"format", "pt"}});
}

void write_lora_peft(const std::filesystem::path& folder, const LoraAdapter& adapter) {
  check_any(adapter);
  const std::string prefix = "base_model.model.";
  StateDict tensors;
  for (const auto& layer : adapter.layers) {
    tensors.emplace_back(prefix + layer.layer + ".lora_A.weight", layer.A);
    tensors.emplace_back(prefix + layer.layer + ".lora_B.weight", layer.B);
  }
  append(tensors, adapter.full, prefix);
  make_directories(folder);
  write_tensors(folder / "adapter_model.safetensors", tensors, {{"format", "pt"}});
  write_atomically(folder / "adapter_config.json", peft_config(adapter).dump(2) + "\n");
}

void write_lora_diffusers(const std::filesystem::path& path, const LoraAdapter& adapter,
                          const std::string& prefix) {
  check_any(adapter);
  StateDict tensors;
  for (const auto& layer : adapter.layers) {
    tensors.emplace_back(prefix + layer.layer + ".lora_A.weight", layer.A);
    tensors.emplace_back(prefix + layer.layer + ".lora_B.weight",
                         layer.scale == 1 ? layer.B : layer.B * layer.scale);
  }
  write_tensors(path, tensors, {{"format", "pt"}});
}

}  // namespace dermis
