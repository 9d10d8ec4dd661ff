#include "dermis/train/latent_cache.hpp"

#include <iostream>
#include <optional>

#include "dermis/core/file.hpp"
#include "dermis/core/hash.hpp"
#include "dermis/core/options.hpp"
#include "dermis/data/pixels.hpp"
#include "dermis/io/tensors.hpp"
#include "dermis/layers/autocast.hpp"
#include "dermis/train/autoencoder.hpp"

namespace dermis {
namespace {

constexpr const char* kKey = "dermis.latents_of";
constexpr const char* kContent = "dermis.fingerprint";

std::string key_of(const KLVAE& autoencoder, const at::Tensor& images, std::int64_t views) {
  return fingerprint(text(options_to_json(autoencoder->options).dump(), '\n',
                          fingerprint(state_dict(*autoencoder)), '\n',
                          fingerprint(StateDict{{"images", images}}), '\n', views));
}

at::Tensor computed(const KLVAE& autoencoder, const at::Tensor& images, std::int64_t views) {
  const Autocast full_precision(false, autoencoder->encoder->parameters().front().device().type());
  std::vector<at::Tensor> latents;
  for (std::int64_t view = 0; view < views; ++view)
    latents.push_back(encode_latents(autoencoder, right_angle_view(images, view)));
  return at::cat(latents);
}

/// The latents in `path` if it is whole and of this key; says on stderr what is wrong with it if it
/// is not whole.
std::optional<at::Tensor> kept(const std::filesystem::path& path, const std::string& key) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  try {
    const auto file = read_tensors(path);
    const auto value = [&](const char* name) {
      const auto found = file.metadata.find(name);
      check_runtime(found != file.metadata.end(), "its metadata lack ", name);
      return found->second;
    };
    if (value(kKey) != key) return std::nullopt;
    check_runtime(value(kContent) == fingerprint(file.tensors), "its bytes have changed");
    return file.tensors.front().second;
  } catch (const std::runtime_error& error) {
    std::cerr << text("[latents] ", path.string(), " is damaged and computed anew: ", error.what(),
                      '\n');
    return std::nullopt;
  }
}

}  // namespace

at::Tensor cached_latents(KLVAE autoencoder, const at::Tensor& images, std::int64_t views,
                          const std::filesystem::path& directory) {
  check_argument(views >= 1 && views <= 8, "[latents] expected 1 to 8 views, got ", views);
  check_argument(images.dim() == 4 && images.size(0) > 0 && images.size(2) == images.size(3),
                 "[latents] expected images of shape [N, 3, S, S], got ", shape_text(images));
  if (directory.empty()) return computed(autoencoder, images, views);
  const auto path = directory / "latents.safetensors";
  const auto key = key_of(autoencoder, images, views);
  if (const auto found = kept(path, key)) return *found;
  const StateDict latents = {{"latents", computed(autoencoder, images, views)}};
  make_directories(directory);
  write_tensors(path, latents, {{kKey, key}, {kContent, fingerprint(latents)}});
  return latents.front().second;
}

}  // namespace dermis
