#include <algorithm>

#include "dermis/io/tensors.hpp"
#include "dermis/train/autoencoder.hpp"
#include "dermis/weights/diffusers_vae.hpp"
#include "dermis/weights/key_map.hpp"
#include "dermis/weights/latent_diffusion.hpp"

namespace dermis {
namespace {

KLVAE from_own_file(const std::filesystem::path& path) {
  const auto file = read_model_file(path, "kl_vae");
  KLVAEOptions options;
  options_from_json(options, file.options, path.string());
  KLVAE model(options, ParameterOptions{.init = false});
  load_state_dict(*model, file.tensors, path.string());
  return model;
}

KLVAE from_file(const std::filesystem::path& path) {
  const auto file = map_tensors(path);  // names and metadata; no tensor is read yet
  if (file.metadata.count("dermis.architecture") > 0) return from_own_file(path);
  const auto has = [&](const std::string& prefix) {
    return std::any_of(file.tensors.begin(), file.tensors.end(),
                       [&](const auto& entry) { return entry.first.rfind(prefix, 0) == 0; });
  };
  if (has("encoder.down_blocks.")) return load_diffusers_vae(path);
  if (has("encoder.down.") || has("first_stage_model.encoder.down."))
    return load_latent_diffusion_vae(path);
  const auto looks = layout_of(file.tensors);
  check_runtime(false, "[autoencoder] ", path.string(),
                ": expected an autoencoder of dermis, diffusers, CompVis or Black Forest Labs",
                looks.empty() ? "" : "; this looks like " + looks);
  return nullptr;
}

}  // namespace

void save_autoencoder(const std::filesystem::path& path, const KLVAE& autoencoder) {
  save_model(path, *autoencoder, "kl_vae", options_to_json(autoencoder->options), Json::object());
}

KLVAE load_autoencoder(const std::filesystem::path& path, at::Device device) {
  auto model = std::filesystem::is_directory(path) ? load_diffusers_vae(path) : from_file(path);
  model->to(device);
  model->eval();
  return model;
}

}  // namespace dermis
