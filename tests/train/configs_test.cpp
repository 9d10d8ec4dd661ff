#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "dermis/core/file.hpp"
#include "dermis/train/recipe.hpp"

using namespace dermis;

namespace {

std::filesystem::path config_file(const std::string& preset) {
  const auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
  return root / "examples/configs" / (preset + ".json");
}

/// The keys in which `file` and `preset` are not the same: "generator.guidance_scale" and so on.
std::vector<std::string> differences(const Json& file, const Json& preset,
                                     const std::string& prefix = "") {
  std::vector<std::string> keys;
  for (const auto& [key, value] : preset.items()) {
    if (!file.contains(key)) {
      keys.push_back(prefix + key + " is missing");
    } else if (value.is_object() && file.at(key).is_object()) {
      for (const auto& below : differences(file.at(key), value, prefix + key + "."))
        keys.push_back(below);
    } else if (file.at(key) != value) {
      keys.push_back(prefix + key + " is " + file.at(key).dump() + ", not " + value.dump());
    }
  }
  for (const auto& [key, value] : file.items())
    if (!preset.contains(key)) keys.push_back(prefix + key + " is no setting");
  return keys;
}

}  // namespace

// After a change of a preset, DERMIS_WRITE_CONFIGS=1 writes the files anew.
TEST_CASE("configs: each file states every setting of its preset") {
  for (const std::string preset : {"demo", "study", "paper"}) {
    const auto expected = options_to_json(dermae_recipe(preset));
    if (std::getenv("DERMIS_WRITE_CONFIGS") != nullptr)
      write_atomically(config_file(preset), expected.dump(2) + "\n");
    const auto file = Json::read(config_file(preset));
    INFO("examples/configs/" << preset << ".json");
    CHECK(differences(file, expected) == std::vector<std::string>{});
    // As `--config` reads it, over another preset's values.
    auto read = dermae_recipe(preset == "paper" ? "demo" : "paper");
    options_from_json(read, file, preset);
    set_image_size(read, read.image_size);
    CHECK_NOTHROW(validate(read));
    CHECK(options_to_json(read) == expected);
  }
}

TEST_CASE("configs: a setting that is missing, unknown or different is found") {
  const auto expected = options_to_json(dermae_recipe("demo"));
  auto file = Json::object();
  for (const auto& [key, value] : expected.items())
    if (key != "image_size") file[key] = value;
  file["teacher"]["loss"]["focal_gamma"] = 2.5;
  file["student"]["loss"]["heat"] = 1;
  CHECK(differences(file, expected) ==
        std::vector<std::string>{"image_size is missing",
                                 "teacher.loss.focal_gamma is 2.5, not 0.0",
                                 "student.loss.heat is no setting"});
  auto recipe = dermae_recipe("demo");
  CHECK_THROWS_WITH(options_from_json(recipe, file, "mine.json"),
                    Catch::Contains("mine.json: student: loss: unknown key 'heat'"));
}
