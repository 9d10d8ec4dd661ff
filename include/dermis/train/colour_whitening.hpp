#pragma once
/// \file
/// Colours in which an autoencoder learns hue as soon as lightness.

#include "dermis/models/kl_vae.hpp"

namespace dermis {

/// A change of colours, one matrix for every pixel: y = forward x, x = inverse y. float [3, 3].
///
/// Skin differs in lightness far more than in hue, and what is large is learned first: a small
/// autoencoder gives red lesions back brown for thousands of steps. In whitened colours no
/// direction is larger than another.
struct ColourWhitening {
  at::Tensor forward, inverse;
};

/// Of images uint8 [N, 3, S, S], as -1..1: forward = (M / largest eigenvalue of M)^(-1/2), M the
/// mean of x x^T over all pixels. About 0 and not about the mean, so that absorb() is exact where
/// convolutions pad with zeros. Directions with less than 1e-4 of the largest (all that grey images
/// have beside grey) are amplified no more than 100 times.
ColourWhitening colour_whitening(const at::Tensor& images);

/// `matrix` times every pixel of images [B, 3, H, W], in their own precision under autocast, too.
at::Tensor recoloured(const at::Tensor& images, const at::Tensor& matrix);

/// Makes an autoencoder of whitened images one of images as they are: its first and its last
/// convolution take the change of colours in.
void absorb(KLVAE& autoencoder, const ColourWhitening& whitening);

}  // namespace dermis
