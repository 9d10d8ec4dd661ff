#include "dermis/experiment/prompt_following.hpp"

#include "dermis/data/masks.hpp"
#include "dermis/train/parts.hpp"
#include "support.hpp"

using namespace dermis;

namespace {

/// Phantom images that are asked for by their truth.
struct Truth {
  PixelSet set;
  at::Tensor masks;
  std::vector<LesionDescription> asked;

  Truth() {
    const Phantom phantom({.seed = 3,
                           .train_images = 8,
                           .validation_lesions_per_class = 1,
                           .test_lesions_per_class = 15,
                           .image_size = 64});
    set = load_pixels(phantom.dataset(PhantomPart::Test), 64, {.progress = false});
    masks = with_phantom_masks(phantom, PhantomPart::Test, set).masks;
    for (std::int64_t i = 0; i < set.size(); ++i)
      asked.push_back(describe(phantom.attributes(PhantomPart::Test, i), false));
  }
};

}  // namespace

TEST_CASE("prompt_following: images of the phantom follow their truth, shuffled they do not") {
  const Truth truth;
  const BootstrapOptions quick{.resamples = 200};
  for (const bool found : {false, true}) {  // in the true masks, and in those that are found
    const auto measured = found ? measured_lesions(truth.set.images)
                                : measured_lesions(truth.set.images, truth.masks);
    const auto own = prompt_following(truth.asked, measured, quick);
    INFO(to_json(own).dump());
    CHECK(own.images == 120);
    CHECK(own.measured > 100);
    CHECK(own.asymmetry.lo > (found ? 0.2 : 0.5));
    CHECK(own.border.lo > (found ? 0.3 : 0.7));
    CHECK(own.colour.lo > 0);
    CHECK(own.colours.size() == 6);
    const auto other = shuffled_following(truth.asked, measured, 1, 200);
    INFO(to_json(other).dump());
    for (const auto& [control, interval] :
         {std::pair(&other.asymmetry, &own.asymmetry), std::pair(&other.border, &own.border),
          std::pair(&other.colour, &own.colour)}) {
      CHECK(control->lo < 0);
      CHECK(control->hi > 0);
      CHECK(std::abs(control->mean) < 0.05);
      CHECK(control->hi < interval->lo);
    }
  }
}

TEST_CASE("prompt_following: an image without a lesion is left out, wrong numbers are refused") {
  CHECK_FALSE(measured_lesion(make_image(64, 64, 200)).has_value());
  const Truth truth;
  auto measured = measured_lesions(truth.set.images, truth.masks);
  measured[0].reset();
  CHECK(prompt_following(truth.asked, measured, {.resamples = 20}).measured == 119);
  measured.pop_back();
  CHECK_THROWS_WITH(prompt_following(truth.asked, measured), Catch::Contains("got 119 and 120"));
  CHECK_THROWS_WITH(shuffled_following(truth.asked, measured, 1, 0),
                    Catch::Contains("at least 1 shuffle"));
}
