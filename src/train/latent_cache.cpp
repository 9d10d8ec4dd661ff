#include "dermis/train/latent_cache.hpp"

#include "cache_file.hpp"
#include "dermis/core/hash.hpp"
#include "dermis/core/options.hpp"
#include "dermis/data/pixels.hpp"
#include "dermis/io/tensors.hpp"
#include "dermis/layers/autocast.hpp"
#include "dermis/train/autoencoder.hpp"

namespace dermis {
namespace {

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

}  // namespace

at::Tensor cached_latents(KLVAE autoencoder, const at::Tensor& images, std::int64_t views,
                          const std::filesystem::path& directory) {
  check_argument(views >= 1 && views <= 8, "[latents] expected 1 to 8 views, got ", views);
  check_argument(images.dim() == 4 && images.size(0) > 0 && images.size(2) == images.size(3),
                 "[latents] expected images of shape [N, 3, S, S], got ", shape_text(images));
  if (directory.empty()) return computed(autoencoder, images, views);
  const auto path = directory / "latents.safetensors";
  const auto key = key_of(autoencoder, images, views);
  if (const auto kept = detail::read_cache(path, key, "latents")) return kept->front().second;
  const StateDict latents = {{"latents", computed(autoencoder, images, views)}};
  detail::write_cache(path, key, latents);
  return latents.front().second;
}

}  // namespace dermis
