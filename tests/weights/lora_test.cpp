#include "dermis/weights/lora.hpp"
#include "dermis/core/file.hpp"
#include "dermis/weights/flux.hpp"
#include "dermis/weights/transformers_vit.hpp"
#include "folder.hpp"
#include "support.hpp"

using namespace dermis;
using Catch::Contains;
using dermis::test::difference;
using dermis::test::randn;

namespace {

const FluxOptions options = flux_tiny();

Flux base() {
  return Flux(options, ParameterOptions{.generator = test::generator(3)});
}

at::Tensor answer(Flux& flux) {
  const torch::NoGradGuard no_grad;
  return flux->forward({.image = randn({1, 6, options.in_channels}, 1),
                        .image_ids = flux_image_ids(4, 6),
                        .text = randn({1, 3, options.text_dim}, 2),
                        .text_ids = {},
                        .time = at::full({1}, 0.6),
                        .pooled = randn({1, options.pooled_dim}, 4),
                        .guidance = at::full({1}, 3.5)});
}

/// A base with a trained adapter on every layer of the blocks.
Flux adapted(LowRankOptions low_rank = {.rank = 4, .alpha = 2}) {
  auto flux = base();
  add_low_rank(*flux, flux_adapter_layers(), low_rank, test::generator(5));
  torch::NoGradGuard no_grad;
  auto noise = test::generator(6);
  for (const auto& [path, linear] : linear_layers(*flux))
    if (linear->low_rank().enabled()) linear->lora_B.normal_(0, 0.3, noise);
  return flux;
}

/// Of a base with that adapter.
at::Tensor answer_with(const LoraAdapter& adapter) {
  auto flux = base();
  const auto report = apply_lora(*flux, adapter, "adapter", diffusers_flux_layers(options));
  CHECK(report.unmatched.empty());
  return answer(flux);
}

/// Factors of one name in a file's dialect.
void put(StateDict& tensors, const std::string& down, const std::string& up, std::int64_t in,
         std::int64_t out, std::int64_t rank, std::uint64_t seed) {
  tensors.emplace_back(down, randn({rank, in}, seed));
  tensors.emplace_back(up, randn({out, rank}, seed + 100) * 0.2);
}

LoraAdapter read_back(const StateDict& tensors) {
  const test::ScratchFolder folder;
  write_tensors(folder / "a.safetensors", tensors);
  return read_lora(folder / "a.safetensors");
}

std::string refused(const StateDict& tensors) {
  return test::message_of<std::runtime_error>([&] { read_back(tensors); });
}

}  // namespace

TEST_CASE("lora: written as kohya, PEFT or diffusers it gives the same answer") {
  for (const auto& low_rank :
       {LowRankOptions{.rank = 4, .alpha = 4}, LowRankOptions{.rank = 4, .alpha = 1},
        LowRankOptions{.rank = 4, .alpha = 3, .rank_stabilised = true}}) {
    const test::ScratchFolder folder;
    auto flux = adapted(low_rank);
    const auto expected = answer(flux);
    auto plain = base();
    CHECK(difference(expected, answer(plain)) > 1e-2);
    const auto adapter = collect_lora(*flux);
    CHECK(adapter.layers.size() == 13);
    const auto theirs = lora_to(adapter, diffusers_flux_layers(options));
    CHECK(theirs.layers.size() == 20);  // three layers of qkv, one of them with the perceptron
    write_lora_kohya(folder / "kohya.safetensors", adapter);
    write_lora_peft(folder / "peft", adapter);
    write_lora_peft(folder / "peft_diffusers", theirs);
    write_lora_diffusers(folder / "diffusers.safetensors", theirs);
    for (const auto* name : {"kohya.safetensors", "peft", "peft_diffusers"})
      CHECK(difference(answer_with(read_lora(folder / name)), expected) < 2e-6);
    CHECK(difference(answer_with(read_lora(folder / "diffusers.safetensors")), expected) < 2e-6);
  }
}

TEST_CASE("lora: parts of a fused layer, of different ranks and scales, stay themselves") {
  const auto d = options.dim;
  const std::string single = "single_transformer_blocks.0.";
  LoraAdapter parts;
  for (const auto& [name, out, rank] :
       {std::tuple{single + "attn.to_q", d, 2}, std::tuple{single + "attn.to_v", d, 3},
        std::tuple{single + "proj_mlp", options.hidden(), 1},
        std::tuple{std::string("norm_out.linear"), 2 * d, 2}})
    parts.layers.push_back({name, randn({rank, d}, static_cast<std::uint64_t>(rank)),
                            randn({out, rank}, 8) * 0.1, rank == 3 ? 0.5 : 2.0});
  auto flux = base();
  const auto before = state_dict(*base());
  CHECK(apply_lora(*flux, parts, "parts", diffusers_flux_layers(options)).text() ==
        "applied 4 of 4 layers");
  CHECK(flux->single_blocks[0]->as<FluxSingleBlock>()->linear1->low_rank().rank == 6);
  const auto with_slots = answer(flux);

  // The same by hand, on diffusers' weights.
  auto theirs = flux_to_diffusers(before, options);
  for (auto& [name, tensor] : theirs)
    for (const auto& layer : parts.layers)
      if (name == layer.layer + ".weight")
        tensor = tensor + layer.scale * at::matmul(layer.B, layer.A);
  auto merged = base();
  load_state_dict(*merged, flux_from_diffusers(theirs, options), "by hand");
  CHECK(difference(with_slots, answer(merged)) < 1e-5);

  // And back under their names each has its own rank again.
  const auto back = lora_to(collect_lora(*flux), diffusers_flux_layers(options));
  for (const auto& layer : back.layers) {
    INFO(layer.layer);
    if (layer.layer == single + "attn.to_q") CHECK(layer.A.size(0) == 2);
    if (layer.layer == single + "attn.to_v") CHECK(layer.A.size(0) == 3);
    CHECK(layer.layer != single + "attn.to_k");
  }
  CHECK(difference(answer_with(back), with_slots) < 1e-5);
}

TEST_CASE("lora: XLabs' processors are adapters of the fused layers") {
  const auto d = options.dim;
  StateDict xlabs;
  LoraAdapter ours;
  const auto add = [&](const std::string& processor, const std::string& layer, std::int64_t in,
                       std::int64_t out, std::uint64_t seed) {
    put(xlabs, processor + ".down.weight", processor + ".up.weight", in, out, 2, seed);
    ours.layers.push_back({layer, xlabs[xlabs.size() - 2].second, xlabs.back().second, 1});
  };
  const std::string block = "double_blocks.0.processor.";
  add(block + "qkv_lora1", "double_blocks.0.img_attn.qkv", d, 3 * d, 1);
  add(block + "proj_lora2", "double_blocks.0.txt_attn.proj", d, d, 2);
  // Queries, keys and values of a single block are the first rows of its fused layer.
  put(xlabs, "single_blocks.0.processor.qkv_lora.down.weight",
      "single_blocks.0.processor.qkv_lora.up.weight", d, 3 * d, 2, 3);
  const auto B = xlabs.back().second;
  ours.layers.push_back({"single_blocks.0.linear1", xlabs[xlabs.size() - 2].second,
                         at::cat({B, at::zeros({options.hidden(), 2})}), 1});
  CHECK(at::equal(answer_with(read_back(xlabs)), answer_with(ours)));
}

TEST_CASE("lora: alpha stands in the file, in its metadata, beside it, or is the rank") {
  const auto d = options.dim;
  const std::string kohya = "lora_unet_double_blocks_0_img_attn_proj";
  StateDict tensors;
  put(tensors, kohya + ".lora_down.weight", kohya + ".lora_up.weight", d, d, 4, 1);
  CHECK(read_back(tensors).layers[0].scale == 1);
  tensors.emplace_back(kohya + ".alpha", at::scalar_tensor(1.0));
  CHECK(read_back(tensors).layers[0].scale == 0.25);
  tensors.back().second = at::scalar_tensor(0.0);
  CHECK(read_back(tensors).layers[0].scale == 1);

  const test::ScratchFolder folder;
  StateDict peft;
  put(peft, "base_model.model.a.fc1.lora_A.weight", "base_model.model.a.fc1.lora_B.weight", d, d, 4,
      1);
  put(peft, "base_model.model.a.fc2.lora_A.weight", "base_model.model.a.fc2.lora_B.weight", d, d, 4,
      2);
  write_tensors(folder / "adapter_model.safetensors", peft);
  write_atomically(folder / "adapter_config.json",
                   R"({"r": 4, "lora_alpha": 8, "use_rslora": true, "alpha_pattern": {"fc2": 6}})");
  const auto adapter = read_lora(folder.path());
  CHECK(adapter.layers[0].scale == 4);
  CHECK(adapter.layers[1].scale == 3);
}

TEST_CASE("lora: the report counts what was applied; nothing applied is an error") {
  const auto d = options.dim;
  StateDict tensors;
  put(tensors, "lora_unet_double_blocks_0_img_attn_proj.lora_down.weight",
      "lora_unet_double_blocks_0_img_attn_proj.lora_up.weight", d, d, 2, 1);
  put(tensors, "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",
      "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_up.weight", 8, 8, 2, 2);
  auto flux = base();
  const auto report = apply_lora(*flux, read_back(tensors), "file");
  CHECK(report.text() ==
        "applied 1 of 2 layers; this model has no lora_te1_text_model_encoder_layers_0_mlp_fc1");

  auto other = base();
  const auto fails = [&](const LoraAdapter& adapter) {
    const auto message = test::message_of<std::runtime_error>(
        [&] { apply_lora(*other, adapter, "x.safetensors", diffusers_flux_layers(options)); });
    CHECK(collect_lora(*other).layers.empty());
    return message;
  };
  const auto A = randn({2, d}), B = randn({d, 2});
  CHECK_THAT(fails({{{"unet.down_blocks.0.attentions.0.to_q", A, B, 1}}}),
             Contains("x.safetensors: applied 0 of 1 layers, such as unet.down_blocks.0") &&
                 Contains("this model has layers such as img_in"));
  CHECK_THAT(fails({{{"double_blocks.0.img_attn.proj", A, B, 1},
                     {"double_blocks.0.txt_attn.proj", randn({2, d + 1}), B, 1}}}),
             Contains("for a layer 32 -> 32, got 33 -> 32: an adapter of another model"));
  CHECK_THAT(fails({{{"transformer.transformer_blocks.0.attn.to_q", A, randn({d + 2, 2}), 1}}}),
             Contains("for a layer 32 -> 32, got 32 -> 34"));
  CHECK_THROWS_WITH(apply_lora(*flux, read_back(tensors), "file"),
                    Contains("already has an adapter of rank 2"));
}

TEST_CASE("lora: files that are no adapter of this kind are refused by name") {
  const auto d = options.dim;
  CHECK_THAT(refused({{"double_blocks.0.img_attn.qkv.weight", at::zeros({3, 1})}}),
             Contains("found no factors") && Contains("looks like black-forest-labs' Flux"));
  StateDict tensors;
  put(tensors, "a.lora_A.weight", "a.lora_B.weight", d, d, 2, 1);
  auto one = tensors;
  one.pop_back();
  CHECK_THAT(refused(one), Contains("both factors of 'a', got only the first"));
  auto ranks = tensors;
  ranks[1].second = randn({d, 3});
  CHECK_THAT(refused(ranks), Contains("factors of one rank for 'a', got 2 and 3"));
  auto dora = tensors;
  dora.emplace_back("a.lora_magnitude_vector", at::ones({d}));
  CHECK_THAT(refused(dora), Contains("a.lora_magnitude_vector', which is another kind"));
  auto endless = tensors;
  endless.emplace_back("a.alpha", at::scalar_tensor(std::numeric_limits<double>::quiet_NaN()));
  CHECK_THAT(refused(endless), Contains("alpha of at least 0"));
  CHECK_THROWS_WITH(write_lora_kohya("x", {}), Contains("got none"));
}

TEST_CASE("lora: transformers' names of either age, with a head trained in full") {
  const ViTOptions vit_options{
      .image_size = 16, .patch_size = 8, .dim = 12, .depth = 1, .heads = 2, .num_classes = 3};
  const auto images = randn({1, 3, 16, 16}, 1);
  std::vector<at::Tensor> answers;
  for (const bool published : {false, true}) {
    ViT vit(vit_options, ParameterOptions{.generator = test::generator(1)});
    const std::string query = published ? "vit.encoder.layer.0.attention.attention.query"
                                        : "base_model.model.vit.layers.0.attention.q_proj";
    const LoraAdapter adapter{{{query, randn({2, 12}, 2), randn({12, 2}, 3), 0.5}},
                              {{"base_model.model.classifier.bias", at::ones({3})}}};
    apply_lora(*vit, adapter, "x", transformers_vit_layers(vit_options, published));
    CHECK(at::equal(vit->head->bias, at::ones({3})));
    answers.push_back(vit->forward(images));
  }
  CHECK(at::equal(answers[0], answers[1]));
}
