#include <ATen/CPUGeneratorImpl.h>

#include "../train/generator_process.hpp"
#include "dermis/audit/equal_counts.hpp"
#include "dermis/audit/membership.hpp"
#include "dermis/core/random.hpp"
#include "dermis/diffusion/denoising_loss.hpp"

namespace dermis {

namespace {

ImageLosses denoising_errors(const Generator& generator, const PixelSet& set, std::uint64_t seed,
                             const std::string& purpose, std::int64_t times) {
  auto unet = generator.unet;
  unet->eval();
  const auto device = unet->conv_in->weight.device();
  const auto latents = encode_latents(generator.autoencoder, set.images).to(device);
  std::vector<std::int64_t> shape = {times};
  shape.insert(shape.end(), latents.sizes().begin(), latents.sizes().end());
  RandomStream stream(seed, purpose);
  const auto draws = at::make_generator<at::CPUGeneratorImpl>(stream.bits64());
  const auto noise = torch::randn(shape, draws).to(device);
  const auto errors = detail::with_process(generator.options, [&](const auto& process) {
    return denoising_loss(process, denoiser_of(unet), latents, set.labels.to(device),
                          time_grid(process, times).to(device), noise);
  });
  const auto means = errors.mean(0).to(at::kDouble).cpu().contiguous();
  ImageLosses losses;
  losses.losses.assign(means.const_data_ptr<double>(), means.const_data_ptr<double>() + set.size());
  losses.lesions = lesions_of(set);
  return losses;
}

}  // namespace

MembershipResult membership_audit(const Generator& generator, const PixelSet& training,
                                  const PixelSet& held_out, std::uint64_t seed,
                                  std::int64_t times) {
  const auto rows = equal_class_rows({&training, &held_out}, seed);
  const auto errors = [&](const PixelSet& set, const ClassRows& of_set, const char* purpose) {
    return denoising_errors(generator, set.subset(joined(of_set)), seed, purpose, times);
  };
  return membership_audit(errors(training, rows[0], "membership/training"),
                          errors(held_out, rows[1], "membership/held_out"));
}

}  // namespace dermis
