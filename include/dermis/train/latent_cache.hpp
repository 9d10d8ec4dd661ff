#pragma once
/// \file
/// Latents of a training set, computed once and kept on the disk.

#include <filesystem>

#include "dermis/models/kl_vae.hpp"

namespace dermis {

/// Scaled latents (see encode_latents) of the right-angle views 0 .. views - 1 (see
/// right_angle_view) of uint8 images [N, 3, S, S], view after view: float [views N, C, h, w], on
/// the CPU, computed in full precision.
///
/// With a `directory`, which is created, they are kept in DIRECTORY/latents.safetensors under a
/// fingerprint of the autoencoder's weights and options, the images and the number of views. A file
/// of the same fingerprint is read instead; one of another is replaced, atomically. One that is
/// damaged (every byte is checked) is replaced with a warning on stderr.
/// \param views  1 to 8
/// \throws std::invalid_argument for views out of range or no images; std::runtime_error if the
///         file cannot be written
at::Tensor cached_latents(KLVAE autoencoder, const at::Tensor& images, std::int64_t views,
                          const std::filesystem::path& directory = {});

}  // namespace dermis
