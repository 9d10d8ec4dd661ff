#include "dermis/edge/file.hpp"

#include <catch2/catch.hpp>

#include "checkpoint.hpp"
#include "dermis/core/file.hpp"
#include "dermis/edge/model.hpp"
#include "folder.hpp"

namespace dermis::edge {
namespace {

struct Fixture {
  explicit Fixture(const test::CheckpointOptions& options = test::student_of_every_depth())
      : checkpoint(test::draw_checkpoint(options)) {
    checkpoint.save(source);
  }
  void export_as(const ExportOptions& options = {}) { export_model(source, file, options); }

  test::ScratchFolder folder;
  test::Checkpoint checkpoint;
  std::filesystem::path source = folder / "student.safetensors", file = folder / "student.edge";
};

TEST_CASE("A file says what it is and where it came from") {
  Fixture f;
  f.export_as({Precision::I8,
               {1.5},
               {0.9, 0.8, 0.7},
               0.4,
               std::vector<double>(8, 0.25),
               Json::object({{"trained_on", "phantoms"}})});
  const Manifest m = Model(f.file).manifest();
  CHECK(m.precision == Precision::I8);
  CHECK(m.network.hidden == 256);
  CHECK(m.classes.at(7) == "class 7");
  CHECK(m.mean == std::vector<double>{0.7, 0.5, 0.4});
  CHECK(m.temperatures == std::vector<double>(4, 1.5));
  CHECK(m.exit_confidences == std::vector<double>{0.9, 0.8, 0.7});
  CHECK(m.abstain_below == 0.4);
  CHECK(m.provenance.at("trained_on") == Json("phantoms"));
  CHECK(m.provenance.at("checkpoint") == Json("student.safetensors"));
  CHECK(m.provenance.at("checkpoint_sha256").get<std::string>().size() == 64);
  CHECK(verify(f.file).size() == 64);
  const auto again = read_file(f.file);
  f.export_as({Precision::I8,
               {1.5},
               {0.9, 0.8, 0.7},
               0.4,
               std::vector<double>(8, 0.25),
               Json::object({{"trained_on", "phantoms"}})});
  CHECK(read_file(f.file) == again);
}

TEST_CASE("A changed byte is found at load, wherever it is") {
  Fixture f(test::odd_classifier());
  f.export_as();
  const std::string whole = read_file(f.file);
  const std::size_t data =
      8 + static_cast<unsigned char>(whole[0]) + 256 * static_cast<unsigned char>(whole[1]);
  for (const std::size_t at : {data, data + 12345, whole.size() - 1}) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 4);
    test::write_text(f.file, changed);
    CHECK_THROWS_WITH(Model(f.file), Catch::Contains("the file is damaged"));
  }
  std::string changed = whole;
  changed[whole.find("class 3") + 6] = '4';
  test::write_text(f.file, changed);
  CHECK_THROWS_WITH(Model(f.file), Catch::Contains("the file is damaged"));
  test::write_text(f.file, whole.substr(0, whole.size() - 1));
  CHECK_THROWS_WITH(Model(f.file), Catch::Contains("truncated"));
}

TEST_CASE("A forged file with a mended checksum fails verification") {
  Fixture f(test::odd_classifier());
  f.export_as();
  const SafetensorsFile file(f.file);
  auto metadata = file.metadata();
  metadata["dermis.sha256"] = std::string(64, '0');
  std::vector<std::pair<std::string, TensorView>> tensors;
  for (const auto& name : file.names()) tensors.emplace_back(name, file.at(name));
  write_safetensors(f.file, tensors, metadata);
  CHECK_NOTHROW(Model(f.file));
  CHECK_THROWS_WITH(verify(f.file), Catch::Contains("expected dermis.sha256 0000"));
}

TEST_CASE("Tensors that are not what the manifest says are refused by name") {
  Fixture f(test::odd_classifier());
  f.export_as();
  const SafetensorsFile file(f.file);
  const Manifest manifest = Model(f.file).manifest();
  std::vector<std::pair<std::string, TensorView>> tensors;
  for (const auto& name : file.names()) tensors.emplace_back(name, file.at(name));
  const auto at = [&](const std::string& name) {
    return std::find_if(tensors.begin(), tensors.end(),
                        [&](const auto& t) { return t.first == name; });
  };
  SECTION("missing") {
    tensors.erase(at("blocks.2.mlp.fc1.bias"));
    write_file(f.file, manifest, tensors);
    CHECK_THROWS_WITH(Model(f.file), Catch::Contains("blocks.2.mlp.fc1.bias"));
  }
  SECTION("of another shape") {
    at("fc_norm.weight")->second.shape = {30, 2};
    write_file(f.file, manifest, tensors);
    CHECK_THROWS_WITH(Model(f.file),
                      Catch::Contains("'fc_norm.weight': expected F32 [60], got F32 [30,2]"));
  }
  SECTION("of another type") {
    auto other = manifest;
    other.precision = Precision::I8;
    write_file(f.file, other, tensors);
    CHECK_THROWS_WITH(Model(f.file), Catch::Contains("expected I8 [60,3,10,10], got F32"));
  }
  SECTION("bytes of -128, with which sums would overflow") {
    f.export_as({Precision::I8});
    const SafetensorsFile bytes(f.file);
    tensors.clear();
    for (const auto& name : bytes.names()) tensors.emplace_back(name, bytes.at(name));
    std::vector<std::byte> changed(at("blocks.0.mlp.fc1.weight")->second.bytes, std::byte{0x80});
    at("blocks.0.mlp.fc1.weight")->second.data = changed.data();
    write_file(f.file, Model(f.file).manifest(), tensors);
    CHECK_THROWS_WITH(Model(f.file), Catch::Contains("expected values from -127, got -128"));
  }
}

TEST_CASE("Manifests that cannot be are refused by key") {
  Fixture f;
  f.export_as();
  const Manifest good = Model(f.file).manifest();
  const auto refused = [&](const char* message, const auto& change) {
    Manifest m = good;
    change(m);
    const auto json = options_to_json(m).dump();
    CHECK_THROWS_WITH(parse_manifest(json, "file"), Catch::Contains(message));
  };
  CHECK_NOTHROW(parse_manifest(options_to_json(good).dump(), "file"));
  refused("'version': expected 1 to 1, got 2", [](Manifest& m) { m.version = 2; });
  refused("'image_size': expected a multiple", [](Manifest& m) { m.network.image_size = 60; });
  refused("'heads': expected a divisor", [](Manifest& m) { m.network.heads = 3; });
  refused("'heads': expected 1 to", [](Manifest& m) { m.network.heads = 0; });
  refused("'depth': expected 1 to", [](Manifest& m) { m.network.depth = 1 << 30; });
  refused("'hidden': expected 1 to", [](Manifest& m) { m.network.hidden = -1; });
  refused("'tokens': expected 2 to", [](Manifest& m) { m.network.image_size = 8 * 4096; });
  refused("activations of a layer", [](Manifest& m) {
    m.network.image_size = 8 * 255;
    m.network.hidden = 65536;
  });
  refused("'every_depth': expected class-token",
          [](Manifest& m) { m.network.mean_pooling = true; });
  refused("'classes': expected 8 names, got 7", [](Manifest& m) { m.classes.pop_back(); });
  refused("'std': expected 1e-6 to 1e6, got 0", [](Manifest& m) { m.std[1] = 0; });
  refused("'temperatures': expected 4 numbers, got 5",
          [](Manifest& m) { m.temperatures.push_back(1); });
  refused("'exit_confidences': expected 3 numbers",
          [](Manifest& m) { m.exit_confidences.clear(); });
  refused("'thresholds': expected 8 numbers, got 1", [](Manifest& m) { m.thresholds = {1}; });
  CHECK_THROWS_WITH(parse_manifest("{\"colour\": 1}", "file"),
                    Catch::Contains("unknown key 'colour'"));
}

TEST_CASE("Checkpoints that are no classifier, and options that do not fit, are refused") {
  Fixture f;
  CHECK_THROWS_AS(f.export_as({Precision::F32, {1, 2}}), std::invalid_argument);
  CHECK_THROWS_AS(f.export_as({Precision::F32, {0}}), std::invalid_argument);
  CHECK_THROWS_AS(f.export_as({Precision::F32, {}, {0.5}}), std::invalid_argument);
  CHECK_THROWS_WITH(export_model(f.folder / "none", f.file), Catch::Contains("none"));
  write_safetensors(f.source, {});
  CHECK_THROWS_WITH(f.export_as(), Catch::Contains("without 'dermis.architecture'"));
  CHECK_THROWS_WITH(Model(f.source), Catch::Contains("without 'dermis.edge'"));
  f.checkpoint.tensors["vit.blocks.1.norm1.weight"].values[3] = NAN;
  f.checkpoint.save(f.source);
  CHECK_THROWS_WITH(f.export_as(), Catch::Contains("'vit.blocks.1.norm1.weight': expected finite"));
  CHECK_FALSE(std::filesystem::exists(f.file));
}

}  // namespace
}  // namespace dermis::edge
