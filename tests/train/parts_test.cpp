#include "dermis/train/parts.hpp"

#include <catch2/catch.hpp>

#include "dermis/core/file.hpp"
#include "dermis/core/random.hpp"
#include "folder.hpp"

using namespace dermis;
using Catch::Matchers::Contains;

namespace {

/// Coarse noise, so that no two of different seeds are alike.
Image picture(std::uint64_t seed) {
  RandomStream random(seed, "picture");
  Image coarse = make_image(6, 6);
  for (std::uint8_t& value : coarse.rgb) value = static_cast<std::uint8_t>(255 * random.uniform());
  return resize(coarse, 48, 48);
}

/// 24 images of two classes in class folders; NV/23 is NV/1 again, smaller.
void write_images(const std::filesystem::path& folder) {
  for (const char* name : {"MEL", "NV"}) make_directories(folder / name);
  for (int i = 0; i < 24; ++i) {
    Image image = picture(static_cast<std::uint64_t>(i == 23 ? 1 : i));
    if (i == 23) image = resize(image, 40, 40);
    write_png(folder / (i % 2 ? "NV" : "MEL") / text(i, ".png"), image);
  }
}

FolderSource source(const std::filesystem::path& folder) {
  return {.images = folder, .image_size = 32};
}

}  // namespace

TEST_CASE("parts: near-duplicates stay in one part, or are listed where they cross") {
  const test::ScratchFolder scratch;
  write_images(scratch.path());
  const auto images = load_folder(source(scratch.path()));
  CHECK(images.set.size() == 24);
  REQUIRE(images.duplicates.size() == 1);

  bool crossed = false;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const SplitOptions split{.validation = 0.25, .test = 0.25, .seed = seed};
    const auto together = split_parts(images, split);
    REQUIRE(together.duplicates.size() == 1);
    CHECK_FALSE(together.duplicates[0].crosses());
    CHECK(together.train.size() + together.validation.size() + together.test.size() == 24);
    crossed = crossed || split_parts(images, split, false).duplicates[0].crosses();
  }
  CHECK(crossed);  // which the pair does not do by chance alone

  const auto parts = split_parts(images, {.seed = 1});
  CHECK(to_json(parts).at("near_duplicates").at("pairs").get<int>() == 1);
  CHECK(to_json(parts).at("near_duplicates").at("across_parts").get<int>() == 0);
  write_split(scratch.path(), parts);
  CHECK_THAT(read_file(scratch / "split.csv"), Contains("image,label,lesion_id,patient_id,part\n"));
  CHECK_THAT(read_file(scratch / "duplicates.csv"), Contains("id_a,id_b,distance,part_a,part_b\n"));
}

TEST_CASE("parts: no search, no file of duplicates") {
  const test::ScratchFolder scratch;
  write_images(scratch.path());
  auto options = source(scratch.path());
  options.find_duplicates = false;
  const auto parts = split_parts(load_folder(options), {});
  CHECK(parts.duplicates.empty());
  write_split(scratch.path(), parts);
  CHECK_FALSE(std::filesystem::exists(scratch / "duplicates.csv"));
}

TEST_CASE("parts: classes with few real images are named") {
  const test::ScratchFolder scratch;
  write_images(scratch.path());
  auto set = load_folder(source(scratch.path())).set;
  CHECK(few_images(set, 12).empty());
  CHECK(few_images(set, 13).size() == 2);
  for (auto& sample : set.samples) sample.synthetic = sample.label == 1;
  REQUIRE(few_images(set, 12).size() == 1);
  CHECK_THAT(few_images(set, 12)[0], Contains("class NV has 0 to train on, below 12"));
}

TEST_CASE("parts: by image, views of a lesion lie in several parts and keep its name") {
  const test::ScratchFolder scratch;
  write_images(scratch.path());
  auto images = load_folder(source(scratch.path()));
  for (std::size_t i = 0; i < images.set.samples.size(); ++i)
    images.set.samples[i].lesion = text("lesion", images.set.samples[i].label, i / 2);
  const SplitOptions split{.validation = 0.25, .test = 0.25, .seed = 1};
  const auto spread = [](const DataParts& parts) {
    int shared = 0;
    for (const auto& sample : parts.test.samples)
      for (const auto& other : parts.train.samples) shared += sample.lesion == other.lesion;
    return shared;
  };
  const auto by_image = split_parts_by_image(images, split);
  CHECK(by_image.train.size() + by_image.validation.size() + by_image.test.size() == 24);
  CHECK(spread(by_image) > 0);
  CHECK_FALSE(by_image.test.samples[0].lesion.empty());
  CHECK(spread(split_parts(images, split)) == 0);
  CHECK_THAT(by_image.split, Contains("by image"));
}

TEST_CASE("parts: an oblong image is cut or squashed, as asked for") {
  const test::ScratchFolder scratch;
  Image image = make_image(64, 32);  // dark left quarter, bright rest
  for (int y = 0; y < 32; ++y)
    for (int x = 0; x < 64; ++x)
      for (int c = 0; c < 3; ++c)
        image.rgb[static_cast<std::size_t>((y * 64 + x) * 3 + c)] = x < 16 ? 0 : 200;
  for (const char* name : {"MEL", "NV"}) {
    make_directories(scratch / name);
    write_png(scratch / name / text(name, ".png"), image);
  }
  auto options = source(scratch.path());
  options.find_duplicates = false;
  const auto left = [&](Fit fit) {
    options.fit = fit;
    return load_folder(options).set.images[0][0][16][2].item<int>();
  };
  CHECK(left(Fit::CenterSquare) > 190);  // columns 16 to 48 are left
  CHECK(left(Fit::Squash) < 10);
  Fit fit{};
  CHECK_THROWS_WITH(from_name(fit, "stretch"), Contains("center_square or squash, got stretch"));
}
