// Classifiers that see one corner: every method must point there.

#include <torch/types.h>

#include <catch2/catch.hpp>

#include "dermis/explain/explanation.hpp"
#include "planted.hpp"
#include "support.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

namespace {

const std::vector<int> kCorners = {240, 250, 230, 220, 245, 235};
const ExplainOptions options{.occlusion = {.size = 4, .stride = 4}, .tolerance = 1};

void check_points_to_corner(const Explanation& explanation) {
  for (const auto& method : explanation.methods) {
    INFO(explanation.model << ", " << method.method);
    const auto& all = method.localisation.all;
    CHECK(all.empty == 0);
    CHECK(all.area.mean == Approx(1.0 / 16));
    CHECK(all.share.lo > 0.4);  // bilinear enlarging spreads a patch over its neighbours
    CHECK(all.hit.mean == 1);
    CHECK(method.maps.sizes() == at::IntArrayRef({6, 16, 16}));
  }
}

}  // namespace

TEST_CASE("explanation: a ViT that sees one corner") {
  const auto data = corner_set(kCorners, 20);
  for (const bool mean_pooling : {false, true}) {
    const auto vit = corner_vit(mean_pooling);
    const auto found = explain("vit", vit, data, options);
    CHECK(found.evaluation.accuracy == 1);
    CHECK(found.methods.size() == 4);
    check_points_to_corner(found);
    // Attention does not follow what shines elsewhere, nor does the answer. Grad-CAM may: its
    // weights are means over positions.
    auto decoys = corner_set(kCorners, 20);
    decoys.set.images.slice(2, 12, 16).slice(3, 12, 16).fill_(255);
    const auto again = explain("vit", vit, decoys, options);
    for (const auto* method : {"attention", "rollout", "occlusion"})
      CHECK(again.by(method).localisation.all.hit.mean == 1);
  }
}

TEST_CASE("explanation: a ResNet that sees red finds the corner that is") {
  const auto data = corner_set(kCorners, 20);
  const auto found = explain("resnet", red_resnet(), data, options);
  CHECK(found.evaluation.accuracy == 1);
  CHECK(found.methods.size() == 2);
  check_points_to_corner(found);
  CHECK(found.by("occlusion").agreement.mean == Approx(1));
  CHECK(found.by("grad_cam").agreement.mean > 0.4);
  CHECK_THROWS_WITH(found.by("rollout"), Contains("a method of resnet, got rollout"));
}

TEST_CASE("explanation: a mask elsewhere is not found") {
  auto data = corner_set(kCorners, 20);
  data.masks.zero_();
  data.masks.slice(1, 10, 14).slice(2, 10, 14).fill_(1);
  const auto found = explain("vit", corner_vit(), data, options);
  for (const auto& method : found.methods) {
    INFO(method.method);
    CHECK(method.localisation.all.hit.mean == 0);
    CHECK(method.localisation.all.gain.hi < 0);
  }
}

TEST_CASE("explanation: right and wrong are told apart, and written") {
  auto data = corner_set({240, 30, 240, 30}, 20);
  data.set.samples[3].label = 1;  // a dark corner that is called bright: the answer is wrong
  data.set.labels[3] = 1;
  const auto found = explain("vit", corner_vit(), data, options);
  CHECK(found.evaluation.accuracy == Approx(0.75));
  CHECK(found.by("attention").localisation.right.images == 3);
  CHECK(found.by("attention").localisation.wrong.images == 1);
  const auto json = to_json(found);
  CHECK(json.at("methods").at("rollout").at("wrong").at("images").get<std::int64_t>() == 1);
  CHECK(json.at("methods").at("grad_cam").contains("agreement_with_occlusion"));
}

TEST_CASE("explanation: labels find their place among the model's classes") {
  auto set = corner_set({240, 30, 240}, 20).set;
  set.classes = {"dark", "bright"};
  const auto moved = relabelled(set, {"bright", "other", "dark"});
  CHECK(moved.samples[0].label == 0);
  CHECK(moved.samples[1].label == 2);
  CHECK(moved.labels[1].item<std::int64_t>() == 2);
  CHECK_THROWS_WITH(relabelled(set, {"bright"}), Contains("got dark"));
  CHECK(spread_over_classes(set, 2) == std::vector<std::int64_t>{0, 1});
  CHECK(spread_over_classes(set, 9) == std::vector<std::int64_t>{0, 1, 2});
}

TEST_CASE("explanation: other classes and sizes are refused") {
  auto data = corner_set({240, 30}, 20);
  data.set.classes = {"bright", "dark"};
  CHECK_THROWS_WITH(explain("vit", corner_vit(), data, options),
                    Contains("the classes of vit in their order"));
  data = corner_set({240, 30}, 20);
  data.set.images = data.set.images.slice(2, 0, 8).slice(3, 0, 8);
  CHECK_THROWS_WITH(explain("vit", corner_vit(), data, options),
                    Contains("16 pixels for vit, got 8"));
  CHECK(explain_options_for(224).tolerance == 15);
}
