#include "dermis/models/t5.hpp"

#include "dermis/core/options.hpp"
#include "dermis/weights/transformers_text.hpp"
#include "support.hpp"
#include "weights/state_dicts.hpp"

using namespace dermis;
using test::message_of;

namespace {

T5Options tiny(bool gated) {
  return {.vocabulary = 50,
          .dim = 24,
          .depth = 2,
          .heads = 3,
          .head_dim = 6,
          .hidden = 40,
          .gated = gated,
          .buckets = 8,
          .max_distance = 20};
}

T5Encoder make(bool gated = true) {
  T5Encoder encoder(tiny(gated), ParameterOptions{.generator = test::generator(1)});
  encoder->eval();
  return encoder;
}

const at::Tensor ids = torch::tensor({{3, 4, 5, 6, 7, 1, 0, 0}, {9, 8, 7, 49, 2, 6, 11, 1}});

}  // namespace

TEST_CASE("t5: v1.1-XXL's encoder has the published number of parameters") {
  const T5Encoder encoder(t5_v1_1_xxl(), ParameterOptions{.device = at::kMeta});
  CHECK(parameter_count(*encoder) == 4'762'310'656);
}

TEST_CASE("t5: clone, evaluation, batches and gradients behave") {
  for (const bool gated : {true, false})
    test::check_module<T5Encoder>(
        make(gated),
        [](T5Encoder& m, const std::vector<at::Tensor>& x) { return m->forward(x[0]); }, {ids});
}

TEST_CASE("t5: buckets of relative positions") {
  // T5's own: 32 buckets, 128 positions; distances 0..7 have one each, 8..127 share eight.
  const auto buckets = relative_buckets(t5_v1_1_xxl(), 200, at::kCPU);
  const auto at = [&](std::int64_t from, std::int64_t to) {
    return buckets[from][to].item<std::int64_t>();
  };
  CHECK(at(5, 5) == 0);
  CHECK(at(10, 3) == 7);
  CHECK(at(10, 2) == 8);
  CHECK(at(30, 14) == 10);
  CHECK(at(150, 30) == 15);
  CHECK(at(199, 0) == 15);
  CHECK(at(5, 6) == 17);
  CHECK(at(0, 199) == 31);
}

TEST_CASE("t5: masked padding changes nothing, padding that is seen does") {
  auto encoder = make();
  const auto mask = (ids != 0).to(at::kLong);
  auto other = ids.clone();
  other[0][6] = 20;
  const auto seen = encoder->forward(ids), masked = encoder->forward(ids, mask);
  CHECK(test::difference(encoder->forward(other, mask)[0].slice(0, 0, 6),
                         masked[0].slice(0, 0, 6)) == 0);
  CHECK(test::difference(encoder->forward(other)[0].slice(0, 0, 6), seen[0].slice(0, 0, 6)) > 1e-4);
  // The short text alone is the same text.
  CHECK(test::difference(encoder->forward(ids.slice(0, 0, 1).slice(1, 0, 6))[0],
                         masked[0].slice(0, 0, 6)) < 1e-5);
}

TEST_CASE("t5: tensors go to the published names and back; a decoder is left out") {
  for (const bool gated : {true, false}) {
    const auto values = test::values_of(*make(gated));
    auto theirs = t5_to_transformers(values);
    test::check_same(t5_from_transformers(theirs), values);
    theirs.emplace_back("encoder.embed_tokens.weight", theirs.front().second);
    theirs.emplace_back("decoder.block.0.layer.0.SelfAttention.q.weight", torch::zeros({2, 2}));
    theirs.emplace_back("lm_head.weight", torch::zeros({2, 2}));
    test::check_same(t5_from_transformers(theirs), values);
  }
  CHECK_THROWS_WITH(
      t5_from_transformers({{"encoder.block.0.x", torch::zeros({1})}}, "te.safetensors"),
      Catch::Contains("te.safetensors") && Catch::Contains("encoder.block.0.x"));
}

TEST_CASE("t5: sizes are told by the shapes") {
  for (const bool gated : {true, false}) {
    auto expected = tiny(gated);
    expected.max_distance = 128;
    CHECK(options_to_json(t5_options_of(state_dict(*make(gated)), "t5")) ==
          options_to_json(expected));
  }
  CHECK_THROWS_WITH(t5_options_of({}, "t5xxl.safetensors"), Catch::Contains("t5xxl.safetensors"));
  CHECK_THROWS_WITH(clip_text_from_transformers(t5_to_transformers(state_dict(*make()))),
                    Catch::Contains("this looks like transformers' T5"));
}

TEST_CASE("t5: what cannot be is refused") {
  auto encoder = make();
  CHECK(message_of([&] {
          encoder->forward(torch::zeros({2, 3}));
        }).find("int64 ids") != std::string::npos);
  CHECK(message_of([&] {
          encoder->forward(ids, ids.slice(1, 0, 2));
        }).find("mask of shape [2, 8]") != std::string::npos);
  auto options = tiny(true);
  options.buckets = 6;
  CHECK(message_of([&] { T5Encoder{options}; }).find("buckets divisible by 4") !=
        std::string::npos);
  options = tiny(true);
  options.heads = 0;
  CHECK(message_of([&] { T5Encoder{options}; }).find("heads 0") != std::string::npos);
  const auto config = [](const char* key, const Json& value) {
    return message_of<std::runtime_error>([&] {
      t5_options_from_transformers(Json::object({{"model_type", "t5"}, {key, value}}));
    });
  };
  CHECK(config("feed_forward_proj", "gated-silu").find("feed_forward_proj") != std::string::npos);
  CHECK(config("d_model", "wide").find("d_model") != std::string::npos);
}
