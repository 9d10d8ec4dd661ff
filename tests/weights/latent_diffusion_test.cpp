#include "dermis/weights/latent_diffusion.hpp"

#include "dermis/core/options.hpp"
#include "folder.hpp"
#include "support.hpp"

using namespace dermis;

namespace {

using Names = std::vector<std::pair<std::string, std::string>>;

/// `name` with the first pair applied whose second (our) part it contains.
std::string with(std::string name, const Names& pairs) {
  for (const auto& [theirs, ours] : pairs) {
    const auto at = name.find(ours);
    if (at == std::string::npos) continue;
    return name.replace(at, ours.size(), theirs);
  }
  return name;
}

Json parsed(const char* params) {
  return Json::parse(params, "params");
}

// As published: unet_config of cin256-v2 and the autoencoder KL-f16.
const char* const cin256 = R"({"image_size": 64, "in_channels": 3, "out_channels": 3,
  "model_channels": 192, "attention_resolutions": [8, 4, 2], "num_res_blocks": 2,
  "channel_mult": [1, 2, 3, 5], "num_heads": 1, "use_spatial_transformer": true,
  "transformer_depth": 1, "context_dim": 512})";
const char* const kl_f16 = R"({"embed_dim": 16, "ddconfig": {"double_z": true, "z_channels": 16,
  "resolution": 256, "in_channels": 3, "out_ch": 3, "ch": 128, "ch_mult": [1, 1, 2, 2, 4],
  "num_res_blocks": 2, "attn_resolutions": [16], "dropout": 0.0}})";

// A small network and where its blocks lie in a checkpoint, written down by hand.
UNetOptions small_unet() {
  return {.in_channels = 2,
          .out_channels = 2,
          .channels = {8, 16},
          .layers_per_block = 1,
          .attention = {0, 1},
          .head_dim = 0,
          .heads = 2,
          .num_classes = 3,
          .norm_groups = 4};
}
const Names unet_blocks = {{"time_embed.0", "time_embedding.linear_1"},
                           {"time_embed.2", "time_embedding.linear_2"},
                           {"label_emb", "class_embedding"},
                           {"input_blocks.0.0", "conv_in"},
                           {"input_blocks.1.0", "down_blocks.0.resnets.0"},
                           {"input_blocks.2.0.op", "down_blocks.0.downsamplers.0.conv"},
                           {"input_blocks.3.0", "down_blocks.1.resnets.0"},
                           {"input_blocks.3.1", "down_blocks.1.attentions.0"},
                           {"middle_block.0", "mid_block.resnets.0"},
                           {"middle_block.1", "mid_block.attentions.0"},
                           {"middle_block.2", "mid_block.resnets.1"},
                           {"output_blocks.0.0", "up_blocks.0.resnets.0"},
                           {"output_blocks.0.1", "up_blocks.0.attentions.0"},
                           {"output_blocks.1.0", "up_blocks.0.resnets.1"},
                           {"output_blocks.1.1", "up_blocks.0.attentions.1"},
                           {"output_blocks.1.2.conv", "up_blocks.0.upsamplers.0.conv"},
                           {"output_blocks.2.0", "up_blocks.1.resnets.0"},
                           {"output_blocks.3.0", "up_blocks.1.resnets.1"},
                           {"out.0", "conv_norm_out"},
                           {"out.2", "conv_out"}};
const Names unet_layers = {
    {".in_layers.0.", ".norm1."},          {".in_layers.2.", ".conv1."},
    {".emb_layers.1.", ".time_emb_proj."}, {".out_layers.0.", ".norm2."},
    {".out_layers.3.", ".conv2."},         {".norm.", ".group_norm."},
    {".proj_out.", ".to_out.0."},          {".skip_connection.", ".conv_shortcut."}};

/// The state dict of `unet` as latent-diffusion would name it.
StateDict in_their_names(const UNet& unet, bool new_order) {
  const auto ours = state_dict(*unet);
  const auto value = [&](const std::string& name) {
    for (const auto& [key, tensor] : ours)
      if (key == name) return tensor;
    return at::Tensor();
  };
  StateDict theirs;
  for (const auto& [name, tensor] : ours) {
    const auto to_q = name.find("to_q.");
    if (name.find("to_k.") != std::string::npos || name.find("to_v.") != std::string::npos)
      continue;
    if (to_q == std::string::npos) {
      const bool attention = name.find(".to_out.") != std::string::npos && tensor.dim() == 2;
      theirs.emplace_back(with(with(name, unet_layers), unet_blocks),
                          attention ? tensor.unsqueeze(-1) : tensor);
      continue;
    }
    std::vector<at::Tensor> rows;  // per head: its rows of q, of k, of v
    const auto d = tensor.size(0) / 2;
    for (std::int64_t head = 0; head < (new_order ? 1 : 2); ++head)
      for (const auto* part : {"to_q.", "to_k.", "to_v."}) {
        const auto all = value(std::string(name).replace(to_q, 5, part));
        rows.push_back(new_order ? all : all.slice(0, head * d, (head + 1) * d));
      }
    auto fused = at::cat(rows);
    if (fused.dim() == 2) fused = fused.unsqueeze(-1);
    theirs.emplace_back(with(std::string(name).replace(to_q, 5, "qkv."), unet_blocks), fused);
  }
  return theirs;
}

/// The state dict of an autoencoder of two levels, one block each, as latent-diffusion would name
/// it.
StateDict in_their_names(const KLVAE& vae) {
  const Names blocks = {{"encoder.down.0.block.0", "encoder.down_blocks.0.resnets.0"},
                        {"encoder.down.1.block.0", "encoder.down_blocks.1.resnets.0"},
                        {"encoder.down.1.attn.0", "encoder.down_blocks.1.attentions.0"},
                        {"encoder.down.0.downsample", "encoder.down_blocks.0.downsamplers.0"},
                        {"decoder.up.1.block.0", "decoder.up_blocks.0.resnets.0"},
                        {"decoder.up.1.block.1", "decoder.up_blocks.0.resnets.1"},
                        {"decoder.up.1.attn.0", "decoder.up_blocks.0.attentions.0"},
                        {"decoder.up.1.attn.1", "decoder.up_blocks.0.attentions.1"},
                        {"decoder.up.1.upsample", "decoder.up_blocks.0.upsamplers.0"},
                        {"decoder.up.0.block.0", "decoder.up_blocks.1.resnets.0"},
                        {"decoder.up.0.block.1", "decoder.up_blocks.1.resnets.1"},
                        {".mid.block_1", ".mid_block.resnets.0"},
                        {".mid.attn_1", ".mid_block.attentions.0"},
                        {".mid.block_2", ".mid_block.resnets.1"},
                        {".norm_out", ".conv_norm_out"}};
  const Names layers = {{".norm.", ".group_norm."},
                        {".q.", ".to_q."},
                        {".k.", ".to_k."},
                        {".v.", ".to_v."},
                        {".proj_out.", ".to_out.0."},
                        {".nin_shortcut.", ".conv_shortcut."}};
  StateDict theirs;
  for (const auto& [name, tensor] : state_dict(*vae))
    theirs.emplace_back(with(with(name, layers), blocks),
                        tensor.dim() == 2 ? tensor.unsqueeze(-1).unsqueeze(-1) : tensor);
  return theirs;
}

void check_equal(const StateDict& loaded, const StateDict& expected) {
  REQUIRE(loaded.size() == expected.size());
  for (std::size_t i = 0; i < loaded.size(); ++i) {
    INFO(expected[i].first);
    CHECK(torch::equal(loaded[i].second, expected[i].second));
  }
}

}  // namespace

TEST_CASE("latent_diffusion: published configurations are the published models") {
  CHECK(options_to_json(unet_options_from_latent_diffusion(parsed(cin256), 1001)) ==
        options_to_json(ldm_cin256()));
  const auto autoencoder = vae_options_from_latent_diffusion(parsed(kl_f16));
  CHECK(autoencoder.factor() == 16);
  CHECK(autoencoder.attention == std::vector<std::int64_t>{0, 0, 0, 0, 1});
  CHECK(autoencoder.latent_channels == 16);
  CHECK(autoencoder.inner() == 16);
  CHECK(autoencoder.stem() == 128);
}

TEST_CASE("latent_diffusion: a UNet's tensors arrive in their places, plain or prefixed") {
  for (const bool new_order : {false, true}) {
    const UNet unet(small_unet(), ParameterOptions{.generator = test::generator(1)});
    const auto theirs = in_their_names(unet, new_order);
    UNet loaded(small_unet(), ParameterOptions{.generator = test::generator(2)});
    load_state_dict(*loaded, unet_from_latent_diffusion(theirs, small_unet(), new_order), "small");
    check_equal(state_dict(*loaded), state_dict(*unet));

    StateDict checkpoint = {{"betas", torch::zeros({3})}};
    append(checkpoint, theirs, "model.diffusion_model.");
    append(checkpoint, {{"encoder.conv_in.weight", torch::zeros({3})}}, "first_stage_model.");
    UNet again(small_unet(), ParameterOptions{.generator = test::generator(3)});
    load_state_dict(*again, unet_from_latent_diffusion(checkpoint, small_unet(), new_order),
                    "small");
    check_equal(state_dict(*again), state_dict(*unet));
  }
}

TEST_CASE("latent_diffusion: the class embedder comes with a whole model's checkpoint") {
  const auto table = test::randn({4, 6});
  const auto tensors =
      unet_from_latent_diffusion({{"model.diffusion_model.out.2.bias", torch::zeros({2})},
                                  {"cond_stage_model.embedding.weight", table}},
                                 small_unet());
  REQUIRE(tensors.size() == 2);
  CHECK(tensors[0].first == "conv_out.bias");
  CHECK(tensors[1].first == "class_embedder.weight");
  CHECK(tensors[1].second.is_same(table));
}

TEST_CASE("latent_diffusion: an autoencoder's tensors arrive in their places") {
  const KLVAEOptions options{.latent_channels = 2,
                             .channels = {8, 16},
                             .layers_per_block = 1,
                             .norm_groups = 4,
                             .attention = {0, 1}};
  const KLVAE vae(options, ParameterOptions{.generator = test::generator(1)});
  StateDict theirs = {{"loss.discriminator.main.0.weight", torch::zeros({2})}};
  append(theirs, in_their_names(vae));
  StateDict whole = {{"model.diffusion_model.out.2.bias", torch::zeros({2})}};
  append(whole, theirs, "first_stage_model.");
  for (const auto& tensors : {theirs, whole}) {
    KLVAE loaded(options, ParameterOptions{.generator = test::generator(2)});
    load_state_dict(*loaded, vae_from_latent_diffusion(tensors, options), "small");
    check_equal(state_dict(*loaded), state_dict(*vae));
  }
}

TEST_CASE("latent_diffusion: a file tells the sizes of its autoencoder, and its scale if it can") {
  const test::ScratchFolder folder;
  const auto path = folder / "ae.safetensors";
  // Of CompVis: another stem, another inner depth, attention on one level.
  const KLVAEOptions options{.latent_channels = 2,
                             .channels = {32, 64},
                             .layers_per_block = 1,
                             .attention = {0, 1},
                             .inner_channels = 3,
                             .stem_channels = 96};
  const auto loaded_from = [&](const StateDict& tensors) {
    write_tensors(path, tensors);
    return load_latent_diffusion_vae(path);
  };
  const KLVAE vae(options, ParameterOptions{.generator = test::generator(1)});
  const auto alone = loaded_from(in_their_names(vae));
  check_equal(state_dict(*alone), state_dict(*vae));
  CHECK(options_to_json(alone->options) == options_to_json(options));

  StateDict whole = {{"model.diffusion_model.out.2.bias", torch::zeros({2})},
                     {"scale_factor", torch::tensor(0.25)}};
  append(whole, in_their_names(vae), "first_stage_model.");
  const auto part = loaded_from(whole);
  check_equal(state_dict(*part), state_dict(*vae));
  CHECK(part->options.scaling_factor == 0.25);
  whole[1].second = torch::tensor(0.0);
  CHECK(test::message_of<std::runtime_error>([&] { loaded_from(whole); }) ==
        text("[weights] ", path.string(), ": expected a positive scale_factor, got 0"));

  // Of Black Forest Labs: no quant convolutions, Flux's scale.
  auto small_flux = flux_autoencoder();
  small_flux.channels = {32, 32};
  small_flux.layers_per_block = 1;
  const KLVAE flux(small_flux, ParameterOptions{.generator = test::generator(2)});
  const auto bare = loaded_from(in_their_names(flux));
  check_equal(state_dict(*bare), state_dict(*flux));
  CHECK(options_to_json(bare->options) == options_to_json(small_flux));
  CHECK(bare->options.scaling_factor == 0.3611);
  CHECK(bare->options.shift_factor == 0.1159);
  StateDict prefixed;  // another model's, whose scale is not Flux's
  append(prefixed, in_their_names(flux), "first_stage_model.");
  CHECK(loaded_from(prefixed)->options.scaling_factor == 1);
}

TEST_CASE("latent_diffusion: a file that is no autoencoder of theirs is named") {
  const test::ScratchFolder folder;
  const auto path = folder / "ae.safetensors";
  const KLVAEOptions options{.latent_channels = 2, .channels = {32, 32}, .layers_per_block = 1};
  const auto theirs = in_their_names(KLVAE(options));
  const auto error_with = [&](const std::string& name, const at::Tensor& instead = {}) {
    StateDict tensors;
    for (const auto& entry : theirs)
      if (entry.first != name) tensors.push_back(entry);
    if (instead.defined()) tensors.emplace_back(name, instead);
    write_tensors(path, tensors);
    return test::message_of<std::runtime_error>([&] { load_latent_diffusion_vae(path); });
  };
  const auto starts = text("[weights] ", path.string(), ": expected ");
  CHECK(error_with("encoder.conv_in.weight") ==
        starts + "an autoencoder with 'encoder.conv_in.weight' of 4 dimensions");
  CHECK(error_with("encoder.down.0.block.0.conv1.weight") ==
        starts + "an autoencoder with 'encoder.down.0.block.0.conv1.weight' of 4 dimensions");
  CHECK(error_with("encoder.down.1.block.0.conv1.weight", torch::zeros({20, 32, 3, 3})) ==
        starts + "'encoder.down.1.block.0.conv1.weight' of channels divisible by 32, got 20");
  CHECK(error_with("encoder.conv_in.weight", torch::zeros({8, 3, 3, 3})) ==
        starts + "'encoder.conv_in.weight' of channels divisible by 32, got 8");
  CHECK(error_with("decoder.conv_out.bias") ==
        text("[load] ", path.string(), ": 1 missing key (decoder.conv_out.bias)"));
}

TEST_CASE("latent_diffusion: averaged weights replace those last trained") {
  const auto trained = torch::zeros({2}), averaged = torch::ones({2}), table = torch::ones({3});
  StateDict checkpoint = {{"model.diffusion_model.out.2.bias", trained},
                          {"cond_stage_model.embedding.weight", table},
                          {"model_ema.decay", torch::zeros({1})},
                          {"model_ema.diffusion_modelout2bias", averaged}};
  const auto result = with_averaged_weights(checkpoint);
  REQUIRE(result.size() == 2);
  CHECK(result[0].first == "model.diffusion_model.out.2.bias");
  CHECK(result[0].second.is_same(averaged));
  CHECK(result[1].second.is_same(table));

  checkpoint.emplace_back("model.diffusion_model.out.2.weight", trained);
  CHECK(
      test::message_of<std::runtime_error>([&] { with_averaged_weights(checkpoint); }) ==
      "[latent_diffusion] expected an averaged copy of 'model.diffusion_model.out.2.weight' named "
      "'model_ema.diffusion_modelout2weight', found none");
  CHECK(test::message_of<std::runtime_error>([] {
          with_averaged_weights({{"model.a", torch::zeros({1})}});
        }) == "[latent_diffusion] expected averaged weights (model_ema.*), found none");
}

TEST_CASE("latent_diffusion: names without a place are reported by loading") {
  UNet unet(small_unet());
  auto theirs = in_their_names(unet, false);
  theirs.emplace_back("input_blocks.9.0.in_layers.0.weight", torch::zeros({8}));
  CHECK(test::message_of<std::runtime_error>([&] {
          load_state_dict(*unet, unet_from_latent_diffusion(theirs, small_unet()), "small");
        }) == "[load] small: 1 unexpected key (input_blocks.9.0.in_layers.0.weight)");
}

TEST_CASE("latent_diffusion: what a key says and we cannot do is refused by name") {
  const auto unet = [](const char* key, const Json& value, std::int64_t classes = 1001) {
    auto params = parsed(cin256);
    params[key] = value;
    return test::message_of<std::runtime_error>(
        [&] { unet_options_from_latent_diffusion(params, classes); });
  };
  CHECK(unet("dims", 3) == "[config] key 'dims': expected 2, got 3");
  CHECK(unet("conv_resample", false) == "[config] key 'conv_resample': expected true, got false");
  CHECK(unet("n_embed", 5) == "[config] key 'n_embed': expected null, got 5");
  CHECK(unet("channel_mult", std::vector<int>{2, 1}) ==
        "[config] key 'channel_mult': expected the first factor to be 1, got [2,1]");
  CHECK(unet("num_heads", -1) ==
        "[config] key 'num_heads': expected it or num_head_channels to be set");
  CHECK(unet("num_classes", 4) ==
        "[config] key 'num_classes': expected none beside a class embedder, got 4");
  CHECK(unet("num_classes", 1, 0) == "[config] key 'num_classes': expected at least 2, got 1");
  CHECK(unet("dims", 2, 1) ==
        "[config] n_classes of the class embedder: expected at least 2, got 1");
  CHECK(unet("use_spatial_transformer", false, 0) ==
        "[config] key 'context_dim': expected null, got 512");
  auto plain = parsed(cin256);
  plain["use_spatial_transformer"] = false;
  plain["num_heads_upsample"] = 4;
  CHECK(test::message_of<std::runtime_error>([&] { unet_options_from_latent_diffusion(plain); }) ==
        "[config] key 'num_heads_upsample': expected -1 or 1, got 4");

  const auto vae = [](const char* key, const Json& value) {
    auto params = parsed(kl_f16);
    params["ddconfig"][key] = value;
    return test::message_of<std::runtime_error>([&] { vae_options_from_latent_diffusion(params); });
  };
  CHECK(vae("double_z", false) == "[config] key 'double_z': expected true, got false");
  CHECK(vae("out_ch", 1) == "[config] key 'out_ch': expected 3, got 1");
  CHECK(vae("attn_type", "linear") ==
        R"([config] key 'attn_type': expected "vanilla", got "linear")");
  CHECK(vae("tanh_out", true) == "[config] key 'tanh_out': expected false, got true");
}
