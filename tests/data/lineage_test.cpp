#include "dermis/data/lineage.hpp"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>

using namespace dermis;
using Catch::Matchers::Contains;

namespace {

/// `count` different images of two classes: image i is of lesion L<i / 2> and of patient P<i / 4>.
PixelSet images(int first, int count) {
  PixelSet set;
  set.classes = {"MEL", "NV"};
  set.images = at::zeros({count, 3, 4, 4}, at::kByte);
  set.labels = at::zeros({count}, at::kLong);
  for (int i = 0; i < count; ++i) {
    const int number = first + i;
    set.images[i].fill_(number);
    set.labels[i] = number % 2;
    set.samples.push_back({.id = text("image", number),
                           .label = number % 2,
                           .lesion = text("L", number / 2),
                           .patient = text("P", number / 4)});
  }
  return set;
}

}  // namespace

TEST_CASE("lineage: of real images, whatever their order, and different for different images") {
  const auto training = images(0, 6);
  const auto lineage = lineage_of(training);
  CHECK(lineage.split.size() == 16);
  CHECK(lineage.images.size() == 6);
  CHECK(lineage.lesions.size() == 3);
  CHECK(lineage.patients.size() == 2);
  CHECK(lineage.class_counts == std::map<std::string, std::int64_t>{{"MEL", 3}, {"NV", 3}});
  CHECK(lineage_of(training.subset({5, 1, 0, 3, 2, 4})) == lineage);
  CHECK(lineage_of(training.subset({0, 1, 2, 3, 4})).split != lineage.split);

  auto with_synthetic = images(0, 8);
  with_synthetic.samples[6].synthetic = with_synthetic.samples[7].synthetic = true;
  CHECK(lineage_of(with_synthetic) == lineage);

  auto changed = images(0, 6);
  changed.images[2][0][0][0] = 99;
  CHECK(lineage_of(changed).split != lineage.split);
  changed = images(0, 6);
  changed.samples[2].patient = "someone else";
  CHECK(lineage_of(changed).split != lineage.split);
}

TEST_CASE("lineage: no name of a lesion, patient or image is in its file, which reads back") {
  const auto lineage = lineage_of(images(0, 6));
  const auto json = to_json(lineage);
  for (const char* name : {"image0", "L1", "P0"}) CHECK_THAT(json.dump(), !Contains(name));
  CHECK(lineage_from_json(Json::parse(json.dump(2), "x"), "x") == lineage);
  CHECK(lineage_from_json(to_json(Lineage()), "x") == Lineage());

  CHECK_THROWS_WITH(lineage_from_json(Json::object({{"split", ""}}), "lineage.json"),
                    Contains("[lineage] lineage.json: ") && Contains("classes"));
  auto lost = json;
  lost["lesions"] = Json::array();
  CHECK_THROWS_WITH(
      lineage_from_json(lost, "lineage.json"),
      Contains("lineage.json: expected the hash of its content as split, got " + lineage.split));
  auto wrong = json;
  wrong["images"] = 3;
  CHECK_THROWS_WITH(lineage_from_json(wrong, "lineage.json"), Contains("[lineage] lineage.json"));
}

TEST_CASE("lineage: held-out images that share pixels, lesion or patient are refused and named") {
  const auto lineage = lineage_of(images(0, 6));  // L0 .. L2, P0 and P1
  CHECK_NOTHROW(check_unseen(lineage, images(8, 6), "test part"));
  const auto refused = [&](const PixelSet& set) {
    try {
      check_unseen(lineage, set, "test part");
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
    return std::string();
  };

  auto held_out = images(8, 4);
  held_out.images[1].fill_(3);
  CHECK(refused(held_out) ==
        "[lineage] test part: the generator was trained on 1 of 4 images, their lesions or "
        "patients: image9 (the image itself)");
  held_out = images(8, 4);
  held_out.samples[2].lesion = "L2";
  held_out.samples[3].patient = "P1";
  CHECK_THAT(refused(held_out), Contains("2 of 4 images") && Contains("image10 (lesion L2)") &&
                                    Contains("image11 (patient P1)"));
  held_out = images(8, 4);
  held_out.samples[0].lesion = "P1";  // a lesion that is called like a patient
  held_out.samples[1].patient = "L1";
  CHECK(refused(held_out).empty());
  // Nameless lesions and patients are nobody's, even where the training images have nameless ones.
  auto nameless = images(20, 2);
  for (auto& sample : nameless.samples) sample.lesion = sample.patient = "";
  const auto nameless_lineage = lineage_of(nameless);
  CHECK(nameless_lineage.lesions.empty());
  nameless.images.fill_(200);
  CHECK_NOTHROW(check_unseen(nameless_lineage, nameless, "test part"));

  CHECK_THROWS_WITH(check_unseen(Lineage(), images(8, 2), "out/synthetic"),
                    "[lineage] out/synthetic: nothing tells which images its generator was "
                    "trained on");
}
