#include <fstream>

#include "dermis/core/options.hpp"
#include "dermis/weights/diffusers_unet.hpp"
#include "dermis/weights/diffusers_vae.hpp"
#include "folder.hpp"
#include "support.hpp"

using namespace dermis;

namespace {

// As published: the autoencoder of Stable Diffusion 1 and DDPM's network for CIFAR-10.
const char* const stable_diffusion_vae = R"({
  "_class_name": "AutoencoderKL", "_diffusers_version": "0.6.0", "act_fn": "silu",
  "block_out_channels": [128, 256, 512, 512],
  "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D",
                       "DownEncoderBlock2D"],
  "in_channels": 3, "latent_channels": 4, "layers_per_block": 2, "norm_num_groups": 32,
  "out_channels": 3, "sample_size": 512,
  "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D",
                     "UpDecoderBlock2D"]})";
const char* const ddpm_cifar10 = R"({
  "_class_name": "UNet2DModel", "_diffusers_version": "0.0.4", "act_fn": "silu",
  "attention_head_dim": null, "block_out_channels": [128, 256, 256, 256],
  "center_input_sample": false,
  "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
  "downsample_padding": 0, "flip_sin_to_cos": false, "freq_shift": 1, "in_channels": 3,
  "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-06, "norm_num_groups": 32,
  "out_channels": 3, "sample_size": 32, "time_embedding_type": "positional",
  "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"]})";
const char* const stable_diffusion_unet = R"({
  "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.6.0", "act_fn": "silu",
  "attention_head_dim": 8, "block_out_channels": [320, 640, 1280, 1280],
  "center_input_sample": false, "cross_attention_dim": 768,
  "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D",
                       "DownBlock2D"],
  "downsample_padding": 1, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4,
  "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 32,
  "out_channels": 4, "sample_size": 64,
  "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D",
                     "CrossAttnUpBlock2D"]})";

Json parsed(const char* config) {
  return Json::parse(config, "config.json");
}

const KLVAEOptions tiny_vae{.latent_channels = 2,
                            .channels = {8, 16},
                            .layers_per_block = 1,
                            .norm_groups = 4,
                            .use_quant_conv = false,
                            .scaling_factor = 0.3611,
                            .shift_factor = 0.1159,
                            .attention = {0, 1}};

const UNetOptions tiny_unet{.in_channels = 2,
                            .out_channels = 3,
                            .channels = {8, 16},
                            .layers_per_block = 1,
                            .attention = {0, 1},
                            .head_dim = 4,
                            .num_classes = 3,
                            .norm_groups = 4};

void check_equal(const torch::nn::Module& a, const torch::nn::Module& b) {
  const auto left = state_dict(a), right = state_dict(b);
  REQUIRE(left.size() == right.size());
  for (std::size_t i = 0; i < left.size(); ++i) {
    CHECK(left[i].first == right[i].first);
    CHECK(torch::equal(left[i].second, right[i].second));
  }
}

/// The error that a config gives after one key was set to `value`.
std::string refused(Json config, const char* key, const Json& value) {
  config[key] = value;
  return test::message_of<std::runtime_error>([&] {
    if (config.contains("latent_channels"))
      vae_options_from_diffusers(config);
    else
      unet_options_from_diffusers(config);
  });
}

}  // namespace

TEST_CASE("diffusers: published configurations give the published number of parameters") {
  const ParameterOptions meta{.device = at::kMeta};
  const auto vae = vae_options_from_diffusers(parsed(stable_diffusion_vae));
  CHECK(parameter_count(*KLVAE(vae, meta)) == 83653863);
  CHECK(vae.scaling_factor == 0.18215);  // the library's default: this file does not say
  CHECK(parameter_count(*UNet(unet_options_from_diffusers(parsed(ddpm_cifar10)), meta)) ==
        35746307);
  const auto unet = unet_options_from_diffusers(parsed(stable_diffusion_unet));
  CHECK(parameter_count(*UNet(unet, meta)) == 859520964);
  CHECK(unet.heads_at(0) == 8);
  CHECK(unet.heads_at(3) == 8);
  CHECK_FALSE(unet.class_token);
}

TEST_CASE("diffusers: options survive the way to config.json and back") {
  for (const auto& options : {kl_f8(), kl_f4(), tiny_vae})
    CHECK(options_to_json(vae_options_from_diffusers(vae_options_to_diffusers(options))) ==
          options_to_json(options));

  auto by_resnet = tiny_unet;
  by_resnet.scale_shift = true;
  by_resnet.mid_norm_groups = 0;
  by_resnet.attention = {1, 0};
  by_resnet.up_attention = {0, 1};
  by_resnet.resnet_down = {1, 0};
  by_resnet.resnet_up = {0, 1};
  by_resnet.downsample_padding = 0;
  by_resnet.flip_sin_to_cos = false;
  by_resnet.freq_shift = 1;
  auto normed = by_resnet;
  normed.mid_norm_groups = -1;
  normed.num_classes = 0;
  normed.mid_attention = false;
  auto one_head = tiny_unet;
  one_head.head_dim = 0;
  auto context = tiny_unet;
  context.class_token = false;
  context.cross_attention_dim = 6;
  context.head_dim = 0;
  context.level_heads = {2, 4};
  context.level_depths = {1, 2};
  context.linear_projection = true;
  for (const auto& options : {tiny_unet, by_resnet, normed, one_head, context})
    CHECK(options_to_json(unet_options_from_diffusers(unet_options_to_diffusers(options))) ==
          options_to_json(options));
}

TEST_CASE("diffusers: what a key says and we cannot do is refused by name") {
  const auto vae = parsed(stable_diffusion_vae);
  CHECK(refused(vae, "act_fn", "gelu") ==
        R"([config] key 'act_fn': expected "silu" or "swish", got "gelu")");
  CHECK(refused(vae, "out_channels", 1) == "[config] key 'out_channels': expected 3, got 1");
  CHECK(refused(vae, "latents_mean", std::vector<double>{0.5}) ==
        "[config] key 'latents_mean': expected null, got [0.5]");
  CHECK(refused(vae, "norm_num_groups", nullptr) ==
        "[config] key 'norm_num_groups': expected a value, got null");
  CHECK(refused(vae, "down_block_types", std::vector<std::string>{"DownEncoderBlock2D"}) ==
        "[config] key 'down_block_types': expected 4 blocks as block_out_channels, got 1");
  CHECK(refused(vae, "up_block_types", std::vector<std::string>(4, "UpBlock2D")) ==
        "[config] key 'up_block_types': expected UpDecoderBlock2D or AttnUpDecoderBlock2D, got "
        "UpBlock2D");
  CHECK_FALSE(
      refused(vae, "up_block_types", std::vector<std::string>(4, "AttnUpDecoderBlock2D")).empty());

  const auto plain = parsed(ddpm_cifar10), conditional = parsed(stable_diffusion_unet);
  CHECK(refused(plain, "center_input_sample", true) ==
        "[config] key 'center_input_sample': expected false, got true");
  CHECK(refused(plain, "time_embedding_type", "fourier") ==
        R"([config] key 'time_embedding_type': expected "positional", got "fourier")");
  CHECK(refused(plain, "mid_block_type", nullptr) ==
        R"([config] key 'mid_block_type': expected "UNetMidBlock2D", got null)");
  CHECK(refused(plain, "time_embedding_dim", 128) ==
        "[config] key 'time_embedding_dim': expected 512, got 128");
  CHECK(refused(plain, "num_class_embeds", 1) ==
        "[config] key 'num_class_embeds': expected at least 2, got 1");
  CHECK(refused(plain, "down_block_types", std::vector<std::string>(4, "SkipDownBlock2D")) ==
        "[config] key 'down_block_types': expected DownBlock2D, AttnDownBlock2D or "
        "ResnetDownsampleBlock2D, got SkipDownBlock2D");
  CHECK(refused(plain, "block_out_channels", Json::array()) ==
        "[config] key 'block_out_channels': expected levels, got none");
  CHECK(refused(conditional, "class_embed_type", "timestep") ==
        R"([config] key 'class_embed_type': expected null, got "timestep")");
  CHECK(refused(conditional, "conv_in_kernel", 1) ==
        "[config] key 'conv_in_kernel': expected 3, got 1");
  CHECK(refused(conditional, "mid_block_type", nullptr) ==
        R"([config] key 'mid_block_type': expected "UNetMidBlock2DCrossAttn", got null)");
  CHECK(refused(conditional, "attention_head_dim", std::vector<std::int64_t>{8, 8}) ==
        "[config] key 'attention_head_dim': expected 4 values, one a level, got 2");
  CHECK(refused(conditional, "layers_per_block", std::vector<std::int64_t>{2, 2, 2, 1}) ==
        "[config] key 'layers_per_block': expected the same value on every level, got [2,2,2,1]");
  CHECK(refused(conditional, "only_cross_attention", true) ==
        "[config] key 'only_cross_attention': expected false or [false,false,false,false], got "
        "true");
  CHECK(refused(conditional, "in_channels", "four").find("in_channels") != std::string::npos);
  CHECK(test::message_of<std::runtime_error>([] {
          unet_options_from_diffusers(Json::object());
        }).find("in_channels") != std::string::npos);
}

TEST_CASE("diffusers: models that the library lacks are not written") {
  const auto vae_error = [](auto change) {
    auto options = tiny_vae;
    options.use_quant_conv = true;
    change(options);
    return test::message_of([&] { vae_options_to_diffusers(options); });
  };
  CHECK(vae_error([](auto& o) { o.inner_channels = 5; }) ==
        "[diffusers] AutoencoderKL has no inner_channels, got 5 with latent_channels 2");
  CHECK(vae_error([](auto& o) { o.stem_channels = 16; }) ==
        "[diffusers] AutoencoderKL has no stem_channels, got 16 with channels of the first level "
        "8");
  const auto unet_error = [](auto change) {
    auto options = tiny_unet;
    change(options);
    return test::message_of([&] { unet_options_to_diffusers(options); });
  };
  CHECK(unet_error([](auto& o) {
          o.attention = {1, 1}, o.level_heads = {2, 2};
        }) ==
        "[diffusers] UNet2DModel expects heads of the same width on every level, got heads [2,2] "
        "for widths a head [4,8]");
  CHECK(unet_error([](auto& o) { o.mid_norm_groups = 0; }) ==
        "[diffusers] UNet2DModel expects mid_norm_groups above 0 without scale_shift");
  CHECK(unet_error([](auto& o) {
          o.channels = {8, 8, 8}, o.attention = {1, 1, 1}, o.resnet_down = {1, 0, 0};
        }) ==
        "[diffusers] UNet2DModel expects resnet_down to be the same on all levels that attend, got "
        "[1,0,0]");
  CHECK(unet_error([](auto& o) { o.cross_attention_dim = 4, o.mid_attention = false; }) ==
        "[diffusers] UNet2DConditionModel expects mid_attention");
  CHECK(unet_error([](auto& o) {
          o.cross_attention_dim = 4, o.attention = {1, 1}, o.resnet_down = {1, 0};
        }) == "[diffusers] CrossAttnDownBlock2D has no resnet_down, got level 0");
}

TEST_CASE("diffusers: folders come back bit for bit, alone and in a pipeline's folder") {
  const test::ScratchFolder scratch;
  const KLVAE vae(tiny_vae, ParameterOptions{.generator = test::generator(1)});
  save_diffusers_vae(scratch.path() / "pipeline" / "vae", vae);
  auto token = tiny_unet;
  token.cross_attention_dim = 6;
  for (const auto& options : {tiny_unet, token}) {
    const UNet unet(options, ParameterOptions{.generator = test::generator(2)});
    save_diffusers_unet(scratch.path() / "pipeline" / "unet", unet);
    const auto loaded = load_diffusers_unet(scratch.path() / "pipeline");
    check_equal(*loaded, *unet);
    CHECK(loaded->options.num_classes == 3);
    CHECK(loaded->options.class_token);
    check_equal(*load_diffusers_unet(scratch.path() / "pipeline" / "unet"), *unet);
  }
  // The table of class tokens lies beside the network, which diffusers then loads strictly.
  const auto unet_folder = scratch.path() / "pipeline" / "unet";
  for (const auto& entry :
       read_tensors(unet_folder / "diffusion_pytorch_model.safetensors").tensors)
    CHECK(entry.first.find("class_embed") == std::string::npos);
  CHECK(std::filesystem::exists(unet_folder / "class_embedder.safetensors"));
  save_diffusers_unet(unet_folder, UNet(tiny_unet));
  CHECK_FALSE(std::filesystem::exists(unet_folder / "class_embedder.safetensors"));

  const auto loaded = load_diffusers_vae(scratch.path() / "pipeline");
  check_equal(*loaded, *vae);
  CHECK(options_to_json(loaded->options) == options_to_json(tiny_vae));
}

TEST_CASE("diffusers: one file of tensors is an autoencoder, with its config or without") {
  const test::ScratchFolder scratch;
  auto options = tiny_vae;
  options.channels = {32, 64};
  options.norm_groups = 32;
  options.scaling_factor = 0.5;
  options.attention = {0, 1};
  const KLVAE vae(options, ParameterOptions{.generator = test::generator(1)});
  save_diffusers_vae(scratch / "vae", vae);
  const auto file = scratch / "vae" / "diffusion_pytorch_model.safetensors";
  const auto beside = load_diffusers_vae(file);
  check_equal(*beside, *vae);
  CHECK(options_to_json(beside->options) == options_to_json(options));

  std::filesystem::remove(scratch / "vae" / "config.json");
  const auto alone = load_diffusers_vae(file);
  check_equal(*alone, *vae);
  options.scaling_factor = 1;  // in no tensor
  options.shift_factor = 0;
  CHECK(options_to_json(alone->options) == options_to_json(options));

  write_tensors(file, {{"encoder.conv_in.weight", torch::zeros({32, 3, 3, 3})}});
  CHECK(test::message_of<std::runtime_error>([&] { load_diffusers_vae(file); }) ==
        text("[weights] ", file.string(),
             ": expected an autoencoder with 'encoder.conv_out.weight' of 4 dimensions"));
}

TEST_CASE("diffusers: attention of older files is found under its former names") {
  const auto present = state_dict(*KLVAE(tiny_vae));
  StateDict old;
  for (auto [name, tensor] : present) {
    for (const auto& [now, former] :
         {std::pair{".to_q.", ".query."}, std::pair{".to_k.", ".key."},
          std::pair{".to_v.", ".value."}, std::pair{".to_out.0.", ".proj_attn."}}) {
      const auto position = name.find(now);
      if (position == std::string::npos) continue;
      name.replace(position, std::string(now).size(), former);
      if (tensor.dim() == 2) tensor = tensor.unsqueeze(-1).unsqueeze(-1);
    }
    old.emplace_back(name, tensor);
  }
  KLVAE vae(tiny_vae);
  load_state_dict(*vae, vae_from_diffusers(old), "old");
  const auto loaded = state_dict(*vae);
  for (std::size_t i = 0; i < present.size(); ++i)
    CHECK(torch::equal(loaded[i].second, present[i].second));
}

TEST_CASE("diffusers: a network in shards is one network") {
  const test::ScratchFolder scratch;
  const auto folder = scratch.path() / "unet";
  const UNet unet(tiny_unet);
  save_diffusers_unet(folder, unet);
  std::filesystem::remove(folder / "diffusion_pytorch_model.safetensors");
  write_tensor_shards(folder, unet_to_diffusers(state_dict(*unet)),
                      {.max_bytes = 20'000, .stem = "diffusion_pytorch_model"});
  REQUIRE(std::filesystem::exists(folder / "diffusion_pytorch_model.safetensors.index.json"));
  CHECK(fingerprint(state_dict(*load_diffusers_unet(folder))) == fingerprint(state_dict(*unet)));
}

TEST_CASE("diffusers: wrong and damaged folders are named") {
  const test::ScratchFolder scratch;
  const auto folder = scratch.path() / "vae";
  const auto error = [&](auto load) {
    return test::message_of<std::runtime_error>([&] { load(folder); });
  };
  const auto starts = [](const std::string& message, const std::string& start) {
    INFO(message);
    CHECK(message.rfind(start, 0) == 0);
  };
  CHECK(error(load_diffusers_vae).find("config.json") != std::string::npos);
  save_diffusers_vae(folder, KLVAE(tiny_vae));
  starts(error(load_diffusers_unet),
         text("[diffusers] ", (folder / "config.json").string(),
              ": expected _class_name UNet2DModel or UNet2DConditionModel, got AutoencoderKL"));

  auto config = Json::read(folder / "config.json");
  const auto rewrite = [&](const char* key, const Json& value) {
    auto changed = config;
    changed[key] = value;
    std::ofstream(folder / "config.json") << changed.dump();
  };
  rewrite("act_fn", "relu");
  starts(error(load_diffusers_vae),
         text("[diffusers] ", (folder / "config.json").string(), ": [config] key 'act_fn'"));
  rewrite("norm_num_groups", 3);  // a model that cannot be built
  starts(error(load_diffusers_vae),
         text("[diffusers] ", (folder / "config.json").string(), ": [kl_vae] expected channels"));
  rewrite("use_quant_conv", true);
  const auto weights = folder / "diffusion_pytorch_model.safetensors";
  starts(error(load_diffusers_vae),
         text("[load] ", folder.string(), ": 2 missing keys (quant_conv."));
  rewrite("layers_per_block", 1);
  std::ofstream(weights) << "not tensors";
  CHECK(error(load_diffusers_vae).find(weights.string()) != std::string::npos);

  const auto unet_folder = scratch.path() / "unet";
  save_diffusers_unet(unet_folder, UNet(tiny_unet));
  write_tensors(unet_folder / "class_embedder.safetensors", {{"table", torch::zeros({4, 6})}});
  starts(test::message_of<std::runtime_error>([&] { load_diffusers_unet(unet_folder); }),
         text("[diffusers] ", (unet_folder / "class_embedder.safetensors").string(),
              ": expected one tensor 'weight'"));
}
