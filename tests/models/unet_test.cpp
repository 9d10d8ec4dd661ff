#include "dermis/models/unet.hpp"

#include "support.hpp"

using namespace dermis;
using dermis::test::difference;
using dermis::test::randn;

namespace {

const UNetOptions tiny{.in_channels = 2,
                       .out_channels = 2,
                       .channels = {8, 16},
                       .layers_per_block = 1,
                       .attention = {0, 1},
                       .head_dim = 8,
                       .num_classes = 3,
                       .norm_groups = 4};

at::Tensor run(UNet& unet, const std::vector<at::Tensor>& x) {
  return unet->forward(x[0], x[1], x.size() > 2 ? x[2] : at::Tensor());
}

const std::vector<at::Tensor> inputs(std::int64_t height = 8, std::int64_t width = 12) {
  return {randn({2, 2, height, width}), torch::tensor({3, 700}, torch::kLong),
          torch::tensor({1, 3}, torch::kLong)};
}

}  // namespace

TEST_CASE("unet: LDM's cin256 has the published number of parameters") {
  const UNet unet(ldm_cin256(), ParameterOptions{.device = at::kMeta});
  CHECK(parameter_count(*unet->class_embedder) == 1001 * 512);
  CHECK(parameter_count(*unet) - parameter_count(*unet->class_embedder) == 400920579);
}

TEST_CASE("unet: names are diffusers'") {
  const auto names = UNet(tiny)->named_parameters();
  for (const auto* name :
       {"conv_in.weight", "time_embedding.linear_1.weight", "class_embedding.weight",
        "down_blocks.0.resnets.0.time_emb_proj.weight", "down_blocks.0.downsamplers.0.conv.weight",
        "down_blocks.1.attentions.0.group_norm.weight", "mid_block.resnets.1.conv2.weight",
        "mid_block.attentions.0.to_out.0.bias", "up_blocks.0.resnets.1.conv_shortcut.weight",
        "up_blocks.0.upsamplers.0.conv.weight", "conv_norm_out.weight", "conv_out.bias"})
    CHECK(names.contains(name));
  auto options = tiny;
  options.cross_attention_dim = 6;
  const auto cross = UNet(options)->named_parameters();
  for (const auto* name : {"class_embedder.weight", "mid_block.attentions.0.proj_in.weight",
                           "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight",
                           "down_blocks.1.attentions.0.transformer_blocks.0.ff.net.0.proj.weight",
                           "up_blocks.0.attentions.1.transformer_blocks.0.ff.net.2.bias"})
    CHECK(cross.contains(name));
  CHECK_FALSE(cross.contains("class_embedding.weight"));
}

TEST_CASE("unet: keeps the laws of modules in every kind of conditioning") {
  SECTION("class added to time") {
    test::check_module<UNet>(UNet(tiny), run, inputs());
  }
  SECTION("scale and shift, fixed number of heads, odd sizes") {
    auto options = tiny;
    options.scale_shift = true;
    options.head_dim = 0;
    options.heads = 2;
    options.attention = {1, 1};
    test::check_module<UNet>(UNet(options), run, inputs(7, 5));
  }
  SECTION("unconditional, no attention") {
    auto options = tiny;
    options.num_classes = 0;
    options.attention = {0, 0};
    options.mid_attention = false;
    auto without_labels = inputs();
    without_labels.pop_back();
    test::check_module<UNet>(UNet(options), run, without_labels);
  }
  SECTION("residual blocks resample, no norm in the middle, sine first") {
    auto options = tiny;
    options.scale_shift = true;
    options.mid_norm_groups = 0;
    options.resnet_down = {1, 0};
    options.resnet_up = {0, 1};
    options.up_attention = {1, 0};
    options.downsample_padding = 0;
    options.flip_sin_to_cos = false;
    options.freq_shift = 1;
    test::check_module<UNet>(UNet(options), run, inputs());
    options.resnet_down = {0, 0};
    test::check_module<UNet>(UNet(options), run, inputs(8, 11));
  }
  SECTION("attention to a given context, class added to time, heads and depth per level") {
    auto options = tiny;
    options.cross_attention_dim = 6;
    options.class_token = false;
    options.linear_projection = true;
    options.level_heads = {1, 2};
    options.level_depths = {1, 2};
    auto with_context = inputs();
    with_context.push_back(randn({2, 5, 6}, 4));
    with_context.push_back(torch::tensor({{1, 1, 1, 0, 0}, {0, 1, 1, 1, 1}}, torch::kLong));
    test::check_module<UNet>(
        UNet(options),
        [](UNet& m, const auto& x) { return m->forward(x[0], x[1], x[2], x[3], x[4]); },
        with_context);
  }
  SECTION("cross-attention to the class token") {
    auto options = tiny;
    options.cross_attention_dim = 6;
    options.transformer_depth = 2;
    // A softmax over one token is 1: nothing that leads to query and key matters.
    test::check_module<UNet>(
        UNet(options), run, inputs(),
        {.without_gradient = {"attn2.to_q", "attn2.to_k", "transformer_blocks.0.norm2",
                              "transformer_blocks.1.norm2"}});
  }
}

TEST_CASE("unet: starts by predicting zero, and answers in a contiguous tensor") {
  UNet unet(tiny);
  torch::NoGradGuard no_grad;
  const auto out = run(unet, inputs());
  CHECK(out.abs().max().item<double>() == 0.0);
  CHECK(out.sizes() == at::IntArrayRef({2, 2, 8, 12}));
  CHECK(out.is_contiguous());
  auto wide = tiny;
  wide.out_channels = 4;
  UNet learned(wide);
  CHECK(run(learned, inputs()).sizes() == at::IntArrayRef({2, 4, 8, 12}));
}

TEST_CASE("unet: time and label change the answer; real and integer times agree") {
  for (const std::int64_t context : {0, 6}) {
    auto options = tiny;
    options.cross_attention_dim = context;
    UNet unet(options);
    torch::NoGradGuard no_grad;
    auto draws = test::generator(3);
    for (auto& p : unet->parameters()) p.add_(0.1 * torch::randn(p.sizes(), draws));
    auto x = inputs();
    const auto out = run(unet, x);
    CHECK(torch::equal(run(unet, {x[0], x[1].to(torch::kFloat), x[2]}), out));
    CHECK(difference(run(unet, {x[0], x[1] + 50, x[2]}), out) > 1e-4);
    const auto relabelled = run(unet, {x[0], x[1], torch::tensor({1, 0}, torch::kLong)});
    CHECK(torch::equal(relabelled[0], out[0]));
    CHECK(difference(relabelled[1], out[1]) > 1e-4);
  }
}

TEST_CASE("unet: masked tokens of the context do not matter, all others do") {
  auto options = tiny;
  options.num_classes = 0;
  options.cross_attention_dim = 6;
  options.class_token = false;
  UNet unet(options);
  torch::NoGradGuard no_grad;
  auto draws = test::generator(3);
  for (auto& p : unet->parameters()) p.add_(0.2 * torch::randn(p.sizes(), draws));
  const auto x = inputs();
  const auto context = randn({2, 4, 6}, 4);
  const auto mask = torch::tensor({{1, 1, 1, 0}, {1, 1, 1, 0}}, torch::kLong);
  const auto out = unet->forward(x[0], x[1], {}, context, mask);
  auto changed = context.clone();
  changed.select(1, 3).add_(5);
  CHECK(torch::equal(unet->forward(x[0], x[1], {}, changed, mask), out));
  CHECK(difference(unet->forward(x[0], x[1], {}, context.slice(1, 0, 3)), out) < 1e-5);
  CHECK(difference(unet->forward(x[0], x[1], {}, context), out) > 1e-4);
  CHECK(torch::equal(unet->forward(x[0], x[1], {}, context, mask.to(torch::kBool)), out));
  CHECK(torch::isfinite(unet->forward(x[0], x[1], {}, context, torch::zeros_like(mask)))
            .all()
            .item<bool>());

  const auto answer = [&](at::Tensor given, at::Tensor of_it) {
    return test::message_of([&] { unet->forward(x[0], x[1], {}, given, of_it); });
  };
  CHECK(answer({}, {}) == "[unet] expected a context of shape [2, M, 6], got none");
  CHECK(answer(randn({2, 4, 5}), {}) ==
        "[unet] expected a context of shape [2, M, 6], got [2, 4, 5]");
  CHECK(answer(context, torch::ones({2, 3})) ==
        "[unet] expected a context mask of shape [2, 4], got [2, 3]");
  UNet plain(tiny);
  CHECK(test::message_of([&] { plain->forward(x[0], x[1], x[2], context); }) ==
        "[unet] expected no context: this model attends to none");
}

TEST_CASE("unet: checkpointed activations give the same answer and gradients") {
  const auto gradients = [](UNet& unet, bool checkpoint, const std::vector<at::Tensor>& x) {
    unet->zero_grad();
    unet->checkpoint_activations = checkpoint;
    const auto out = unet->forward(x[0], x[1], x[2], x.size() > 3 ? x[3] : at::Tensor());
    (out * randn(out.sizes(), 11)).sum().backward();
    std::vector<at::Tensor> all = {out.detach()};
    for (const auto& p : unet->parameters()) all.push_back(p.grad().clone());
    return all;
  };
  auto resampling = tiny, token = tiny, given = tiny;
  resampling.resnet_down = {1, 0};
  resampling.resnet_up = {0, 1};
  token.cross_attention_dim = 6;
  given.cross_attention_dim = 6;
  given.class_token = false;
  for (const auto& options : {tiny, resampling, token, given}) {
    UNet unet(options, ParameterOptions{.generator = test::generator(1)});
    auto draws = test::generator(3);
    {
      const torch::NoGradGuard no_grad;
      for (auto& p : unet->parameters()) p.add_(0.1 * torch::randn(p.sizes(), draws));
    }
    auto x = inputs();
    if (!options.class_token) x.push_back(randn({2, 5, 6}, 4));
    const auto plain = gradients(unet, false, x), saving = gradients(unet, true, x);
    CHECK(torch::equal(saving[0], plain[0]));
    for (std::size_t i = 1; i < plain.size(); ++i) {
      INFO(unet->named_parameters().keys()[i - 1]);
      const double size = std::max(1.0, plain[i].abs().max().item<double>());
      CHECK(difference(saving[i], plain[i]) < 1e-5 * size);
    }
    if (options.class_token) continue;
    const auto grown = randn({2, 5, 6}, 4).requires_grad_() * 2;
    CHECK(test::message_of([&] { unet->forward(x[0], x[1], x[2], grown); }) ==
          "[unet] expected no checkpoint_activations with a context that has a graph");
  }
}

TEST_CASE("unet: bad options and inputs are named") {
  const auto built = [](auto change) {
    auto options = tiny;
    change(options);
    return test::message_of([&] { UNet unet(options); });
  };
  CHECK(built([](auto& o) { o.attention = {1}; }) ==
        "[unet] expected one attention flag a level, got 1 flags for 2 levels");
  CHECK(built([](auto& o) { o.norm_groups = 5; }) ==
        "[unet] expected channels divisible by norm_groups 5, got 8");
  CHECK(built([](auto& o) { o.head_dim = 12; }) ==
        "[unet] expected channels divisible by head_dim 12, got 16");
  CHECK(built([](auto& o) { o.level_heads = {1}; }) ==
        "[unet] expected level_heads for every level or none, got 1 for 2 levels");
  CHECK(built([](auto& o) {
          o.level_depths = {1, 0};
        }) == "[unet] expected level_depths of at least 1, got 0");
  CHECK(built([](auto& o) {
          o.level_heads = {1, 3};
        }) == "[unet] expected channels divisible by heads 3, got 16");
  CHECK(built([](auto& o) { o.downsample_padding = 2; }) ==
        "[unet] expected downsample_padding 0 or 1, got 2");
  CHECK(built([](auto& o) { o.mid_norm_groups = 3; }) ==
        "[unet] expected channels divisible by mid_norm_groups 3, got 16");
  CHECK(built([](auto& o) { o.freq_shift = -1; }) ==
        "[unet] expected freq_shift of at least 0 and below 4, got -1");
  CHECK_FALSE(built([](auto& o) { o.channels.clear(); }).empty());
  CHECK_FALSE(built([](auto& o) { o.layers_per_block = 0; }).empty());
  CHECK_FALSE(built([](auto& o) { o.num_classes = 0, o.cross_attention_dim = 4; }).empty());

  UNet unet(tiny);
  const auto x = inputs();
  const auto answer = [&](at::Tensor image, at::Tensor t, at::Tensor labels) {
    return test::message_of([&] { unet->forward(image, t, labels); });
  };
  CHECK(answer(randn({2, 3, 8, 8}), x[1], x[2]) ==
        "[unet] expected x of shape [B, 2, H, W], got [2, 3, 8, 8]");
  CHECK(answer(x[0], torch::zeros({3}), x[2]) == "[unet] expected one time an image, [2], got [3]");
  CHECK(answer(x[0], x[1], {}) == "[unet] expected int64 labels of shape [2], got none");
  CHECK(answer(x[0], x[1], torch::tensor({0, 4}, torch::kLong)) ==
        "[unet] expected labels in 0..3 (the last is the null class), got 0..4");
  CHECK_FALSE(answer(x[0], x[1], torch::zeros({2})).empty());
  auto options = tiny;
  options.num_classes = 0;
  UNet unconditional(options);
  CHECK(test::message_of([&] { unconditional->forward(x[0], x[1], x[2]); }) ==
        "[unet] expected no labels: this model is unconditional");
}

TEST_CASE("unet: options list every field once") {
  std::vector<std::string> names;
  const auto options = ldm_cin256();
  visit_fields(options, [&](const char* name, const auto&) { names.push_back(name); });
  CHECK(names.size() == 25);
  auto copy = UNetOptions{};
  visit_fields(copy, [](std::string_view name, auto& field) {
    if constexpr (std::is_same_v<std::decay_t<decltype(field)>, std::int64_t>)
      if (name == "num_classes") field = 7;
  });
  CHECK(copy.num_classes == 7);
}
