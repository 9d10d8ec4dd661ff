#include "dermis/data/codec.hpp"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "dermis/core/random.hpp"
#include "dermis/data/isic.hpp"
#include "folder_fixture.hpp"

using namespace dermis;
using Catch::Matchers::Contains;
using test::ImageFolder;

namespace {

/// Noise of a few pixels: strong texture everywhere, nothing on a grid of 8.
Image texture(std::int64_t width, std::int64_t height, std::uint64_t seed) {
  RandomStream random(seed, "texture");
  Image coarse = make_image((width + 2) / 3, (height + 2) / 3);
  for (std::uint8_t& value : coarse.rgb)
    value = static_cast<std::uint8_t>(60 + 140 * random.uniform());
  return resize(coarse, width, height);
}

/// Mean step of green across columns `phase`, `phase` + 8, ..., over the mean step elsewhere.
double blockiness(const at::Tensor& image, std::int64_t phase) {
  double at_edges = 0, elsewhere = 0;
  std::int64_t edges = 0, others = 0;
  const auto green = image[1].to(at::kInt).contiguous();
  const auto values = green.accessor<int, 2>();
  for (std::int64_t y = 0; y < green.size(0); ++y) {
    for (std::int64_t x = 1; x < green.size(1); ++x) {
      const double step = std::abs(values[y][x] - values[y][x - 1]);
      (x % 8 == phase ? at_edges : elsewhere) += step;
      ++(x % 8 == phase ? edges : others);
    }
  }
  return at_edges / static_cast<double>(edges) / (elsewhere / static_cast<double>(others));
}

/// Share of pairs in which the first set's image has the higher blockiness: 0.5 tells nothing.
double separation(const PixelSet& a, const PixelSet& b, std::int64_t phase) {
  double wins = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) {
    for (std::int64_t j = 0; j < b.size(); ++j)
      wins += blockiness(a.images[i], phase) > blockiness(b.images[j], phase);
  }
  return wins / static_cast<double>(a.size() * b.size());
}

constexpr int count = 30;

PixelSet drawn(std::int64_t size, bool synthetic = true) {
  PixelSet set;
  set.classes = {"MEL", "NV"};
  std::vector<at::Tensor> images;
  for (int i = 0; i < count; ++i) {
    images.push_back(to_tensor(texture(size, size, static_cast<std::uint64_t>(1000 + i))));
    set.samples.push_back({.id = text("synthetic", i), .label = i % 2, .synthetic = synthetic});
  }
  set.images = at::stack(images);
  set.labels = at::zeros({count}, at::kLong);
  return set;
}

/// JPEG files of textures, read as training images.
struct Real {
  ImageFolder folder;
  PixelSet set;
  Real(std::int64_t width, std::int64_t height, std::int64_t size, int quality,
       ChromaSubsampling subsampling) {
    std::string csv = "image,label\n";
    for (int i = 0; i < count; ++i) {
      const auto image = texture(width, height, static_cast<std::uint64_t>(i));
      folder.write(text("images/r", i, ".jpg"), encode_jpeg(image, quality, subsampling));
      csv += text("r", i, i % 2 ? ",NV\n" : ",MEL\n");
    }
    set = load_pixels(read_labelled_folder(folder.path(), folder.write("l.csv", csv)).data, size,
                      {.progress = false});
  }
};

}  // namespace

TEST_CASE("codec: blocks tell raw images from JPEGs, and not those that went through the same") {
  struct Case {
    std::int64_t width, phase;
    ChromaSubsampling subsampling;
  };
  // A margin of (84 - 64) / 2 = 10 moves the blocks' edges to columns 6, 14, ...
  for (const auto& [width, phase, subsampling] :
       {Case{64, 0, ChromaSubsampling::None}, Case{64, 0, ChromaSubsampling::Both},
        Case{84, 6, ChromaSubsampling::Both}}) {
    const Real real(width, 64, 64, 20, subsampling);
    const auto traces = codec_of(real.set, real.folder.path());
    REQUIRE((traces == CodecDraw(count, CodecTrace{20, subsampling, width, 64})));
    const auto raw = drawn(64);
    const auto before = separation(real.set, raw, phase);
    const auto after = separation(real.set, same_codec(raw, traces, 1), phase);
    INFO("width " << width << ": before " << before << ", after " << after);
    CHECK(before > 0.95);
    CHECK(after > 0.3);
    CHECK(after < 0.7);
  }
}

TEST_CASE("codec: where real images were larger when compressed, synthetic ones are enlarged") {
  // At twice the size the blocks are 4 pixels wide in the end: two edges of 4 in each 8.
  const Real real(128, 128, 64, 10, ChromaSubsampling::Both);
  const auto traces = codec_of(real.set, real.folder.path());
  const auto raw = drawn(64);
  const auto large = same_codec(raw, traces, 1);
  CHECK_FALSE(at::equal(large.images, same_codec(raw, traces, 1, {.max_side = 64}).images));
  const auto change = [&](const PixelSet& set) {
    return (set.images.to(at::kFloat) - raw.images.to(at::kFloat)).abs().mean().item<double>();
  };
  // A loss at twice the size is less of a loss, and still one.
  CHECK(change(large) < change(same_codec(raw, traces, 1, {.max_side = 64})));
  CHECK(change(large) > 1);
  CHECK_THROWS_WITH(same_codec(raw, traces, 1, {.max_side = 0}), Contains("max_side above 0"));
}

TEST_CASE("codec: each image's draw depends on seed and index, real images and PNGs are left") {
  const auto raw = drawn(16);
  CodecDraw mixed(50, CodecTrace{.width = 16, .height = 16});
  mixed.resize(100, CodecTrace{30, ChromaSubsampling::Both, 16, 16});
  const auto once = same_codec(raw, mixed, 1);
  CHECK(at::equal(once.images, same_codec(raw, mixed, 1).images));
  CHECK_FALSE(at::equal(once.images, same_codec(raw, mixed, 2).images));
  CHECK(at::equal(same_codec(raw.subset({0, 1, 2}), mixed, 1).images, once.images.slice(0, 0, 3)));
  int kept = 0;
  for (int i = 0; i < count; ++i) kept += at::equal(once.images[i], raw.images[i]);
  CHECK(kept > 5);  // of 30, half are expected to meet a trace without JPEG
  CHECK(kept < 25);
  CHECK(once.samples.size() == raw.samples.size());

  CHECK(at::equal(same_codec(raw, {}, 1).images, raw.images));
  const auto real = drawn(16, false);
  CHECK(at::equal(same_codec(real, mixed, 1).images, real.images));
}

TEST_CASE("codec: traces are those of the files, JPEG or not; synthetic images have none") {
  ImageFolder folder;
  folder.write("a/one.jpg", encode_jpeg(texture(40, 30, 1), 77, ChromaSubsampling::Horizontal));
  folder.write("b/one.jpg", encode_jpeg(texture(30, 40, 2), 91));
  folder.write("b/two.png", encode_png(texture(20, 20, 3)));
  // A header beyond the first 64 kB.
  auto large = encode_jpeg(texture(24, 24, 4), 50);
  const auto segment = std::string("\xFF\xE2\xFF\xFF", 4) + std::string(0xFFFD, 'x');
  large.insert(2, segment + segment);
  folder.write("b/large.jpg", large);
  const auto csv =
      folder.write("l.csv", "image,label\na/one,MEL\nb/one,NV\nb/two,NV\nb/large,NV\n");
  auto set = load_pixels(read_labelled_folder(folder.path(), csv).data, 8, {.progress = false});
  const CodecDraw expected = {{77, ChromaSubsampling::Horizontal, 40, 30},
                              {91, ChromaSubsampling::Both, 30, 40},
                              {0, ChromaSubsampling::None, 20, 20},
                              {50, ChromaSubsampling::Both, 24, 24}};
  CHECK((codec_of(set, folder.path()) == expected));
  set.samples[0].synthetic = true;
  CHECK(codec_of(set, folder.path()).size() == 3);
  set.samples[1].original_width = 0;
  CHECK_THROWS_WITH(codec_of(set, folder.path()), Contains("original size of image b/one"));
  std::filesystem::remove(folder / "b/two.png");
  set.samples[1].original_width = 30;
  CHECK_THROWS_WITH(codec_of(set, folder.path()), Contains("[codec] expected image two below"));
}
