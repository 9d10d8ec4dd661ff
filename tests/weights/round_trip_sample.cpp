// round_trip_sample DIRECTORY: a folder for each library, with config.json and model.safetensors as
// that library reads them and example.safetensors with what our model makes of random images;
// round_trip_vit.py has the libraries load them and compares.
#include <fstream>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include "dermis/core/file.hpp"
#include "dermis/weights/timm.hpp"
#include "dermis/weights/transformers_mae.hpp"
#include "dermis/weights/transformers_vit.hpp"

using namespace dermis;

namespace {

at::Generator generator(std::uint64_t seed) {
  return at::make_generator<at::CPUGeneratorImpl>(seed);
}

/// Random weights that show in the outputs: our first values keep the head near zero.
void perturb(torch::nn::Module& module) {
  auto source = generator(2);
  for (auto& parameter : module.parameters())
    parameter.add_(0.05 * torch::randn(parameter.sizes(), source, parameter.options()));
  module.eval();
}

void write(const std::filesystem::path& folder, const Json& config, const StateDict& weights,
           const StateDict& example) {
  make_directories(folder);
  std::ofstream(folder / "config.json") << config.dump(2) << '\n';
  write_tensors(folder / "model.safetensors", weights, {{"format", "pt"}});
  write_tensors(folder / "example.safetensors", example);
}

at::Tensor images(const ViTOptions& o) {
  return torch::randn({2, o.in_channels, o.image_size, o.width()}, generator(3));
}

void timm(const std::filesystem::path& folder, const ViTOptions& options) {
  ViT vit(options, ParameterOptions{.generator = generator(1)});
  perturb(*vit);
  const auto x = images(options);
  write(folder, vit_options_to_timm(options), vit_to_timm(state_dict(*vit)),
        {{"images", x}, {"output", vit->forward(x)}});
}

void transformers(const std::filesystem::path& folder, const ViTOptions& options) {
  ViT vit(options, ParameterOptions{.generator = generator(1)});
  perturb(*vit);
  const auto x = images(options);
  write(folder, vit_options_to_transformers(options), vit_to_transformers(state_dict(*vit)),
        {{"images", x},
         {"output", options.num_classes > 0 ? vit->forward(x) : vit->forward_features(x).tokens}});
}

void transformers(const std::filesystem::path& folder, const MAEOptions& options) {
  MAE mae(options, ParameterOptions{.generator = generator(1)});
  perturb(*mae);
  const auto x = images(options.encoder);
  const auto noise = torch::rand({2, options.encoder.patches()}, generator(4));
  const auto output = mae->forward(x, noise);
  write(folder, mae_options_to_transformers(options), mae_to_transformers(state_dict(*mae)),
        {{"images", x}, {"noise", noise}, {"output", output.prediction}, {"loss", output.loss}});
}

}  // namespace

int main(int, char** arguments) {
  const torch::NoGradGuard no_grad;
  const std::filesystem::path root = arguments[1];
  timm(root / "timm_token",
       {.image_size = 32, .patch_size = 8, .dim = 48, .depth = 2, .heads = 3, .num_classes = 5});
  timm(root / "timm_avg", {.image_size = 28,
                           .image_width = 42,
                           .patch_size = 14,
                           .in_channels = 1,
                           .dim = 40,
                           .depth = 3,
                           .heads = 5,
                           .mlp_ratio = 2.7,
                           .num_classes = 4,
                           .mean_pooling = true,
                           .qkv_bias = false,
                           .drop_path = 0.1,
                           .layer_scale = 0.1});
  ViTOptions vit{.image_size = 24,
                 .patch_size = 6,
                 .dim = 36,
                 .depth = 2,
                 .heads = 3,
                 .mlp_ratio = 2.75,
                 .num_classes = 4,
                 .norm_eps = 1e-12};
  transformers(root / "transformers_classifier", vit);
  vit.num_classes = 0;
  vit.qkv_bias = false;
  transformers(root / "transformers_model", vit);
  vit.norm_eps = 1e-6;
  transformers(root / "transformers_mae", MAEOptions{.encoder = vit,
                                                     .decoder_dim = 16,
                                                     .decoder_depth = 1,
                                                     .decoder_heads = 2,
                                                     .decoder_mlp_ratio = 3.0,
                                                     .norm_pix_loss = true});
}
