#include "dermis/io/jpeg_quality.hpp"

#include <catch2/catch.hpp>

#include "dermis/core/random.hpp"

using namespace dermis;

namespace {

const auto every_subsampling = {ChromaSubsampling::None, ChromaSubsampling::Horizontal,
                                ChromaSubsampling::Both};

/// Where the quantisation values of table `index` begin in a JPEG of libjpeg's.
std::size_t table_at(const std::string& jpeg, int index) {
  const std::string head = std::string("\xFF\xDB\0\x43", 4) + static_cast<char>(index);
  return jpeg.find(head) + head.size();
}

}  // namespace

TEST_CASE("jpeg quality: libjpeg's own tables tell quality and subsampling exactly") {
  const Image image = make_image(20, 12, 90);
  for (int quality = 1; quality <= 100; ++quality) {
    for (const auto subsampling : every_subsampling) {
      const auto found = jpeg_quality(encode_jpeg(image, quality, subsampling));
      REQUIRE(found);
      CHECK(*found == JpegQuality{quality, subsampling, true});
    }
  }
}

TEST_CASE("jpeg quality: a header that Pillow 12 wrote with quality 75, 4:2:2") {
  const std::string tables =
      "080606070605080707070909080a0c140d0c0b0b0c1912130f141d1a1f1e1d1a1c1c20242e2720222c231c1c2837"
      "29"
      "2c30313434341f27393d38323c2e333432|090909"
      "0c0b0c180d0d1832211c213232323232323232323232323232323232323232323232323232323232323232323232"
      "3232"
      "32323232323232323232323232";
  std::string jpeg = "\xFF\xD8";
  int index = 0;
  for (std::size_t place = 0; place < tables.size(); place += 129, ++index) {
    jpeg += std::string("\xFF\xDB\0\x43", 4) + static_cast<char>(index);
    for (std::size_t i = 0; i < 128; i += 2)
      jpeg += static_cast<char>(std::stoi(tables.substr(place + i, 2), nullptr, 16));
  }
  jpeg += std::string("\xFF\xC0\0\x11\x08\0\x08\0\x08\x03\x01\x21\0\x02\x11\x01\x03\x11\x01", 19);
  CHECK_FALSE(jpeg_quality(jpeg));  // no scan yet
  jpeg += std::string("\xFF\xDA\0\x08\x01\x01\0\0\x3F\0", 10);
  CHECK(jpeg_quality(jpeg) == JpegQuality{75, ChromaSubsampling::Horizontal, true});
}

TEST_CASE("jpeg quality: other tables get the nearest quality, and are said to be others") {
  std::string jpeg = encode_jpeg(make_image(8, 8, 90), 80);
  jpeg[table_at(jpeg, 0)] += 1;
  jpeg[table_at(jpeg, 1) + 5] -= 1;
  CHECK(jpeg_quality(jpeg) == JpegQuality{80, ChromaSubsampling::Both, false});
}

TEST_CASE("jpeg quality: what is no JPEG, damaged or cut in its header has none") {
  const Image image = make_image(8, 8, 90);
  CHECK_FALSE(jpeg_quality(""));
  CHECK_FALSE(jpeg_quality(encode_png(image)));
  const std::string jpeg = encode_jpeg(image, 80);
  const std::size_t scan = jpeg.find("\xFF\xDA");
  for (std::size_t size = 0; size < scan + 4; ++size)
    CHECK_FALSE(jpeg_quality(jpeg.substr(0, size)));
  CHECK(jpeg_quality(jpeg.substr(0, jpeg.size() - 2)));  // pixels are not looked at

  const auto changed = [&](std::size_t place, char value) {
    std::string copy = jpeg;
    copy[place] = value;
    return jpeg_quality(copy);
  };
  const std::size_t frame = jpeg.find("\xFF\xC0");
  CHECK_FALSE(changed(table_at(jpeg, 0) - 1, 4));     // a fifth table
  CHECK_FALSE(changed(table_at(jpeg, 0) - 1, 0x20));  // values of three bytes
  CHECK_FALSE(changed(frame + 9, 0));                 // no components
  CHECK_FALSE(changed(frame + 9, 9));
  CHECK_FALSE(changed(frame + 11, 0x02));  // a sampling factor of 0
  CHECK_FALSE(changed(frame + 12, 2));     // a table that is not there
  CHECK_FALSE(changed(2, 0));              // no marker
}

TEST_CASE("jpeg quality: thousands of headers with changed bytes give a quality or none") {
  const std::string whole = encode_jpeg(make_image(8, 8, 90), 80);
  int found = 0;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    RandomStream random(1, "mutation", 0, i);
    auto jpeg = whole;
    for (auto changes = 1 + random.below(3); changes > 0; --changes)
      jpeg[random.below(jpeg.size())] = static_cast<char>(random.below(256));
    const auto quality = jpeg_quality(jpeg);
    if (!quality) continue;
    ++found;
    CHECK((quality->quality >= 1 && quality->quality <= 100));
  }
  CHECK(found > 500);
  CHECK(found < 5000);
}
