#include "dermis/models/clip_text.hpp"

#include "dermis/core/options.hpp"
#include "dermis/weights/transformers_text.hpp"
#include "support.hpp"
#include "weights/state_dicts.hpp"

using namespace dermis;
using test::message_of;

namespace {

ClipTextOptions tiny() {
  return {.vocabulary = 50,
          .positions = 9,
          .dim = 24,
          .depth = 2,
          .heads = 3,
          .hidden = 40,
          .projection = 10,
          .eos_id = 48};
}

ClipText make(const ClipTextOptions& options = tiny()) {
  ClipText encoder(options, ParameterOptions{.generator = test::generator(1)});
  encoder->eval();
  return encoder;
}

const at::Tensor ids = torch::tensor({{47, 4, 5, 48, 48, 48, 48}, {47, 8, 49, 6, 11, 48, 48}});

}  // namespace

TEST_CASE("clip_text: ViT-L/14's encoder has the published number of parameters") {
  CHECK(parameter_count(*ClipText(ClipTextOptions{}, ParameterOptions{.device = at::kMeta})) ==
        123'060'480);
}

TEST_CASE("clip_text: clone, evaluation, batches and gradients behave") {
  test::check_module<ClipText>(
      make(),
      [](ClipText& m, const std::vector<at::Tensor>& x) { return m->forward(x[0]).projected; },
      {ids}, {.without_gradient = {"k_proj.bias"}});  // softmax does not see it
}

TEST_CASE("clip_text: a token sees those before it alone") {
  auto encoder = make();
  auto other = ids.clone();
  other[1][4] = 30;
  const auto a = encoder->forward(ids).tokens, b = encoder->forward(other).tokens;
  CHECK(test::difference(a[1].slice(0, 0, 4), b[1].slice(0, 0, 4)) == 0);
  CHECK(test::difference(a[1].slice(0, 4), b[1].slice(0, 4)) > 1e-3);

  const auto mask = torch::tensor({{1, 1, 0, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1}});
  other = ids.clone();
  other[0][2] = 30;  // masked
  CHECK(test::difference(encoder->forward(ids, mask).tokens[0].slice(0, 3),
                         encoder->forward(other, mask).tokens[0].slice(0, 3)) == 0);
}

TEST_CASE("clip_text: the feature is at the first end token, or at the largest id in old files") {
  const auto features = make()->forward(ids);
  CHECK(at::equal(features.pooled[0], features.tokens[0][3]));
  CHECK(at::equal(features.pooled[1], features.tokens[1][5]));
  auto old = tiny();
  old.eos_id = 2;
  const auto largest = make(old)->forward(ids);
  CHECK(at::equal(largest.pooled[0], largest.tokens[0][3]));
  CHECK(at::equal(largest.pooled[1], largest.tokens[1][2]));
}

TEST_CASE("clip_text: tensors go to the published names and back; the images' part is left out") {
  const auto values = test::values_of(*make());
  auto theirs = clip_text_to_transformers(values);
  test::check_same(clip_text_from_transformers(theirs), values);
  theirs.emplace_back("vision_model.post_layernorm.bias", torch::zeros({2}));
  theirs.emplace_back("logit_scale", torch::zeros({}));
  theirs.emplace_back("text_model.embeddings.position_ids", torch::zeros({1, 9}, at::kLong));
  test::check_same(clip_text_from_transformers(theirs), values);
  StateDict bare;
  for (const auto& [name, tensor] : clip_text_to_transformers(values))
    bare.emplace_back(name.rfind("text_model.", 0) == 0 ? name.substr(11) : name, tensor);
  test::check_same(clip_text_from_transformers(bare), values);
}

TEST_CASE("clip_text: sizes are told by the shapes, but for what OpenAI's have in common") {
  auto expected = tiny();
  expected.dim = 128;
  expected.heads = 2;
  expected.projection = 0;
  const auto values = state_dict(*make(expected));
  const auto found = clip_text_options_of(values, "clip_l.safetensors");
  expected.eos_id = 2;
  CHECK(options_to_json(found) == options_to_json(expected));
  CHECK_THROWS_WITH(clip_text_options_of({}, "clip_l.safetensors"),
                    Catch::Contains("clip_l.safetensors") && Catch::Contains("token_embed.weight"));
}

TEST_CASE("clip_text: what cannot be is refused") {
  auto encoder = make();
  CHECK(message_of([&] {
          encoder->forward(torch::zeros({1, 10}, at::kLong));
        }).find("[B, 1..9]") != std::string::npos);
  CHECK(message_of([&] {
          encoder->forward(ids, ids.slice(1, 0, 2));
        }).find("mask of shape [2, 7]") != std::string::npos);
  auto options = tiny();
  options.heads = 5;
  CHECK(message_of([&] { ClipText{options}; }).find("divisible by heads") != std::string::npos);
  options = tiny();
  options.eos_id = 50;
  CHECK(message_of([&] { ClipText{options}; }).find("eos_id in 0..49") != std::string::npos);
  CHECK(message_of<std::runtime_error>([] {
          clip_text_options_from_transformers(Json::object({{"hidden_act", "relu"}}));
        }).find("hidden_act") != std::string::npos);
}

TEST_CASE("clip_text: options of a text model and of a whole CLIP") {
  const auto text =
      Json::object({{"vocab_size", 99}, {"hidden_act", "gelu"}, {"eos_token_id", 97}});
  const auto plain = clip_text_options_from_transformers(text);
  CHECK(plain.vocabulary == 99);
  CHECK_FALSE(plain.quick_gelu);
  CHECK(plain.projection == 0);
  const auto whole = clip_text_options_from_transformers(
      Json::object({{"model_type", "clip"},
                    {"architectures", std::vector<std::string>{"CLIPModel"}},
                    {"projection_dim", 33},
                    {"text_config", text}}));
  CHECK(whole.eos_id == 97);
  CHECK(whole.projection == 33);
}
