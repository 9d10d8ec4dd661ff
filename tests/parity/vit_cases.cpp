/// \file
/// timm's and transformers' ViT, masked autoencoders of transformers and facebookresearch.

#include <algorithm>
#include <tuple>

#include "case.hpp"
#include "dermis/models/attention_rollout.hpp"
#include "dermis/train/optimizer.hpp"
#include "dermis/train/schedule.hpp"
#include "dermis/weights/mae_original.hpp"
#include "dermis/weights/timm.hpp"
#include "dermis/weights/transformers_mae.hpp"
#include "dermis/weights/transformers_vit.hpp"

namespace {

using namespace dermis;
using namespace dermis::parity;

ViT load(const ViTOptions& options, const StateDict& tensors) {
  ViT vit(options, ParameterOptions{.init = false});
  load_state_dict(*vit, tensors, "weights.safetensors");
  vit->eval();
  return vit;
}

StateDict timm_vit(const Case& c) {
  auto options = vit_options_from_timm(c.config.at("kwargs"));
  options.norm_eps = c.config.value("layer_norm_eps", options.norm_eps);
  auto vit = load(options, vit_from_timm(c.weights()));
  const auto inputs = c.inputs();

  const auto& image = parity::at(inputs, "image");
  const auto features = vit->forward_features(image, {.hidden_states = true});
  StateDict out{{"patch_embed", vit->patch_embed->forward(image)},
                {"tokens", features.hidden_states[0]},
                {"features", features.tokens},
                {"pre_logits", features.pooled},
                {"logits", vit->forward(image)}};
  for (std::size_t i = 1; i < features.hidden_states.size(); ++i)
    out.emplace_back(text("blocks.", i - 1), features.hidden_states[i]);

  for (const auto& grid : c.config.at("resample_grids").elements()) {
    const auto size = grid.get<std::vector<std::int64_t>>();
    out.emplace_back(text("resampled.", size[0], "x", size[1]),
                     resample_position(vit->pos_embed, options.grid_size(), {size[0], size[1]},
                                       /*prefix=*/1, /*antialias=*/true));
  }
  const auto& larger = parity::at(inputs, "image_new");
  auto resized = with_image_size(vit, larger.size(2), larger.size(3), /*antialias=*/true);
  out.emplace_back("features_new", resized->forward_features(larger).tokens);
  out.emplace_back("logits_new", resized->forward(larger));
  return out;
}

StateDict transformers_vit(const Case& c) {
  const auto options = vit_options_from_transformers(c.config);
  auto vit = load(options, vit_from_transformers(c.weights()));
  const auto inputs = c.inputs();

  const auto& pixels = parity::at(inputs, "pixel_values");
  const auto features =
      vit->forward_features(pixels, {.hidden_states = true, .attention_maps = true});
  StateDict out{{"last_hidden_state", features.tokens}, {"logits", vit->forward(pixels)}};
  for (std::size_t i = 0; i < features.hidden_states.size(); ++i)
    out.emplace_back(text("hidden_states.", i), features.hidden_states[i]);
  for (std::size_t i = 0; i < features.attention_maps.size(); ++i)
    out.emplace_back(text("attentions.", i), features.attention_maps[i]);

  for (const auto& [name, fusion] :
       {std::pair{"mean", HeadFusion::Mean}, std::pair{"max", HeadFusion::Max},
        std::pair{"min", HeadFusion::Min}}) {
    const auto rollout = attention_rollout(features.attention_maps, fusion);
    const auto grid = options.grid_size();
    out.emplace_back(text("rollout_", name), rollout);
    out.emplace_back(text("rollout_cls_", name),
                     rollout.select(1, 0).slice(1, 1).reshape({-1, grid.rows, grid.columns}));
  }

  const auto& other = parity::at(inputs, "image_interp");
  auto resized = with_image_size(vit, other.size(2), other.size(3), /*antialias=*/false);
  out.emplace_back("pos_interp", resized->pos_embed);
  out.emplace_back("logits_interp", resized->forward(other));
  return out;
}

MAE load(const MAEOptions& options, const StateDict& tensors) {
  MAE mae(options, ParameterOptions{.init = false});
  load_state_dict(*mae, tensors, "weights.safetensors");
  mae->eval();
  return mae;
}

/// What both libraries' masked autoencoders give.
struct Masked {
  RandomMask mask;
  std::vector<at::Tensor> encoder, decoder;  ///< before the first block and after each
  at::Tensor latent, prediction;
};

Masked reconstruct(MAE& mae, const at::Tensor& images, const at::Tensor& noise) {
  Masked result{random_mask(noise, mae->options.mask_ratio), {}, {}, {}, {}};
  result.latent = mae->encode(images, result.mask.kept, &result.encoder);
  result.prediction = mae->decode(result.latent, result.mask.restore, &result.decoder);
  return result;
}

void append_losses(StateDict& out, MAE& mae, const at::Tensor& images, const at::Tensor& noise) {
  for (const auto& [name, normalised] :
       {std::pair{"loss", false}, std::pair{"loss_norm_pix", true}}) {
    mae->options.norm_pix_loss = normalised;
    out.emplace_back(name, mae->forward(images, noise).loss);
  }
}

at::Tensor picture(const MAE& mae, const at::Tensor& patches) {
  const auto& e = mae->options.encoder;
  return unpatchify_rows(patches, e.patch_size, e.in_channels, e.grid());
}

StateDict transformers_mae(const Case& c) {
  const auto options = mae_options_from_transformers(c.config);
  auto mae = load(options, mae_from_transformers(c.weights()));
  const auto inputs = c.inputs();
  const auto &images = parity::at(inputs, "pixel_values"), &noise = parity::at(inputs, "noise");
  const auto result = reconstruct(mae, images, noise);

  StateDict out{{"ids_restore", result.mask.restore},
                {"mask", result.mask.mask},
                {"embeddings", result.encoder[0]},
                {"latent", result.latent},
                {"decoder.decoder_embed", mae->decoder_embed->forward(result.latent)},
                {"pred", result.prediction},
                {"pred_image", picture(mae, result.prediction)},
                {"target", patchify(images, options.encoder.patch_size)}};
  for (std::size_t i = 1; i < result.encoder.size(); ++i)
    out.emplace_back(text("vit.layers.", i - 1), result.encoder[i]);
  for (std::size_t i = 1; i < result.decoder.size(); ++i)
    out.emplace_back(text("decoder.decoder_layers.", i - 1), result.decoder[i]);
  append_losses(out, mae, images, noise);

  // The same weights in the original's layout are the same model.
  auto original = load(options, mae_from_mae_original(c.tensors("weights_fb.safetensors")));
  const auto again = reconstruct(original, images, noise);
  check_runtime(at::allclose(again.prediction, result.prediction, 1e-5, 1e-6),
                "[parity] weights_fb.safetensors gives another prediction");
  return out;
}

StateDict original_mae(const Case& c) {
  auto options = mae_options_from_mae_original(c.config);
  options.encoder.norm_eps = c.config.value("layer_norm_eps", options.encoder.norm_eps);
  auto mae = load(options, mae_from_mae_original(c.weights()));
  const auto inputs = c.inputs();
  const auto &images = parity::at(inputs, "image"), &noise = parity::at(inputs, "noise");
  const auto result = reconstruct(mae, images, noise);

  const auto normed = mae->decoder_norm->forward(result.decoder.back());
  StateDict out{{"ids_restore", result.mask.restore},
                {"mask", result.mask.mask},
                {"patch_embed", mae->patch_embed->forward(images)},
                {"tokens_in", result.encoder[0]},
                {"latent", result.latent},
                {"decoder_embed", mae->decoder_embed->forward(result.latent)},
                {"decoder_tokens_in", result.decoder[0]},
                {"decoder_norm", normed},
                {"decoder_pred", mae->decoder_pred->forward(normed)},
                {"pred", result.prediction},
                {"pred_image", picture(mae, result.prediction)},
                {"target", patchify(images, options.encoder.patch_size)}};
  for (std::size_t i = 1; i < result.encoder.size(); ++i)
    out.emplace_back(text("blocks.", i - 1), result.encoder[i]);
  for (std::size_t i = 1; i < result.decoder.size(); ++i)
    out.emplace_back(text("decoder_blocks.", i - 1), result.decoder[i]);
  append_losses(out, mae, images, noise);
  return out;
}

GridSize grid_of(const Json& json) {
  const auto size = json.get<std::vector<std::int64_t>>();
  return {size.at(0), size.at(1)};
}

StateDict sincos(const Case& c) {
  StateDict out;
  for (const auto dim : c.config.at("dims").get<std::vector<std::int64_t>>())
    out.emplace_back(text("pos_embed_", dim),
                     sincos_position(dim, grid_of(c.config.at("grid")), /*class_token=*/true)[0]);
  const auto dim = c.config.at("small_dim").get<std::int64_t>();
  const auto grid = grid_of(c.config.at("small_grid"));
  out.emplace_back("small_mae", sincos_position(dim, grid, false, SinCosOrder::ColumnFirst)[0]);
  out.emplace_back("small_canonical", sincos_position(dim, grid, false, SinCosOrder::RowFirst)[0]);
  return out;
}

/// One number a parameter, in the order of `names`.
void append_groups(StateDict& out, const std::string& model, ViT& vit, const Json& config) {
  const auto depth = vit->options.depth;
  const auto groups = layer_decay_groups(*vit, config.at("weight_decay").get<double>(),
                                         config.at("layer_decay").get<double>(), depth);
  std::vector<double> scales, decays;
  std::vector<std::int64_t> layers;
  for (const auto& name : config.at("lrd_names").at(model).get<std::vector<std::string>>()) {
    layers.push_back(vit_layer(name, depth));
    for (const auto& group : groups) {
      if (std::count(group.names.begin(), group.names.end(), name) == 0) continue;
      scales.push_back(group.learning_rate_scale);
      decays.push_back(group.weight_decay);
    }
  }
  out.emplace_back("lrd." + model + ".group", torch::tensor(layers));
  out.emplace_back("lrd." + model + ".lr_scale", torch::tensor(scales, torch::kDouble));
  out.emplace_back("lrd." + model + ".weight_decay", torch::tensor(decays, torch::kDouble));
}

StateDict original_finetuning(const Case& c) {
  const auto inputs = c.inputs();
  const auto& image = parity::at(inputs, "image");
  StateDict out;
  auto options = vit_options_from_mae_original(c.config);
  options.norm_eps = c.config.value("layer_norm_eps", options.norm_eps);
  for (const auto& [model, file, pooled] : {std::tuple{"cls", "weights_cls.safetensors", false},
                                            std::tuple{"gp", "weights.safetensors", true}}) {
    options.mean_pooling = pooled;
    auto vit = load(options, vit_from_mae_original(c.tensors(file), file));
    const auto features = vit->forward_features(image, {.hidden_states = true});
    for (std::size_t i = 1; i < features.hidden_states.size(); ++i)
      out.emplace_back(text(model, ".blocks.", i - 1), features.hidden_states[i]);
    out.emplace_back(text(model, ".features"), features.pooled);
    out.emplace_back(text(model, ".logits"), vit->classify(features.pooled));
    append_groups(out, model, vit, c.config);
    if (!pooled) continue;
    for (const std::string name : {"up", "down"}) {
      const auto& other = parity::at(inputs, "image_" + name);
      auto resized = with_image_size(vit, other.size(2), other.size(3), /*antialias=*/false);
      out.emplace_back("pos_" + name, resized->pos_embed);
      out.emplace_back("logits_" + name, resized->forward(other));
    }
  }

  const LearningRateOptions schedule{
      .learning_rate = c.config.at("lr").get<double>(),
      .minimum = c.config.at("min_lr").get<double>(),
      .warmup_steps = c.config.at("warmup_epochs").get<std::int64_t>(),
      .steps = c.config.at("epochs").get<std::int64_t>()};
  std::vector<double> rates;
  for (const auto epoch : c.config.at("at").get<std::vector<double>>())
    rates.push_back(learning_rate(epoch, schedule));
  auto scales = c.config.at("group_scales").get<std::vector<double>>();
  scales.push_back(1);  // a group without a scale
  const auto rate = torch::tensor(rates, torch::kDouble);
  out.emplace_back("sched.lr", rate);
  out.emplace_back("sched.group_lr", at::outer(rate, torch::tensor(scales, torch::kDouble)));
  return out;
}

const Register _[] = {{"01a", timm_vit},           {"01b", timm_vit}, {"02", transformers_vit},
                      {"03a", transformers_mae},   {"03b", sincos},   {"13a", original_mae},
                      {"13b", original_finetuning}};

}  // namespace
