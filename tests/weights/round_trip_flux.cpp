/// \file
/// The C++ half of round_trip_flux.py: `round_trip_flux OUT` writes a small Flux in
/// black-forest-labs' layout (flux.safetensors), the same as a diffusers folder (transformer), an
/// adapter of kohya (kohya.safetensors), and example.safetensors: inputs, and the latents that our
/// sampler makes of them. The sampled model is the one in the files. The rest of a pipeline is
/// there for `dermaflux generate`: vae, text encoders and tokenizers, and in example.safetensors
/// the noise that the program starts from. Exit codes: 0 done, 1 an error, 2 wrong usage.

#include <iostream>

#include <ATen/CPUGeneratorImpl.h>

#include "dermis/core/file.hpp"
#include "dermis/core/random.hpp"
#include "dermis/diffusion/flux_sampling.hpp"
#include "dermis/weights/diffusers_vae.hpp"
#include "dermis/weights/lora.hpp"
#include "dermis/weights/streamed_flux.hpp"
#include "train/text_folders.hpp"

namespace {

using namespace dermis;

at::Generator generator(std::uint64_t seed) {
  return at::make_generator<at::CPUGeneratorImpl>(seed);
}

at::Tensor draw(at::IntArrayRef sizes, std::uint64_t seed) {
  return at::randn(sizes, generator(seed));
}

/// Random weights, the adapter's too: all that is zero at first would hide what is behind it.
void write_files(const std::filesystem::path& out) {
  auto options = flux_tiny();
  options.double_blocks = 2;
  Flux flux(options, ParameterOptions{.generator = generator(1)});
  auto noise = generator(2);
  for (auto& parameter : flux->parameters())
    parameter.add_(0.1 * at::randn(parameter.sizes(), noise));
  write_tensors(out / "flux.safetensors", state_dict(*flux));
  save_diffusers_flux(out / "transformer", flux);
  // diffusers takes a single block's linear1 apart by FLUX.1's sizes, which this one has not.
  add_low_rank(*flux, {"double_blocks.*.*.*", "linear2", "modulation.lin"}, {.rank = 4, .alpha = 3},
               generator(3));
  for (const auto& [path, linear] : linear_layers(*flux))
    if (linear->low_rank().enabled()) linear->lora_B.normal_(0, 0.2, noise);
  write_lora_kohya(out / "kohya.safetensors", collect_lora(*flux));
}

/// Autoencoder and text encoders that fit the transformer.
void write_pipeline(const std::filesystem::path& out) {
  const auto flux = flux_tiny();
  auto t5 = test::small_t5();
  t5.dim = flux.text_dim;
  auto clip = test::small_clip();
  clip.dim = flux.pooled_dim;
  clip.positions = 77;
  test::write_text_folders(out, t5, clip);
  const KLVAE vae(KLVAEOptions{.latent_channels = flux.in_channels / 4,
                               .channels = {8, 16},
                               .layers_per_block = 1,
                               .norm_groups = 4,
                               .use_quant_conv = false,
                               .use_post_quant_conv = false,
                               .scaling_factor = 0.3611,
                               .shift_factor = 0.1159},
                  ParameterOptions{.generator = generator(9)});
  save_diffusers_vae(out / "vae", vae);
}

/// What `dermaflux generate --seed 3` starts from: [2, C, 16, 16].
at::Tensor program_noise(std::int64_t channels) {
  auto noise = at::empty({2, channels, 16, 16});
  for (std::int64_t i = 0; i < 2; ++i) {
    RandomStream stream(3, "prompt", 0, static_cast<std::uint64_t>(i));
    auto* value = noise[i].data_ptr<float>();
    for (std::int64_t k = 0; k < noise[i].numel(); ++k)
      value[k] = static_cast<float>(stream.normal());
  }
  return noise;
}

void write_example(const std::filesystem::path& out) {
  StreamedFlux flux(out / "flux.safetensors");
  const auto& o = flux.options();
  const auto report = flux.set_lora(read_lora(out / "kohya.safetensors"), "kohya.safetensors");
  std::cout << report.text() << '\n';
  const FluxPrompt prompt{draw({2, 5, o.text_dim}, 4), draw({2, o.pooled_dim}, 5)};
  const FluxPrompt negative{draw({2, 5, o.text_dim}, 6), draw({2, o.pooled_dim}, 7)};
  const auto noise = draw({2, o.in_channels / 4, 4, 6}, 8);
  const FluxNetwork network = [&](const FluxInput& input) { return flux.forward(input); };
  const auto sampled = [&](const FluxSamplingOptions& options) {
    return pack_latents(sample_flux(network, o.guidance, prompt, noise, options, negative));
  };
  write_tensors(out / "example.safetensors",
                {{"text", prompt.text},
                 {"pooled", prompt.pooled},
                 {"negative_text", negative.text},
                 {"negative_pooled", negative.pooled},
                 {"noise", pack_latents(noise)},
                 {"program_noise", pack_latents(program_noise(o.in_channels / 4))},
                 {"expected.guidance", sampled({.steps = 4})},
                 {"expected.true_guidance", sampled({.steps = 4, .true_guidance = 2})},
                 {"expected.heun", sampled({.steps = 4, .heun = true})}});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: round_trip_flux OUT\n";
    return 2;
  }
  try {
    const torch::NoGradGuard no_grad;
    const std::filesystem::path out = argv[1];
    make_directories(out);
    write_files(out);
    write_pipeline(out);
    write_example(out);
  } catch (const std::exception& error) {
    std::cerr << "round_trip_flux: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
