#pragma once
/// \file
/// How well an autoencoder gives images back: the ceiling of whatever is generated in its latents.

#include <Eigen/Core>
#include <functional>
#include <optional>

#include "dermis/core/json.hpp"
#include "dermis/models/kl_vae.hpp"

namespace dermis {

/// Features that sets of images are compared on: uint8 [N, 3, S, S] -> [N, D].
using ImageFeatures = std::function<Eigen::MatrixXd(const at::Tensor& images)>;

/// Images against what is left of them after encode and decode.
struct ReconstructionQuality {
  std::int64_t n = 0;          ///< images, of every figure
  double psnr = 0;             ///< mean over images, decibels; infinite if one comes back unchanged
  double ssim = 0;             ///< mean over images and channels, in [-1, 1]
  std::optional<double> rfid;  ///< Frechet distance to the originals; none without features
};

/// Figures of uint8 images [N, 3, S, S], S at least 11, a multiple of the autoencoder's factor, on
/// `autoencoder`'s device. rFID is biased upwards for few images (see frechet_distance).
/// \throws std::invalid_argument for images that do not fit, or fewer than two with features
ReconstructionQuality reconstruction_quality(KLVAE autoencoder, const at::Tensor& images,
                                             const ImageFeatures& features = {});

/// psnr{value, n}, ssim{value, n} and rfid{value, n}, a value that was not measured null.
Json to_json(const ReconstructionQuality& quality);

}  // namespace dermis
