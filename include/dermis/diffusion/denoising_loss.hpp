#pragma once
/// \file
/// Held-out denoising loss on a fixed grid of times and given noise, so that true labels, shuffled
/// labels and the linear denoiser are compared on the very same task.

#include <algorithm>

#include "dermis/core/check.hpp"
#include "dermis/diffusion/denoiser.hpp"

namespace dermis {

/// Times in the middle of `count` equally likely intervals of the process's own time density, [K].
template <class Process>
at::Tensor time_grid(const Process& process, std::int64_t count) {
  check_argument(count >= 1, "[denoising_loss] expected at least 1 time, got ", count);
  return process.times((at::arange(count, at::kDouble) + 0.5) / static_cast<double>(count));
}

/// Squared error of the denoiser against the training target, mean over C, H and W: [K, N] fp32.
/// latents [N, C, H, W] (scaled as in training), labels int64 [N] or undefined, times [K] (see
/// time_grid), noise [K, N, C, H, W] of N(0, 1). Average over dimension 0 for a loss per latent,
/// which pairs across denoisers. Runs without gradients; put the network into evaluation mode
/// first.
template <class Process>
at::Tensor denoising_loss(const Process& process, const ConditionalDenoiser& denoiser,
                          const at::Tensor& latents, const at::Tensor& labels,
                          const at::Tensor& times, const at::Tensor& noise,
                          std::int64_t batch_size = 64) {
  const auto count = latents.size(0);
  check_argument(latents.dim() == 4 && times.dim() == 1 && noise.dim() == 5 &&
                     noise.size(0) == times.size(0) && noise.sizes().slice(1) == latents.sizes(),
                 "[denoising_loss] expected noise of shape [times, N, C, H, W] for ", times.numel(),
                 " times and ", count, " latents");
  check_argument(!labels.defined() || (labels.dim() == 1 && labels.size(0) == count),
                 "[denoising_loss] expected one label a latent, ", count);
  check_argument(batch_size >= 1, "[denoising_loss] expected a positive batch_size, got ",
                 batch_size);
  const at::NoGradGuard no_grad;
  const auto loss = at::empty({times.size(0), count}, at::kFloat);
  for (std::int64_t k = 0; k < times.size(0); ++k) {
    for (std::int64_t i = 0; i < count; i += batch_size) {
      const auto end = std::min(i + batch_size, count);
      const auto x0 = latents.slice(0, i, end);
      const auto t = times[k].expand({end - i}).contiguous();
      const auto batch = process.corrupt(x0, noise[k].slice(0, i, end), t);
      const auto output =
          denoiser(batch.x, batch.time, labels.defined() ? labels.slice(0, i, end) : labels);
      const auto error = (output - batch.target).to(at::kFloat).square().flatten(1).mean(1);  // [b]
      loss[k].slice(0, i, end).copy_(error);
    }
  }
  return loss;
}

}  // namespace dermis
