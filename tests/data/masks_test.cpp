#include <torch/types.h>

#include <catch2/catch.hpp>

#include "dermis/core/hash.hpp"
#include "dermis/data/masks.hpp"
#include "folder.hpp"
#include "support.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

namespace {

/// Grey with a white rectangle.
Image rectangle(std::int64_t width, std::int64_t height, const Box& box) {
  Image image = make_image(width, height, 0);
  for (std::int64_t y = box.y; y < box.y + box.height; ++y)
    for (std::int64_t x = box.x; x < box.x + box.width; ++x)
      std::fill_n(image.pixel(x, y), 3, std::uint8_t{255});
  return image;
}

/// Samples a, b, ... of the given original size, images of 8 pixels.
PixelSet set_of(const std::vector<std::string>& ids, std::int64_t width, std::int64_t height) {
  PixelSet set;
  set.classes = {"x", "y"};
  set.images = torch::zeros({static_cast<std::int64_t>(ids.size()), 3, 8, 8}, torch::kByte);
  set.labels = torch::zeros({static_cast<std::int64_t>(ids.size())}, torch::kLong);
  for (const auto& id : ids) {
    Sample sample;
    sample.id = id;
    sample.original_width = width;
    sample.original_height = height;
    set.samples.push_back(sample);
  }
  return set;
}

}  // namespace

TEST_CASE("masks: the phantom's are found by name, and lie on its lesions") {
  const Phantom phantom(PhantomOptions{.seed = 3,
                                       .train_images = 16,
                                       .validation_lesions_per_class = 1,
                                       .test_lesions_per_class = 2,
                                       .image_size = 48});
  const auto set = load_pixels(phantom.dataset(PhantomPart::Test), 48, {.progress = false});
  const auto some = set.subset({5, 0, 11});
  const auto data = with_phantom_masks(phantom, PhantomPart::Test, some);
  CHECK(data.masks.sizes() == at::IntArrayRef({3, 48, 48}));
  const auto truth = to_tensor(phantom.mask(PhantomPart::Test, 11))[0].ne(0).to(torch::kByte);
  CHECK(at::equal(data.masks[2], truth));
  CHECK(data.without_mask == 0);
  CHECK(at::equal(data.subset({2}).masks[0], truth));
  CHECK(data.subset({2}).set.samples[0].id == some.samples[2].id);
  // The mask says where the picture differs from skin: inside and outside have other colours.
  const auto all = with_phantom_masks(phantom, PhantomPart::Test, set);
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const auto mask = all.masks[i].to(torch::kBool);
    const auto colours = set.images[i].to(torch::kFloat).view({3, -1});
    const auto inside = colours.index({torch::indexing::Slice(), mask.view({-1})}).mean(1);
    const auto outside = colours.index({torch::indexing::Slice(), ~mask.view({-1})}).mean(1);
    INFO("image " << i);
    CHECK((inside - outside).abs().max().item<float>() > 8);
  }
  CHECK_THROWS_WITH(with_phantom_masks(phantom, PhantomPart::Train, set), Contains("is none"));
}

TEST_CASE("masks: asking for them changes no pixel of the phantom") {
  const Phantom phantom(PhantomOptions{.seed = 7, .train_images = 16, .image_size = 32});
  const auto drawn = [&] {
    std::string bytes;
    for (std::int64_t i = 0; i < 4; ++i) {
      const auto image = phantom.render(PhantomPart::Test, 100 * i);
      bytes.append(image.rgb.begin(), image.rgb.end());
    }
    return fingerprint(bytes);
  };
  const auto before = drawn();
  phantom.mask(PhantomPart::Test, 100);
  CHECK(drawn() == before);
}

TEST_CASE("masks: of a folder, squared and resized as the image is") {
  const ScratchFolder folder;
  // 64 x 48: the square is columns 8 to 55; a pixel of 8 is 6 of them.
  write_png(folder / "a_segmentation.png", rectangle(64, 48, {8, 0, 24, 24}));
  write_png(folder / "b.png", rectangle(64, 48, {8 + 6, 6, 8, 10}));
  const auto set = set_of({"a", "b", "c"}, 640, 480);
  const auto data = with_masks(folder.path(), set);
  CHECK(data.set.size() == 2);
  CHECK(data.without_mask == 1);
  CHECK(data.set.samples[1].id == "b");
  auto expected = torch::zeros({8, 8}, torch::kByte);
  expected.slice(0, 0, 4).slice(1, 0, 4).fill_(1);
  CHECK(at::equal(data.masks[0], expected));
  expected.zero_();
  // One whole pixel; beside it a third, below it two thirds, at the corner two ninths.
  expected[1][1] = 1;
  expected[2][1] = 1;
  CHECK(at::equal(data.masks[1], expected));
}

TEST_CASE("masks: what cannot be laid on the images is refused or left out") {
  const ScratchFolder folder;
  write_png(folder / "a.png", rectangle(64, 48, {8, 0, 24, 24}));
  write_png(folder / "beside.png", rectangle(64, 48, {0, 0, 4, 48}));  // outside of the square
  CHECK(with_masks(folder.path(), set_of({"a", "beside"}, 64, 48)).without_mask == 1);
  CHECK_THROWS_WITH(with_masks(folder.path(), set_of({"a"}, 640, 640)),
                    Contains("a.png") && Contains("640 x 640, got 64 x 48"));
  CHECK_THROWS_WITH(with_masks(folder.path(), set_of({"z"}, 64, 48)),
                    Contains("found none for 1 images"));
  auto cropped = set_of({"a"}, 64, 48);
  cropped.preprocessing.crop_border = true;
  CHECK_THROWS_WITH(with_masks(folder.path(), cropped), Contains("not cropped off"));
}
