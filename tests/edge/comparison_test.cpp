#include "dermis/edge/comparison.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "checkpoint.hpp"
#include "dermis/edge/file.hpp"
#include "folder.hpp"

namespace dermis::edge {
namespace {

struct Fixture {
  Fixture() {
    for (const auto precision : {Precision::F32, Precision::I8}) {
      test::draw_checkpoint(options).save(folder / "student.safetensors");
      files.push_back(folder / (name(precision) + ".edge"));
      export_model(folder / "student.safetensors", files.back(), {precision});
    }
    images.count = 40;
    images.pixels = [this](std::int64_t i, float* to) {
      const auto pixels = test::draw_pixels(options.network, static_cast<std::uint64_t>(i / 2));
      std::copy(pixels.begin(), pixels.end(), to);
    };
    for (int i = 0; i < 40; ++i) {
      images.labels.push_back(i % 7);  // none is of the last class
      images.lesions.push_back(std::to_string(i / 2));
    }
  }
  test::CheckpointOptions options = test::student_of_every_depth();
  test::ScratchFolder folder;
  std::vector<std::filesystem::path> files;
  LabelledPixels images;
};

TEST_CASE("Files are compared in pairs, on the same images") {
  Fixture f;
  // What the first file says is the truth of every fourth image: its figures can then be counted.
  const auto first = compare({f.files[0]}, f.images)[0];
  for (std::size_t i = 0; i < 40; i += 4) {
    Eigen::Index best = 0;
    first.probabilities.row(static_cast<Eigen::Index>(i)).maxCoeff(&best);
    f.images.labels[i] = static_cast<int>(best);
  }
  const auto found = compare(f.files, f.images);
  REQUIRE(found.size() == 2);
  CHECK(found[0].precision == Precision::F32);
  CHECK(found[0].agreement == 1);
  CHECK(found[0].difference.lo == 0);
  CHECK(found[0].difference.hi == 0);
  CHECK(found[0].balanced_accuracy.mean > 0.1);
  CHECK(found[0].mean_exit == Approx(3));
  CHECK(found[1].agreement > 0.9);
  CHECK(found[1].file_bytes < found[0].file_bytes / 2);
  CHECK(found[1].memory_bytes < found[0].memory_bytes);
  CHECK(found[1].milliseconds > 0);
  CHECK(found[1].difference.mean ==
        Approx(found[1].balanced_accuracy.mean - found[0].balanced_accuracy.mean).margin(1e-12));
  for (std::size_t c = 0; c < 7; ++c)
    CHECK(found[1].recall_difference[c].mean ==
          Approx(found[1].recall[c] - found[0].recall[c]).margin(1e-12));
  CHECK((found[0].probabilities - found[1].probabilities).cwiseAbs().maxCoeff() > 0);
  const auto json = to_json(found, std::vector<std::string>(8, "class"));
  CHECK(json.elements()[1].at("precision") == Json("int8"));
}

TEST_CASE("Files of other networks, and images without labels, are refused") {
  Fixture f;
  CHECK_THROWS_WITH(compare({}, f.images), Catch::Contains("at least one file"));
  auto unlabelled = f.images;
  unlabelled.labels.pop_back();
  CHECK_THROWS_WITH(compare(f.files, unlabelled), Catch::Contains("40 images, 39 labels"));
  test::draw_checkpoint(test::odd_classifier()).save(f.folder / "other.safetensors");
  export_model(f.folder / "other.safetensors", f.folder / "other.edge");
  CHECK_THROWS_WITH(compare({f.files[0], f.folder / "other.edge"}, f.images),
                    Catch::Contains("other.edge: expected the classes and image size of"));
}

}  // namespace
}  // namespace dermis::edge
