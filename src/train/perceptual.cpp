#include "dermis/train/perceptual.hpp"

#include <algorithm>
#include <map>

#include "dermis/io/tensors.hpp"
#include "dermis/models/mae.hpp"
#include "dermis/models/vgg.hpp"
#include "dermis/weights/key_map.hpp"

namespace dermis {
namespace {

at::Tensor unit_channels(const at::Tensor& map) {
  const auto x = map.to(at::kFloat);
  // 1e-10 as lpips; linalg_vector_norm, unlike sqrt, has a finite gradient where all channels are 0
  return x / (at::linalg_vector_norm(x, 2, at::IntArrayRef{1}, /*keepdim=*/true) + 1e-10);
}

/// Hidden states [B, 1 + N, D] of either kind of encoder; [0] is the embedding.
std::vector<at::Tensor> hidden_states(torch::nn::Module& module, const at::Tensor& images) {
  if (auto* vit = module.as<ViTImpl>())
    return vit->forward_features(images, {.hidden_states = true}).hidden_states;
  auto* mae = module.as<MAEImpl>();
  const auto all = torch::arange(mae->options.encoder.patches(),
                                 torch::dtype(torch::kLong).device(images.device()));
  std::vector<at::Tensor> states;
  mae->encode(images, all.expand({images.size(0), -1}), &states);
  return states;
}

std::vector<std::int64_t> quarters(std::int64_t depth) {
  std::vector<std::int64_t> blocks;
  for (std::int64_t quarter = 1; quarter <= 4; ++quarter) {
    const auto block = std::max<std::int64_t>(1, depth * quarter / 4);
    if (blocks.empty() || block > blocks.back()) blocks.push_back(block);
  }
  return blocks;
}

/// The file's tensors as "features.N.*" and "linN".
StateDict lpips_tensors(const std::filesystem::path& path) {
  KeyMap map = {{"features.*.*", "features.*.*"},
                {"lin*.model.1.weight", "lin*"},
                {"lins.*.model.1.weight", ""},  // the same tensors once more
                {"classifier.*.*", ""},
                {"scaling_layer.*", ""}};
  for (int slice = 1; slice <= 5; ++slice)
    map.push_back({text("net.slice", slice, ".*.*"), "features.*.*"});
  return rename_keys(read_tensors(path).tensors, map, "LPIPS with VGG-16", path.string());
}

}  // namespace

at::Tensor perceptual_distance(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b,
                               const std::vector<at::Tensor>& weights) {
  check_argument(
      !a.empty() && a.size() == b.size() && (weights.empty() || weights.size() == a.size()),
      "[perceptual] expected as many maps of either image, at least one, and no weights "
      "or as many, got ",
      a.size(), ", ", b.size(), " and ", weights.size(), " weights");
  at::Tensor sum;
  for (std::size_t i = 0; i < a.size(); ++i) {
    check_argument(a[i].dim() == 4 && a[i].sizes() == b[i].sizes(),
                   "[perceptual] expected maps of one shape [B, C, h, w], got ", shape_text(a[i]),
                   " and ", shape_text(b[i]));
    auto difference = (unit_channels(a[i]) - unit_channels(b[i])).square();  // [B, C, h, w]
    if (!weights.empty()) {
      check_argument(weights[i].numel() == a[i].size(1), "[perceptual] expected ", a[i].size(1),
                     " weights for map ", i, ", got ", weights[i].numel());
      difference = difference * weights[i].view({1, -1, 1, 1});
    }
    const auto layer = difference.sum(1).mean({1, 2});  // [B]
    sum = sum.defined() ? sum + layer : layer;
  }
  return sum;
}

at::Tensor perceptual_distance(const PerceptualFeatures& features, const at::Tensor& images,
                               const at::Tensor& target) {
  check_argument(static_cast<bool>(features.maps),
                 "[perceptual] expected feature maps, see feature_maps and load_lpips");
  std::vector<at::Tensor> aim;
  {
    torch::NoGradGuard no_grad;
    aim = features.maps(target);
  }
  return perceptual_distance(features.maps(images), aim, features.weights);
}

FeatureMaps feature_maps(const Encoder& encoder, std::vector<std::int64_t> blocks) {
  check_argument(encoder.module && (encoder.module->as<ViTImpl>() || encoder.module->as<MAEImpl>()),
                 "[perceptual] expected an encoder that is a MAE or a ViT, got ",
                 encoder.module ? encoder.module->name() : "none");
  const auto depth = encoder.options.depth;
  if (blocks.empty()) blocks = quarters(depth);
  for (std::size_t i = 0; i < blocks.size(); ++i)
    check_argument(blocks[i] >= 1 && blocks[i] <= depth && (i == 0 || blocks[i] > blocks[i - 1]),
                   "[perceptual] expected ascending blocks in 1..", depth, ", got ", blocks[i]);
  const auto module = encoder.module->clone();
  freeze(*module);
  return [module, blocks, options = encoder.options,
          normalization = encoder.normalization](const at::Tensor& images) {
    const auto [height, width] = options.grid_size();
    const auto h = height * options.patch_size, w = width * options.patch_size;
    auto x = (images + 1) / 2;
    if (x.size(2) != h || x.size(3) != w) x = resize(x, h, w, Filter::Bilinear);
    const auto states = hidden_states(*module, normalization(x));
    std::vector<at::Tensor> maps;
    for (const auto block : blocks)
      maps.push_back(states[static_cast<std::size_t>(block)]
                         .slice(1, 1)  // without the class token
                         .transpose(1, 2)
                         .reshape({x.size(0), options.dim, height, width}));
    return maps;
  };
}

PerceptualFeatures load_lpips(const std::filesystem::path& path, at::Device device) {
  StateDict network;
  std::map<std::string, at::Tensor> by_name;
  for (const auto& [name, tensor] : lpips_tensors(path)) {
    by_name.emplace(name, tensor);
    if (name.rfind("features.", 0) == 0) network.emplace_back(name, tensor);
  }
  const auto tensor = [&](const std::string& ours, const std::string& theirs) {
    const auto found = by_name.find(ours);
    check_runtime(found != by_name.end() && found->second.dim() == 4, "[lpips] ", path.string(),
                  ": expected '", theirs, "' of 4 dimensions");
    return found->second.to(at::kFloat);
  };
  VGG16Options options;
  std::vector<at::Tensor> weights;
  std::int64_t index = 0;  // of a stage's first convolution
  for (std::size_t stage = 0; stage < VGG16FeaturesImpl::stages.size(); ++stage) {
    const auto name = text("features.", index, ".weight");
    options.channels[stage] = tensor(name, name).size(0);
    index += 2 * VGG16FeaturesImpl::stages[stage] + 1;
    const auto theirs = text("lin", stage, ".model.1.weight");
    weights.push_back(tensor(text("lin", stage), theirs).flatten().to(device));
    check_runtime(weights.back().numel() == options.channels[stage], "[lpips] ", path.string(),
                  ": expected '", theirs, "' of ", options.channels[stage], " channels, got ",
                  weights.back().numel());
  }
  VGG16Features vgg(options, ParameterOptions{.init = false});
  load_state_dict(*vgg, network, path.string());
  vgg->to(device);
  freeze(*vgg);
  const auto values = [&](std::vector<float> rgb) {
    return torch::tensor(rgb).view({1, 3, 1, 1}).to(device);
  };
  // lpips' ScalingLayer: ImageNet's mean and deviation for pixels in -1..1
  const auto shift = values({-.030F, -.088F, -.188F}), scale = values({.458F, .448F, .450F});
  return {[vgg, shift, scale](const at::Tensor& images) mutable {
            return vgg->forward((images - shift) / scale);
          },
          std::move(weights)};
}

}  // namespace dermis
