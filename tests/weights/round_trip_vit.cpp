/// \file
/// Small models with random weights, each written as a Python library would write it, beside an
/// input and what our model makes of it: published_sample OUT. round_trip_test.sh lets the
/// libraries read them.

#include <ATen/CPUGeneratorImpl.h>

#include <iostream>

#include "dermis/core/file.hpp"
#include "dermis/weights/timm.hpp"
#include "dermis/weights/transformers_mae.hpp"
#include "dermis/weights/transformers_vit.hpp"

using namespace dermis;

namespace {

/// Every weight drawn anew: layers that start at zero would hide a wrong name.
template <class Model>
Model random(Model model, std::uint64_t seed) {
  const torch::NoGradGuard no_grad;
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (auto& parameter : model->parameters())
    parameter.copy_(0.1 * torch::randn(parameter.sizes(), generator) +
                    (parameter.dim() == 1 ? 0.5 : 0.0));
  model->eval();
  return model;
}

at::Tensor normal(at::IntArrayRef shape) {
  return torch::randn(shape, at::make_generator<at::CPUGeneratorImpl>(5));
}

void write_config(const std::filesystem::path& folder, const Json& config) {
  make_directories(folder);
  write_atomically(folder / "config.json", config.dump(2) + "\n");
}

void timm_vit(const std::filesystem::path& folder, const ViTOptions& options) {
  auto vit = random(ViT(options), 1);
  write_config(folder, vit_options_to_timm(options));
  write_tensors(folder / "model.safetensors", vit_to_timm(state_dict(*vit)));
  const auto images = normal({2, 3, options.image_size, options.width()});
  write_tensors(folder / "check.safetensors",
                {{"images", images}, {"logits", vit->forward(images)}});
}

void transformers_vit(const std::filesystem::path& folder, const ViTOptions& options) {
  auto vit = random(ViT(options), 2);
  write_config(folder, vit_options_to_transformers(options, {"MEL", "NV", "BCC"}));
  write_tensors(folder / "model.safetensors", vit_to_transformers(state_dict(*vit)),
                {{"format", "pt"}});
  const auto images = normal({2, 3, options.image_size, options.width()});
  write_tensors(folder / "check.safetensors",
                {{"images", images}, {"logits", vit->forward(images)}});
}

void transformers_mae(const std::filesystem::path& folder, const MAEOptions& options) {
  auto mae = random(MAE(options), 3);
  write_config(folder, mae_options_to_transformers(options));
  write_tensors(folder / "model.safetensors", mae_to_transformers(state_dict(*mae)),
                {{"format", "pt"}});
  const auto images = normal({2, 3, options.encoder.image_size, options.encoder.width()});
  const auto noise =
      torch::rand({2, options.encoder.patches()}, at::make_generator<at::CPUGeneratorImpl>(6));
  const auto output = mae->forward(images, noise);
  write_tensors(folder / "check.safetensors", {{"images", images},
                                               {"noise", noise},
                                               {"mask", output.mask},
                                               {"prediction", output.prediction},
                                               {"loss", output.loss}});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: round_trip_vit OUT\n";
    return 2;
  }
  const std::filesystem::path out = argv[1];
  const torch::NoGradGuard no_grad;
  const ViTOptions vit{
      .image_size = 32, .patch_size = 8, .dim = 24, .depth = 2, .heads = 3, .num_classes = 3};
  auto changed = vit;
  changed.mean_pooling = true;
  changed.layer_scale = 0.1;
  changed.qkv_bias = false;
  timm_vit(out / "timm_token", vit);
  timm_vit(out / "timm_mean", changed);
  auto published = vit;
  published.norm_eps = 1e-12;
  transformers_vit(out / "transformers_vit", published);
  auto encoder = published;
  encoder.num_classes = 0;
  transformers_mae(out / "transformers_mae",
                   {.encoder = encoder, .decoder_dim = 16, .decoder_depth = 1, .decoder_heads = 2});
  return 0;
}
