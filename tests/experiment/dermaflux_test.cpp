#include "dermis/experiment/dermaflux.hpp"

#include "support.hpp"

using namespace dermis;
using test::message_of;

namespace {

Phantom small_phantom() {
  return Phantom({.seed = 2,
                  .train_images = 120,
                  .validation_lesions_per_class = 1,
                  .test_lesions_per_class = 1,
                  .image_size = 32});
}

CaptionedSet training(const Phantom& phantom) {
  const auto set = load_pixels(phantom.dataset(PhantomPart::Train), 32, {.progress = false});
  return captioned(set, phantom, PhantomPart::Train, 4);
}

}  // namespace

TEST_CASE("dermaflux: captions say the phantom's truth, the held-out combination is left out") {
  const auto phantom = small_phantom();
  const auto all = training(phantom);
  REQUIRE(all.captions.size() == 120);
  const auto truth = phantom.attributes(PhantomPart::Train, 7);
  CHECK(all.descriptions[7].asymmetric_axes == truth.asymmetry_axes);
  for (const auto& colour : truth.colours) CHECK_THAT(all.captions[7], Catch::Contains(colour));
  const auto seen = without_held_out(all);
  CHECK(seen.set.size() < 120);
  CHECK(seen.set.size() > 90);
  for (const auto& description : seen.descriptions) CHECK_FALSE(is_held_out(description));
  CHECK(is_held_out({.asymmetric_axes = 2, .colours = {"black", "blue-grey"}, .structures = {}}));
  CHECK_FALSE(is_held_out({.asymmetric_axes = 1, .colours = {"blue-grey"}, .structures = {}}));
  CHECK_THAT(message_of([&] {
               captioned(all.set.subset({0, 1}), phantom, PhantomPart::Train, 4);
             }),
             Catch::Contains("all 120 images") && Catch::Contains("got 2"));
}

TEST_CASE("dermaflux: captions are measured inside the masks that are given") {
  const auto phantom = small_phantom();
  const auto all = training(phantom);
  auto masked = with_phantom_masks(phantom, PhantomPart::Train, all.set);
  masked.without_mask = 3;
  const auto measured = captioned(masked, 4);
  CHECK(measured.captions.size() == 120);
  CHECK(measured.unmeasured == 3);
  const auto share = masked.masks[7].to(torch::kFloat).mean().item<double>();
  CHECK(measured.descriptions[7].area_share == Approx(share).epsilon(0.01));
  masked.masks[7].zero_();
  const auto fewer = captioned(masked, 4);
  CHECK(fewer.captions.size() == 119);
  CHECK(fewer.unmeasured == 4);
  CHECK(fewer.set.samples[7].id == all.set.samples[8].id);
}

TEST_CASE("dermaflux: eight classes become two") {
  const auto all = training(small_phantom());
  const auto binary = by_malignancy(all.set);
  CHECK(binary.classes == malignancy_classes());
  for (std::int64_t i = 0; i < binary.size(); ++i) {
    const auto row = static_cast<std::size_t>(i);
    const auto& name = all.set.classes[static_cast<std::size_t>(all.set.samples[row].label)];
    CHECK(binary.samples[row].label == (name == "MEL" || name == "BCC" || name == "SCC"));
    CHECK(binary.labels[i].item<std::int64_t>() == binary.samples[row].label);
    CHECK(all.descriptions[row].malignant == (binary.samples[row].label == 1));
  }
}

TEST_CASE("dermaflux: given captions take the place of ours, missing ones are counted") {
  const auto all = training(small_phantom());
  std::vector<Caption> given;
  for (const auto& sample : all.set.samples)
    given.push_back({"photos/" + sample.id + ".png", "a mole, " + sample.id});
  const auto own = recaptioned(all, given);
  CHECK(own.captions[5] == "a mole, " + all.set.samples[5].id);
  CHECK(own.descriptions.size() == all.descriptions.size());
  given.resize(118);
  CHECK_THAT(message_of<std::runtime_error>([&] { recaptioned(all, given); }),
             Catch::Contains("2 of 120 training images have no caption"));
}

TEST_CASE("dermaflux: the preset can be run, what cannot be is refused") {
  auto recipe = dermaflux_recipe("demo");
  validate(recipe);
  const auto stages = plan(recipe);
  REQUIRE(stages.size() == 3);
  CHECK(stages[1].stage == "text_to_image");
  CHECK(stages[1].parameters > 1'000'000);
  recipe.data.image_size = 60;
  CHECK_THAT(message_of([&] { validate(recipe); }), Catch::Contains("divisible by 8, got 60"));
  recipe = dermaflux_recipe("demo");
  recipe.adapter.rank = 0;
  CHECK_THAT(message_of([&] { validate(recipe); }), Catch::Contains("rank 1 or more"));
  CHECK_THAT(message_of([&] { dermaflux_recipe("large"); }), Catch::Contains("got large"));
}
