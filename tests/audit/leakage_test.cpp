#include "dermis/audit/leakage.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "audit/planted.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Contains;

namespace {

/// Clean parts of 64 pixels: 80 training images, 32 in validation and in test.
DataParts small_parts() {
  static const PlantedData data = planted_data(4, 80, 4);
  return clean_parts(data);
}

}  // namespace

TEST_CASE("leakage: a clean split is called clean") {
  const auto result = leakage_audit(small_parts());
  CHECK(result.clean());
  const auto json = to_json(result);
  CHECK(json.at("clean").get<bool>());
  for (const char* kind :
       {"near_duplicates", "images", "lesions", "patients", "synthetic_held_out"}) {
    CHECK(json.at(kind).at("count").get<int>() == 0);
    CHECK(json.at(kind).at("names").size() == 0);
  }
}

TEST_CASE("leakage: copies of training images in test are found under other names") {
  for (const auto& disguise : disguises()) {
    if (disguise.name == "blurred to 16 x 16") continue;  // what generators do, not archives
    INFO(disguise.name);
    auto parts = small_parts();
    leak_copies(parts, disguise, 10, 2);
    std::set<std::string> found;
    const auto result = leakage_audit(parts);
    for (const auto& pair : result.duplicates) {
      CHECK(pair.part_a == "train");
      CHECK(pair.part_b == "test");
      CHECK_THAT(pair.id_b, Catch::StartsWith("leaked_"));
      found.insert(pair.id_b);
    }
    CHECK(found.size() >= 9);
    CHECK_FALSE(result.clean());
    CHECK(result.lesions.empty());
  }
}

TEST_CASE("leakage: another view of a training lesion is found by its lesion alone") {
  auto parts = small_parts();
  const auto moved = leak_views(parts, 5, false);
  REQUIRE(moved == 5);
  auto result = leakage_audit(parts);
  REQUIRE(result.lesions.size() == 5);
  CHECK(result.lesions[0].parts == std::vector<std::string>{"train", "test"});
  CHECK(to_json(result).at("lesions").at("count").get<int>() == 5);

  parts = small_parts();
  leak_views(parts, 5, true);
  CHECK(leakage_audit(parts).clean());  // a limit, see leakage.hpp
}

TEST_CASE("leakage: ids, patients and synthetic images are looked at") {
  auto parts = small_parts();
  parts.validation.samples[3].id = parts.train.samples[7].id;
  parts.validation.samples[4].patient = parts.test.samples[5].patient = "P7";
  parts.train.samples[9].patient = "P7";
  parts.test.samples[6].synthetic = true;
  parts.train.samples[6].synthetic = true;  // belongs there
  const auto result = leakage_audit(parts);
  REQUIRE(result.images.size() == 1);
  CHECK(result.images[0].name == parts.train.samples[7].id);
  CHECK(result.images[0].parts == std::vector<std::string>{"train", "validation"});
  REQUIRE(result.patients.size() == 1);
  CHECK(result.patients[0].parts == std::vector<std::string>{"train", "validation", "test"});
  REQUIRE(result.synthetic.size() == 1);
  CHECK(result.synthetic[0].id == "T6");
  CHECK(result.synthetic[0].part == "test");
  CHECK_FALSE(result.clean());
  const auto json = to_json(result);
  CHECK(json.at("synthetic_held_out").at("names").elements()[0].at("id").get<std::string>() ==
        "T6");
  CHECK(json.at("patients").at("names").elements()[0].at("name").get<std::string>() == "P7");

  CHECK_THROWS_WITH(leakage_audit(parts, {.max_distance = 65}),
                    Contains("expected max_distance in 0..64"));
}
