#include "dermis/weights/key_map.hpp"

#include "support.hpp"

using namespace dermis;
using test::message_of;

namespace {
std::vector<std::string> names(const StateDict& tensors) {
  std::vector<std::string> result;
  for (const auto& entry : tensors) result.push_back(entry.first);
  return result;
}
StateDict ones(const std::vector<std::string>& keys, at::IntArrayRef shape = {1}) {
  StateDict result;
  for (const auto& key : keys) result.emplace_back(key, torch::ones(shape));
  return result;
}
}  // namespace

TEST_CASE("key map: a star is one component and keeps its place, the first rule decides") {
  const KeyMap map{{"down.*.resnets.*.conv.*", "d*.r*.c.*"},
                   {"head.bias", "first.bias"},
                   {"head.*", "second.*"},
                   {"pooler.*", ""}};
  const auto renamed = rename_keys(
      ones({"down.10.resnets.2.conv.weight", "head.bias", "head.weight", "pooler.bias"}), map,
      "a test", "x");
  CHECK(names(renamed) ==
        std::vector<std::string>{"d10.r2.c.weight", "first.bias", "second.weight"});
  CHECK(names(rename_keys(renamed, reversed(map), "a test", "x")) ==
        std::vector<std::string>{"down.10.resnets.2.conv.weight", "head.bias", "head.weight"});
  CHECK_THROWS_AS(rename_keys(ones({"head"}), map, "a test", "x"), std::runtime_error);
  CHECK_THROWS_AS(rename_keys(ones({"head."}), map, "a test", "x"), std::runtime_error);
  CHECK_THROWS_AS(rename_keys(ones({"head.a.b"}), map, "a test", "x"), std::runtime_error);
  CHECK_THROWS_AS(rename_keys(ones({"a.head.bias"}), map, "a test", "x"), std::runtime_error);
}

TEST_CASE("key map: unknown names are one error that says whose file it may be") {
  const auto message = message_of<std::runtime_error>([] {
    rename_keys(ones({"double_blocks.0.a", "b", "c", "d", "known"}), {{"known", "known"}},
                "timm's VisionTransformer", "vit.safetensors");
  });
  CHECK(message ==
        "[weights] vit.safetensors: expected the tensors of timm's VisionTransformer, got 4 that "
        "it does not have: double_blocks.0.a, b, c and 1 more; this looks like "
        "black-forest-labs' Flux");
  CHECK(message_of<std::runtime_error>([] { rename_keys(ones({"b"}), {}, "a test", "x"); }) ==
        "[weights] x: expected the tensors of a test, got 1 that it does not have: b");
}

TEST_CASE("key map: rows are merged in the order of the parts and split into the same again") {
  const StateDict parts{{"a.v.weight", torch::full({2, 3}, 3.0)},
                        {"a.k.weight", torch::full({2, 3}, 2.0)},
                        {"other", torch::zeros({1})},
                        {"a.q.weight", torch::full({2, 3}, 1.0)},
                        {"q.bias", torch::full({1}, 4.0)},
                        {"k.bias", torch::full({1}, 5.0)},
                        {"v.bias", torch::full({1}, 6.0)}};
  const auto merged = merge_rows(parts, {"q", "k", "v"}, "qkv", "x");
  CHECK(names(merged) == std::vector<std::string>{"other", "a.qkv.weight", "qkv.bias"});
  CHECK(at::equal(merged[1].second.select(1, 0),
                  torch::tensor({1.0, 1.0, 2.0, 2.0, 3.0, 3.0}).to(torch::kFloat)));
  const auto split = split_rows(merged, "qkv", {"q", "k", "v"}, "x");
  REQUIRE(split.size() == parts.size());
  for (const auto& [name, tensor] : split) {
    INFO(name);
    bool found = false;
    for (const auto& [key, value] : parts)
      found = found || (key == name && at::equal(value, tensor));
    CHECK(found);
  }
}

TEST_CASE("key map: a part without the others, and rows that do not divide, are named") {
  CHECK_THROWS_WITH(merge_rows(ones({"a.q.bias", "a.v.bias"}), {"q", "k", "v"}, "qkv", "x"),
                    "[weights] x: expected 'a.k.bias' beside 'a.q.bias'");
  CHECK_THROWS_WITH(merge_rows(ones({"a.v.bias"}), {"q", "k", "v"}, "qkv", "x"),
                    "[weights] x: expected 'a.q.bias' beside 'a.v.bias'");
  CHECK_THROWS_WITH(
      merge_rows({{"q.w", torch::ones({2})}, {"k.w", torch::ones({3})}}, {"q", "k"}, "qk", "x"),
      Catch::Contains("expected 'k.w' and 'q.w' to have one shape, got [3] and [2]"));
  CHECK_THROWS_WITH(split_rows(ones({"qkv.bias"}, {4}), "qkv", {"q", "k", "v"}, "x"),
                    "[weights] x: expected rows divisible by 3 in 'qkv.bias', got [4]");
}

TEST_CASE("key map: layouts are told apart by their names") {
  CHECK(layout_of(ones({"x", "blocks.0.attn.qkv.weight"})) == "timm's VisionTransformer");
  CHECK(layout_of(ones({"blocks.0.attn.qkv.weight", "decoder_blocks.0.norm1.bias"})) ==
        "facebookresearch/mae's MaskedAutoencoderViT");
  CHECK(layout_of(ones({"vit.encoder.layer.0.attention.attention.key.bias"})) ==
        "transformers' ViT");
  CHECK(layout_of(ones({"distilvit.encoder.layer.0.attention.attention.key.bias"})) ==
        "SkinDistilViT's DistilViT");
  CHECK(layout_of(ones({"encoder.down_blocks.0.resnets.0.conv1.bias"})) ==
        "diffusers' AutoencoderKL");
  CHECK(layout_of(ones({"weight"})) == "");
}
