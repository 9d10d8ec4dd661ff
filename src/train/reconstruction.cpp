#include "dermis/train/reconstruction.hpp"

#include "dermis/data/pixels.hpp"
#include "dermis/metrics/generation.hpp"
#include "dermis/metrics/image_similarity.hpp"
#include "dermis/train/autoencoder.hpp"

namespace dermis {

ReconstructionQuality reconstruction_quality(KLVAE autoencoder, const at::Tensor& images,
                                             const ImageFeatures& features) {
  const auto factor = autoencoder->options.factor();
  check_argument(images.dim() == 4 && images.scalar_type() == at::kByte && images.size(0) > 0 &&
                     images.size(2) % factor == 0 && images.size(3) % factor == 0,
                 "[reconstruction] expected uint8 images [N, 3, S, S] with S divisible by ", factor,
                 ", got ", shape_text(images), " of ", images.dtype().name());
  const auto rebuilt = decode_latents(autoencoder, encode_latents(autoencoder, images));
  ReconstructionQuality quality{.n = images.size(0)};
  for (std::int64_t i = 0; i < quality.n; ++i) {
    const auto original = to_image(images[i]), copy = to_image(rebuilt[i]);
    quality.psnr += psnr(original, copy) / static_cast<double>(quality.n);
    quality.ssim += ssim(original, copy).mean / static_cast<double>(quality.n);
  }
  if (features) quality.rfid = frechet_distance(features(images), features(rebuilt));
  return quality;
}

Json to_json(const ReconstructionQuality& quality) {
  const auto figure = [&](const Json& value) {
    return Json::object({{"value", value}, {"n", quality.n}});
  };
  return Json::object({{"psnr", figure(quality.psnr)},
                       {"ssim", figure(quality.ssim)},
                       {"rfid", figure(quality.rfid ? Json(*quality.rfid) : Json())}});
}

}  // namespace dermis
