#include "dermis/data/recipes.hpp"

#include <torch/types.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <stdexcept>

using namespace dermis;
using Catch::Contains;

namespace {

constexpr int64_t kSide = 32;

/// Channel 0 is 60 + 2 x, channel 1 is 60 + 2 y, channel 2 is 128: a view tells where it looked.
at::Tensor ramps(int64_t count) {
  const at::Tensor line = torch::arange(kSide) * 2 + 60;
  const at::Tensor image =
      torch::stack({line.view({1, kSide}).expand({kSide, kSide}),
                    line.view({kSide, 1}).expand({kSide, kSide}), torch::full({kSide, kSide}, 128)})
          .to(torch::kUInt8);
  return image.unsqueeze(0).repeat({count, 1, 1, 1});
}

at::Tensor flat(int64_t count, int value) {
  return torch::full({count, 3, kSide, kSide}, value, torch::kUInt8);
}

std::vector<int64_t> counting(int64_t count) {
  std::vector<int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

at::Tensor views(const at::Tensor& images, Recipe recipe) {
  return augment(images, {.recipe = recipe}, 3, "test", 0, counting(images.size(0)));
}

double largest(const at::Tensor& x) {
  return x.abs().max().item<double>();
}

}  // namespace

TEST_CASE("recipes: names") {
  for (const auto& [recipe, text] : {std::pair{Recipe::Lesion, "lesion"},
                                     {Recipe::Mae, "mae"},
                                     {Recipe::SkinDistilViT, "skindistilvit"}}) {
    CHECK(name(recipe) == text);
    auto read = recipe == Recipe::Mae ? Recipe::Lesion : Recipe::Mae;
    from_name(read, text);
    CHECK(read == recipe);
  }
  Recipe recipe{};
  CHECK_THROWS_WITH(from_name(recipe, "trivial"),
                    "[augment] expected a recipe lesion, mae or skindistilvit, got trivial");
}

TEST_CASE("recipes: a view depends on its key alone") {
  for (const auto recipe : {Recipe::Lesion, Recipe::Mae, Recipe::SkinDistilViT}) {
    const RecipeOptions options{.recipe = recipe};
    const at::Tensor images = ramps(8);
    const at::Tensor all = augment(images, options, 7, "train", 3, counting(8));
    CHECK(all.scalar_type() == torch::kFloat32);
    REQUIRE(all.sizes() == images.sizes());
    for (int64_t i = 0; i < 8; ++i)
      CHECK(torch::equal(augment(images.slice(0, 0, 1), options, 7, "train", 3, {i})[0], all[i]));
    const auto differs = [&](std::uint64_t seed, const char* purpose, std::uint64_t epoch) {
      return !torch::equal(augment(images, options, seed, purpose, epoch, counting(8)), all);
    };
    CHECK(differs(8, "train", 3));
    CHECK(differs(7, "other", 3));
    CHECK(differs(7, "train", 4));
    CHECK_FALSE(differs(7, "train", 3));
  }
}

TEST_CASE("recipes: lesion is augment()") {
  const AugmentOptions lesion{.rotate = 20};
  CHECK(torch::equal(augment(ramps(3), RecipeOptions{.lesion = lesion}, 7, "train", 3, {4, 5, 6}),
                     augment(ramps(3), lesion, 7, "train", 3, {4, 5, 6})));
}

TEST_CASE("recipes: one pixel and odd sizes") {
  for (const auto recipe : {Recipe::Mae, Recipe::SkinDistilViT}) {
    for (const int64_t side : {1, 2, 7}) {
      const at::Tensor images = torch::full({40, 3, side, side}, 90, torch::kUInt8);
      CHECK(views(images, recipe).isfinite().all().item<bool>());
    }
  }
}

TEST_CASE("mae recipe: crops have the areas and aspects of RandomResizedCrop, half are mirrored") {
  const at::Tensor all = views(ramps(1500), Recipe::Mae) * 255;
  int plain = 0, mirrored = 0;
  double smallest = 1, widest = 0;
  for (int64_t i = 0; i < all.size(0); ++i) {
    const at::Tensor view = all[i];
    // Neither of the two operations nor the erasing happened: 0.5^2 * 0.75 of the views, and those
    // whose operations cancel or do not meet these pixels.
    if (largest(view[2] - 128) > 1e-3 || view.min().item<double>() < 56 ||
        view.slice(0, 0, 2).max().item<double>() > 127)
      continue;
    // Posterised to 0, then lifted by SolarizeAdd: within these values, but no ramp any more.
    if (largest(view[0] - view[0][0][0]) == 0) continue;
    ++plain;
    const double across = (view[0][16][24] - view[0][16][8]).item<double>() / 32;  // width / S
    const double down = (view[1][24][16] - view[1][8][16]).item<double>() / 32;    // height / S
    mirrored += across < 0 ? 1 : 0;
    const double width = std::abs(across), area = width * down, aspect = width / down;
    CHECK(area < 1.07);
    CHECK(area > 0.04);  // 0.08 but for the rounding of values and sizes
    CHECK(aspect > 0.55);
    CHECK(aspect < 1.8);
    smallest = std::min(smallest, area);
    widest = std::max(widest, area);
  }
  CHECK(plain > 0.17 * 1500);
  CHECK(plain < 0.33 * 1500);
  CHECK(mirrored > 0.38 * plain);
  CHECK(mirrored < 0.62 * plain);
  CHECK(smallest < 0.2);
  CHECK(widest > 0.85);
}

TEST_CASE("mae recipe: a quarter is erased, by N(0, 1) in the model's units, in a rectangle") {
  const Normalization normalization{.mean = {0.7, 0.5, 0.4}, .std = {0.1, 0.2, 0.3}};
  const at::Tensor all =
      augment(flat(1000, 128), {.recipe = Recipe::Mae, .normalization = normalization}, 3, "test",
              0, counting(1000));
  const at::Tensor steps = all * 255;
  const at::Tensor erased = (steps - steps.round()).abs().gt(1e-3).any(1);  // [B, S, S]
  std::vector<at::Tensor> noise;
  int count = 0;
  double smallest = 1, widest = 0;
  for (int64_t i = 0; i < 1000; ++i) {
    if (!erased[i].any().item<bool>()) continue;
    ++count;
    const auto height = erased[i].any(1).sum().item<int64_t>();
    const auto width = erased[i].any(0).sum().item<int64_t>();
    const auto area = static_cast<double>(height * width) / (kSide * kSide);
    CHECK(erased[i].sum().item<int64_t>() == height * width);
    CHECK(area < 0.36);
    CHECK(area > 0.012);
    smallest = std::min(smallest, area);
    widest = std::max(widest, area);
    noise.push_back(
        normalization(all.slice(0, i, i + 1))[0].masked_select(erased[i]).view({3, -1}));
  }
  CHECK(count > 200);
  CHECK(count < 300);
  CHECK(smallest < 0.06);
  CHECK(widest > 0.28);
  const at::Tensor values = torch::cat(noise, 1);  // [3, about 45000]
  CHECK(largest(values.mean(1)) < 0.03);
  CHECK(largest(values.std(1) - 1) < 0.03);
}

TEST_CASE("skindistilvit recipe: shift, scale and rotation about the centre, then a crop") {
  const at::Tensor all = views(ramps(1000), Recipe::SkinDistilViT) * 255;
  int plain = 0, unmoved = 0;
  double steepest = 0, lowest_scale = 2, highest_scale = 0, farthest = 0;
  for (int64_t i = 0; i < all.size(0); ++i) {
    const at::Tensor view = all[i];
    if (largest(view[2] - 128) > 1e-3) continue;  // colours changed as well
    ++plain;
    // The ramps are linear inside of the image: value -> place is exact there.
    const at::Tensor place = (view.slice(0, 0, 2) - 60) / 2;  // [2, S, S]: x, y looked at
    const auto step = [&](int64_t channel, int64_t dy, int64_t dx) {
      return (place[channel][15 + dy][15 + dx] - place[channel][15][15]).item<double>() * 36 / 32;
    };
    const double c = step(0, 0, 1), s = step(1, 0, 1);
    CHECK(step(0, 1, 0) == Approx(-s).margin(1e-3));  // a rotation, not mirrored
    CHECK(step(1, 1, 0) == Approx(c).margin(1e-3));
    const double scale = 1 / std::hypot(c, s), angle = std::atan2(s, c) * 57.29577951;
    CHECK(std::abs(angle) <= 90.1);
    CHECK(scale > 0.949);
    CHECK(scale < 1.051);
    steepest = std::max(steepest, std::abs(angle));
    lowest_scale = std::min(lowest_scale, scale);
    highest_scale = std::max(highest_scale, scale);
    if (std::abs(angle) < 1e-2 && std::abs(scale - 1) < 1e-4) {
      ++unmoved;
      // Then it is a crop of the resized image, at whole pixels of 0 .. 4.
      const double first = place[0][10][10].item<double>(), x = (first + 0.5) * 36 / 32 - 10.5;
      CHECK(x == Approx(std::round(x)).margin(1e-3));
      CHECK(x > -0.1);
      CHECK(x < 4.1);
    }
    const double centre_x = place.slice(2, 15, 17).slice(1, 15, 17)[0].mean().item<double>();
    farthest = std::max(farthest, std::abs(centre_x - 15.5));
  }
  CHECK(plain > 200);  // 0.5^2 of 1000
  CHECK(plain < 300);
  CHECK(unmoved > 0.15 * plain);  // 0.25
  CHECK(unmoved < 0.35 * plain);
  CHECK(steepest > 80);
  CHECK(lowest_scale < 0.96);
  CHECK(highest_scale > 1.04);
  // Crop: 2 pixels each way along both axes; shift: 0.05 * 36; both over the smallest scale.
  CHECK(farthest < (std::hypot(2, 2) + std::hypot(1.8, 1.8)) / 0.95 * 32 / 36);
  CHECK(farthest > 2);
}

TEST_CASE("skindistilvit recipe: borders are reflected; colours move as far as they may") {
  const at::Tensor all = views(flat(1000, 128), Recipe::SkinDistilViT) * 255;  // [B, 3, S, S]
  const at::Tensor colour = all.select(3, 0).select(2, 0);                     // [B, 3]
  CHECK(largest(all - colour.unsqueeze(2).unsqueeze(3)) < 1e-3);               // nothing is filled
  int plain = 0, tinted = 0;
  double lowest = 255, highest = 0, tint = 0;
  for (int64_t i = 0; i < 1000; ++i) {
    const double low = colour[i].min().item<double>(), high = colour[i].max().item<double>();
    plain += std::abs(low - 128) < 1e-3 && std::abs(high - 128) < 1e-3 ? 1 : 0;
    tinted += high - low > 1e-3 ? 1 : 0;
    lowest = std::min(lowest, low);
    highest = std::max(highest, high);
    tint = std::max(tint, high - low);
  }
  CHECK(plain > 200);
  CHECK(plain < 300);
  CHECK(tinted > 440);
  CHECK(tinted < 560);
  CHECK(tint <= 30 * 1.2);
  CHECK(tint > 24);
  CHECK(lowest >= (128 - 15) * 0.8 - 51);
  CHECK(lowest < 65);
  CHECK(highest <= (128 + 15) * 1.2 + 51);
  CHECK(highest > 195);
  const at::Tensor white = views(flat(50, 255), Recipe::SkinDistilViT);
  CHECK(white.max().item<double>() <= 1);
}

TEST_CASE("recipes: refuse what does not fit") {
  const RecipeOptions mae{.recipe = Recipe::Mae};
  CHECK_THROWS_WITH(augment(ramps(2), mae, 1, "t", 0, {0}),
                    Contains("expected one index an image (2), got 1"));
  CHECK_THROWS_WITH(augment(ramps(1).to(torch::kFloat32), mae, 1, "t", 0, {0}),
                    Contains("expected uint8 images of shape [B, 3, S, S], got Float"));
  CHECK_THROWS_AS(augment(ramps(1).slice(2, 0, 4), mae, 1, "t", 0, {0}), std::invalid_argument);
  CHECK_THROWS_AS(augment(at::Tensor(), mae, 1, "t", 0, {}), std::invalid_argument);
  CHECK_THROWS_WITH(augment(ramps(1), {.recipe = Recipe::Mae, .normalization = {.std = {1, 0, 1}}},
                            1, "t", 0, {0}),
                    Contains("3 deviations above 0"));
  CHECK_THROWS_WITH(augment(ramps(1), RecipeOptions{.lesion = {.rotate = 200}}, 1, "t", 0, {0}),
                    Contains("rotate"));
}
