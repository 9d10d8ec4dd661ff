#include "dermis/edge/calibration.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "checkpoint.hpp"
#include "dermis/edge/file.hpp"
#include "dermis/metrics/early_exit.hpp"
#include "folder.hpp"

namespace dermis::edge {

TEST_CASE("Exits are calibrated on labelled images, and the first sure one may answer") {
  const auto options = test::student_of_every_depth();
  const test::ScratchFolder folder;
  test::draw_checkpoint(options).save(folder / "student.safetensors");
  export_model(folder / "student.safetensors", folder / "student.edge");
  Model model(folder / "student.edge");
  const auto exits = static_cast<std::size_t>(options.network.exits());
  const auto classes = static_cast<std::size_t>(options.network.num_classes);

  // The last exit is right in three of four images.
  LabelledPixels images;
  images.count = 60;
  images.pixels = [&](std::int64_t i, float* to) {
    const auto pixels = test::draw_pixels(options.network, static_cast<std::uint64_t>(i));
    std::copy(pixels.begin(), pixels.end(), to);
  };
  std::vector<float> pixels(
      static_cast<std::size_t>(3 * options.network.image_size * options.network.image_size));
  for (std::int64_t i = 0; i < images.count; ++i) {
    images.pixels(i, pixels.data());
    const auto& logits = model.logits(pixels.data());
    const auto last = logits.begin() + static_cast<std::ptrdiff_t>((exits - 1) * classes);
    const auto best = std::max_element(last, logits.end()) - last;
    images.labels.push_back(
        static_cast<int>(i % 4 > 0 ? best : (best + 1) % static_cast<std::ptrdiff_t>(classes)));
  }

  const auto never = calibrate_exits(model, images);
  REQUIRE(never.temperatures.size() == exits);
  REQUIRE(never.confidences.size() == exits - 1);
  for (const double t : never.temperatures) CHECK(t > 0);
  CHECK(never.temperatures.back() != 1);
  CHECK(never.confidences.front() == kNeverEarly);

  const auto any = calibrate_exits(model, images, 1.0);
  CHECK(any.confidences.front() == 0);  // whatever the first exit says is good enough
  CHECK(any.temperatures == never.temperatures);
  const auto strict = calibrate_exits(model, images, 0.0);
  CHECK(strict.confidences.front() > 0);
  CHECK(std::count(strict.confidences.begin(), strict.confidences.end(),
                   strict.confidences.front()) == static_cast<std::ptrdiff_t>(exits - 1));

  images.labels.pop_back();
  CHECK_THROWS_WITH(calibrate_exits(model, images), Catch::Contains("60 images and 59 labels"));
}

}  // namespace dermis::edge
