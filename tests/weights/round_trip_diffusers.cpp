/// \file
/// The C++ half of round_trip_diffusers.py. `round_trip_diffusers write OUT` saves small models as
/// diffusers folders, each with example.safetensors: inputs and what the model answers. `... read
/// OUT` loads the same folders, meanwhile saved by diffusers, and compares the answers bit for bit.
/// Exit codes: 0 done, 1 an error or a difference, 2 wrong usage.

#include <iostream>

#include <ATen/CPUGeneratorImpl.h>

#include "dermis/weights/diffusers_unet.hpp"
#include "dermis/weights/diffusers_vae.hpp"

namespace {

using namespace dermis;

at::Generator generator(std::uint64_t seed) {
  return at::make_generator<at::CPUGeneratorImpl>(seed);
}

at::Tensor draw(at::IntArrayRef sizes, std::uint64_t seed) {
  return at::randn(sizes, generator(seed));
}

/// Layers that start at zero would hide those before them.
template <class Model>
Model stirred(Model model) {
  auto noise = generator(2);
  for (auto& parameter : model->parameters())
    parameter.add_(0.1 * at::randn(parameter.sizes(), noise));
  return model;
}

StateDict answers(const StateDict& inputs, KLVAE& vae) {
  const auto mean = vae->encode(inputs[0].second).mean;
  return {{"mean", mean}, {"decoded", vae->decode(mean)}};
}

StateDict answers(const StateDict& inputs, UNet& unet) {
  at::Tensor labels, context;
  for (const auto& [name, tensor] : inputs) {
    if (name == "class_labels") labels = tensor;
    if (name == "encoder_hidden_states") context = tensor;
  }
  return {{"out", unet->forward(inputs[0].second, inputs[1].second, labels, context)}};
}

StateDict inputs_of(const KLVAE& vae) {
  return {{"image", draw({2, vae->options.in_channels, 16, 24}, 11)}};
}

StateDict inputs_of(const UNet& unet) {
  const auto& o = unet->options;
  StateDict inputs = {{"sample", draw({2, o.in_channels, 8, 12}, 12)},
                      {"timestep", at::tensor({7, 801}, at::kLong)}};
  if (o.num_classes > 0)
    inputs.emplace_back("class_labels", at::tensor({std::int64_t{0}, o.num_classes}, at::kLong));
  if (o.cross_attention_dim > 0 && !o.class_token)
    inputs.emplace_back("encoder_hidden_states", draw({2, 5, o.cross_attention_dim}, 13));
  return inputs;
}

template <class Model>
void write(const std::filesystem::path& folder, Model model,
           void (*save)(const std::filesystem::path&, const Model&)) {
  save(folder, model);
  auto example = inputs_of(model);
  const auto outputs = answers(example, model);
  append(example, outputs, "expected.");
  if constexpr (std::is_same_v<Model, UNet>) {
    // What diffusers' network gets in place of the class: the token.
    if (!model->class_embedder.is_empty())
      example.emplace_back("token", model->class_embedder->forward(example[2].second).unsqueeze(1));
  }
  write_tensors(folder / "example.safetensors", example);
}

template <class Model>
bool agrees(const std::filesystem::path& folder, Model model) {
  const auto example = read_tensors(folder / "example.safetensors").tensors;
  for (const auto& [name, value] : answers(example, model))
    for (const auto& [key, expected] : example)
      if (key == "expected." + name && !at::equal(value, expected)) {
        std::cerr << folder.string() << ": '" << name << "' differs after the round trip\n";
        return false;
      }
  return true;
}

void write_all(const std::filesystem::path& out) {
  const auto vae = [&](const char* name, const KLVAEOptions& options) {
    write<KLVAE>(out / name, stirred(KLVAE(options, ParameterOptions{.generator = generator(3)})),
                 save_diffusers_vae);
  };
  vae("vae_stable_diffusion", {.channels = {8, 16, 16}, .norm_groups = 4});
  vae("vae_flux", {.latent_channels = 16,
                   .channels = {8, 16},
                   .norm_groups = 4,
                   .use_quant_conv = false,
                   .use_post_quant_conv = false,
                   .scaling_factor = 0.3611,
                   .shift_factor = 0.1159});
  vae("vae_attention", {.channels = {8, 16}, .norm_groups = 4, .attention = {1, 0}});
  const auto unet = [&](const char* name, UNetOptions options) {
    options.channels = {8, 16};
    options.norm_groups = 4;
    options.head_dim = 4;
    write<UNet>(out / name, stirred(UNet(options, ParameterOptions{.generator = generator(4)})),
                save_diffusers_unet);
  };
  unet("unet_unconditional", {.attention = {0, 1}});
  unet("unet_class", {.attention = {0, 1}, .num_classes = 8});
  unet("unet_scale_shift", {.attention = {0, 1},
                            .num_classes = 8,
                            .scale_shift = true,
                            .up_attention = {1, 0},
                            .mid_norm_groups = 0,
                            .resnet_down = {1, 0},
                            .downsample_padding = 0,
                            .flip_sin_to_cos = false,
                            .freq_shift = 1});
  unet("unet_class_token", {.attention = {1, 1}, .num_classes = 8, .cross_attention_dim = 12});
  unet("unet_context", {.attention = {1, 0},
                        .num_classes = 8,
                        .cross_attention_dim = 12,
                        .class_token = false,
                        .level_heads = {2, 4},
                        .level_depths = {1, 2},
                        .linear_projection = true});
}

bool read_all(const std::filesystem::path& out) {
  bool good = true;
  for (const auto& entry : std::filesystem::directory_iterator(out)) {
    const auto& folder = entry.path();
    const bool vae = folder.filename().string().rfind("vae", 0) == 0;
    good = (vae ? agrees(folder, load_diffusers_vae(folder))
                : agrees(folder, load_diffusers_unet(folder))) &&
           good;
  }
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc == 3 ? argv[1] : "";
  if (mode != "write" && mode != "read") {
    std::cerr << "usage: round_trip_diffusers write|read OUT\n";
    return 2;
  }
  try {
    const torch::NoGradGuard no_grad;
    if (mode == "write") write_all(argv[2]);
    return mode == "write" || read_all(argv[2]) ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "round_trip_diffusers: " << error.what() << '\n';
    return 1;
  }
}
