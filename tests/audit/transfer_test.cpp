#include "dermis/audit/transfer.hpp"

#include <torch/types.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "../folder.hpp"
#include "sets.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

TEST_CASE("transfer: synthetic images that show the classes teach them, others do not") {
  const ScratchFolder folder;
  const auto real = striped(128, 1), test = striped(60, 2);
  const ClassifierOptions options{.model = small, .training = steps(250)};
  const auto good = as_synthetic(striped(96, 3));
  const auto found = transfer_audit(real, good, test, options, quiet(folder.path()));
  CHECK(found.real_to_real.balanced_accuracy.mean > 0.9);
  CHECK(found.synthetic_to_real.balanced_accuracy.mean > 0.9);
  CHECK(found.real_to_synthetic.balanced_accuracy.mean > 0.9);
  CHECK(found.real_to_synthetic.labels.size() == 96);
  CHECK(found.loss.lo <= 0.05);
  CHECK(found.real_images == std::vector<std::int64_t>{64, 64});
  CHECK(found.synthetic_images == std::vector<std::int64_t>{48, 48});
  const auto json = to_json(found);
  CHECK(json.at("synthetic_to_real").at("balanced_accuracy").at("mean").is_number());
  CHECK(json.at("images").at("synthetic").at("plain") == Json(48));
  CHECK(json.at("loss").contains("lo"));

  // Synthetic images whose classes are swapped: the real-trained arm is loaded, not trained again.
  const auto trained = std::filesystem::last_write_time(
      folder / "transfer_real/classifier/checkpoint/checkpoint.json");
  auto swapped = good;
  for (auto& sample : swapped.samples) sample.label = 1 - sample.label;
  swapped.labels = 1 - good.labels;
  std::filesystem::remove_all(folder / "transfer_synthetic");
  auto context = quiet(folder.path());
  context.resume = true;
  const auto wrong = transfer_audit(real, swapped, test, options, context);
  CHECK(std::filesystem::last_write_time(
            folder / "transfer_real/classifier/checkpoint/checkpoint.json") == trained);
  CHECK(wrong.real_to_real.probabilities == found.real_to_real.probabilities);
  CHECK(wrong.synthetic_to_real.balanced_accuracy.mean < 0.1);
  CHECK(wrong.real_to_synthetic.balanced_accuracy.mean < 0.1);
  CHECK(wrong.loss.lo > 0.5);
}

TEST_CASE("transfer: the wrong kind of image and missing classes are refused") {
  const auto real = striped(8, 1), test = striped(4, 2), synthetic = as_synthetic(striped(8, 3));
  const ClassifierOptions options{.model = small, .training = steps(1)};
  const auto run = [&](const PixelSet& a, const PixelSet& b, const PixelSet& c) {
    transfer_audit(a, b, c, options, quiet());
  };
  CHECK_NOTHROW(run(real, synthetic, test));
  CHECK_THROWS_WITH(
      run(synthetic, synthetic, test),
      "[transfer] expected a training part of real images only, got synthetic synthetic_image3_0");
  CHECK_THROWS_WITH(run(real, real, test),
                    "[transfer] expected a synthetic set of synthetic images only, got real "
                    "image1_0");
  CHECK_THROWS_WITH(run(real, synthetic, synthetic), Contains("a test part of real images only"));
  CHECK_THROWS_WITH(run(real, synthetic.subset({0, 2}), test),
                    Contains("got none of striped, of which 4 are real"));
  auto other = test;
  other.classes = {"plain", "spotted"};
  CHECK_THROWS_WITH(run(real, synthetic, other), Contains("the same classes in the same order"));
}
