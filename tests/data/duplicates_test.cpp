#include "dermis/data/duplicates.hpp"

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <stdexcept>

#include "dermis/core/file.hpp"
#include "dermis/core/random.hpp"
#include "dermis/io/resize.hpp"
#include "folder.hpp"

using namespace dermis;
using Catch::Contains;

namespace {

Image formula(int64_t width, int64_t height, int64_t variant) {
  Image image = make_image(width, height);
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const int64_t dx = x * 7 / 2 - width;
      const int64_t dy = y * 5 - 2 * height;
      std::uint8_t* pixel = image.pixel(x, y);
      pixel[0] = static_cast<std::uint8_t>((x * x * (3 + variant) / width + y * 5) % 251);
      pixel[1] = static_cast<std::uint8_t>((dx * dx + dy * dy) / (20 + variant) % 256);
      pixel[2] = static_cast<std::uint8_t>((x * y * (variant + 1) / width) % 253);
    }
  }
  return image;
}

/// A dark blob on skin with a few spots, different for every seed.
Image lesion(std::uint64_t seed) {
  RandomStream stream(seed, "lesion");
  Image image = make_image(96, 72, 180);
  for (int spot = 0; spot < 12; ++spot) {
    const double cx = stream.uniform(10, 86), cy = stream.uniform(10, 62);
    const double radius = stream.uniform(4, 22), depth = stream.uniform(-25, 60);
    for (int64_t y = 0; y < 72; ++y) {
      for (int64_t x = 0; x < 96; ++x) {
        const double dx = static_cast<double>(x) - cx, dy = static_cast<double>(y) - cy;
        if (dx * dx + dy * dy > radius * radius) continue;
        for (int c = 0; c < 3; ++c) {
          image.pixel(x, y)[c] =
              static_cast<std::uint8_t>(std::clamp(image.pixel(x, y)[c] - depth, 0.0, 255.0));
        }
      }
    }
  }
  return image;
}

Image mirrored(const Image& image) {
  return dermis::detail::apply_orientation(image, 2);
}
Image turned(const Image& image) {
  return dermis::detail::apply_orientation(image, 6);
}

Dataset dataset_of(std::vector<Image> images) {
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < images.size(); ++i)
    samples.push_back({.id = "i" + std::to_string(i)});
  return Dataset({"NV"}, samples, [images = std::move(images)](int64_t i) {
    const Image& image = images[static_cast<std::size_t>(i)];
    check_runtime(image.width > 0, "[image] cannot decode i", i);
    return image;
  });
}

/// Twelve lesions, then copies: 12 of 3, halved; 13 of 5, mirrored and recompressed; 14 of 5,
/// turned; 15 of 7, brighter.
std::vector<Image> planted() {
  std::vector<Image> images;
  for (std::uint64_t i = 0; i < 12; ++i) images.push_back(lesion(i));
  images.push_back(resize(images[3], 48, 36));
  images.push_back(decode_image(encode_jpeg(mirrored(images[5]), 60), "copy"));
  images.push_back(turned(images[5]));
  Image brighter = images[7];
  for (std::uint8_t& value : brighter.rgb)
    value = static_cast<std::uint8_t>(std::min(255.0, 1.1 * value));
  images.push_back(brighter);
  return images;
}

const std::vector<IndexPair> kPlanted = {{3, 12}, {5, 13}, {5, 14}, {7, 15}, {13, 14}};

}  // namespace

TEST_CASE("duplicates: hashes equal imagehash's, also of mirrored and turned versions") {
  struct Case {
    int64_t width, height, variant;
    std::uint64_t upright, mirrored, upside_down, quarter;  // imagehash.phash of the numpy views
  };
  for (const Case& c : {Case{64, 48, 0, 0xbc3c62c2363d33ccU, 0xe968379763682699U,
                             0xbcc2e23d36c23333U, 0x91ccee31c5323ab9U},
                        Case{100, 75, 1, 0x985e0b12f51e3ce3U, 0xcd195e47a14969b6U,
                             0x98a10bedf4e33c1cU, 0x89b60b61e6b131deU},
                        Case{31, 90, 2, 0xbf25da286a351ad4U, 0xea708e7c3f604f81U,
                             0xb5dadad46ac21a2aU, 0xa1d6dc58ba3aaa0bU}}) {
    const auto hashes = perceptual_hashes(formula(c.width, c.height, c.variant));
    CHECK(perceptual_hash(formula(c.width, c.height, c.variant)) == c.upright);
    CHECK(hashes[0] == c.upright);
    // a resize of the mirrored image may round the other way
    CHECK(std::popcount(hashes[1] ^ c.mirrored) <= 2);
    CHECK(std::popcount(hashes[2] ^ c.upside_down) <= 2);
    CHECK(std::popcount(hashes[6] ^ c.quarter) <= 2);
  }
  CHECK_THROWS_AS(perceptual_hash(Image()), std::invalid_argument);
}

TEST_CASE("duplicates: planted copies are found, and nothing else, by any number of threads") {
  const Dataset data = dataset_of(planted());
  const auto found = find_near_duplicates(data);
  CHECK(index_pairs(found) == kPlanted);
  for (const NearDuplicate& pair : found) {
    CHECK(pair.distance <= 8);
    CHECK(pair.correlation > 0.97);
  }
  CHECK(index_pairs(find_near_duplicates(data, {.threads = 3})) == kPlanted);
  CHECK(find_near_duplicates(Dataset()).empty());

  // hash alone, everything allowed: all pairs
  CHECK(find_near_duplicates(data, {.max_distance = 64, .min_correlation = -1}).size() ==
        16 * 15 / 2);
}

TEST_CASE("duplicates: pairs do not depend on the order of the samples") {
  const Dataset data = dataset_of(planted());
  const auto order = RandomStream(2, "order").permutation(data.size());
  std::vector<IndexPair> back;
  for (const auto& [a, b] : index_pairs(find_near_duplicates(data.subset(order)))) {
    back.push_back(
        std::minmax(order[static_cast<std::size_t>(a)], order[static_cast<std::size_t>(b)]));
  }
  std::sort(back.begin(), back.end());
  CHECK(back == kPlanted);
}

TEST_CASE("duplicates: corrupt images are reported, or end the search") {
  std::vector<Image> images = planted();
  images[3] = Image();
  const Dataset data = dataset_of(images);
  DataReport report;
  CHECK(find_near_duplicates(data, {.report = &report}).size() == kPlanted.size() - 1);
  CHECK(report.corrupt == 1);
  CHECK_THAT(report.messages.at(0), Contains("cannot decode i3"));
  CHECK_THROWS_WITH(find_near_duplicates(data), Contains("cannot decode i3"));
}

TEST_CASE("duplicates: pairs across parts, and the way to keep them together") {
  std::vector<Sample> samples;
  for (int i = 0; i < 6; ++i) samples.push_back({.id = "i" + std::to_string(i)});
  std::vector<NearDuplicate> pairs = {{0, 1, 2, 1}, {0, 2, 4, 1}, {3, 5, 0, 1}, {4, 5, 1, 1}};
  const Split split{{0, 1, 3}, {2}, {5}};
  const auto rows = place_duplicates(samples, pairs, split);
  REQUIRE(rows.size() == 4);
  CHECK_FALSE(rows[0].crosses());  // both in train
  CHECK(rows[1].crosses());
  CHECK(rows[2].crosses());
  CHECK_FALSE(rows[3].crosses());  // i4 is in no part

  const test::ScratchFolder folder;
  write_duplicates(folder / "pairs.csv", rows);
  CHECK(read_file(folder / "pairs.csv") ==
        "id_a,id_b,distance,part_a,part_b\ni0,i1,2,train,train\ni0,i2,4,train,validation\n"
        "i3,i5,0,train,test\ni4,i5,1,,test\n");

  pairs.pop_back();  // i4 alone: a third group for the third part
  const Dataset data({"NV"}, samples, [](int64_t) { return make_image(1, 1); });
  const Split kept = grouped_stratified_split(
      data, {.validation = 0.2, .test = 0.2, .together = index_pairs(pairs)});
  for (const auto& row : place_duplicates(samples, pairs, kept)) CHECK_FALSE(row.crosses());

  CHECK_THROWS_WITH(place_duplicates(samples, pairs, {{"a", {0, 1}}, {"b", {1}}}),
                    Contains("i1 twice"));
  CHECK_THROWS_AS(place_duplicates(samples, pairs, {{"a", {6}}}), std::invalid_argument);
  CHECK_THROWS_AS(place_duplicates(samples, {{0, 6, 0, 1}}, split), std::invalid_argument);
}

TEST_CASE("duplicates: options out of range") {
  const Dataset data = dataset_of({});
  CHECK_THROWS_WITH(find_near_duplicates(data, {.max_distance = 65}), Contains("0..64, got 65"));
  CHECK_THROWS_WITH(find_near_duplicates(data, {.min_correlation = 1.5}), Contains("got 1.5"));
  CHECK_THROWS_WITH(find_near_duplicates(data, {.threads = 0}), Contains("got 0"));
}
