#include "dermis/io/image.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "core/support.hpp"
#include "dermis/core/file.hpp"
#include "dermis/core/hash.hpp"
#include "dermis/io/safetensors.hpp"
#include "image_fixtures.hpp"

namespace dermis {
namespace {

using test::from_base64;
using test::image_fixture;
using test::image_fixtures;
using test::mentions;
using test::message_of;

Image ramp(std::int64_t width, std::int64_t height) {
  Image image = make_image(width, height);
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      std::uint8_t* pixel = image.pixel(x, y);
      pixel[0] = static_cast<std::uint8_t>(20 + 200 * x / width);
      pixel[1] = static_cast<std::uint8_t>(30 + 200 * y / height);
      pixel[2] = static_cast<std::uint8_t>(10 + 100 * (x + y) / (width + height));
    }
  }
  return image;
}

/// A grey image written as rows of digits: {"12", "34"}.
Image digits(const std::vector<std::string>& rows) {
  Image image =
      make_image(static_cast<std::int64_t>(rows[0].size()), static_cast<std::int64_t>(rows.size()));
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      const auto value =
          static_cast<std::uint8_t>(rows[static_cast<std::size_t>(y)][static_cast<std::size_t>(x)]);
      std::fill(image.pixel(x, y), image.pixel(x, y) + 3, value);
    }
  }
  return image;
}

std::string big_endian(std::uint32_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 0xFF);
  return text;
}

/// A TIFF block with one other tag before the orientation.
std::string tiff(bool little, std::uint32_t orientation, std::uint32_t type = 3) {
  const auto number = [&](std::uint32_t value, int bytes) {
    std::string text = big_endian(value, bytes);
    if (little) std::reverse(text.begin(), text.end());
    return text;
  };
  const std::string value =
      type == 3 ? number(orientation, 2) + number(0, 2) : number(orientation, 4);
  return (little ? "II" : "MM") + number(42, 2) + number(8, 4) + number(2, 2) + number(0x0100, 2) +
         number(4, 2) + number(1, 4) + number(640, 4) + number(0x0112, 2) + number(type, 2) +
         number(1, 4) + value + number(0, 4);
}

/// The JPEG with an APP1 segment after its first marker.
std::string with_exif(const std::string& jpeg, const std::string& block) {
  const std::string body = std::string("Exif\0\0", 6) + block;
  return jpeg.substr(0, 2) + "\xFF\xE1" +
         big_endian(static_cast<std::uint32_t>(body.size() + 2), 2) + body + jpeg.substr(2);
}

std::string decode_error(const std::string& bytes, const DecodeOptions& options = {}) {
  return message_of<std::runtime_error>([&] { decode_image(bytes, "lesion.jpg", options); });
}

TEST_CASE("image: PNG round trip is exact") {
  for (const auto& [width, height] : {std::pair(1, 1), std::pair(7, 3), std::pair(200, 150)}) {
    const Image image = ramp(width, height);
    const std::string bytes = encode_png(image);
    CHECK(decode_image(bytes, "png") == image);
    CHECK(encode_png(image) == bytes);
  }
}

TEST_CASE("image: PNG carries text, ASCII and UTF-8") {
  const Image image = ramp(3, 2);
  const std::string bytes =
      encode_png(image, {{"Software", "dermis"}, {"Comment", "n\u00e6vus"}, {"Empty", ""}});
  CHECK(bytes.find(std::string("tEXtSoftware\0dermis", 19)) != std::string::npos);
  CHECK(bytes.find("iTXtComment") != std::string::npos);
  CHECK(bytes.find("n\u00e6vus") != std::string::npos);
  CHECK(decode_image(bytes, "png") == image);
  CHECK_THROWS_AS(encode_png(image, {{"", "x"}}), std::invalid_argument);
  CHECK_THROWS_AS(encode_png(image, {{std::string(80, 'k'), "x"}}), std::invalid_argument);
  CHECK_THROWS_AS(encode_png(image, {{"k\u00e4", "x"}}), std::invalid_argument);
  CHECK_THROWS_AS(encode_png(image, {{"key", std::string("a\0b", 3)}}), std::invalid_argument);
}

TEST_CASE("image: JPEG round trip is close, and closer with quality") {
  const Image image = ramp(97, 61);
  const auto error_at = [&](int quality) {
    const Image back = decode_image(encode_jpeg(image, quality), "jpeg");
    REQUIRE(back.rgb.size() == image.rgb.size());
    double sum = 0;
    for (std::size_t i = 0; i < back.rgb.size(); ++i) sum += std::abs(back.rgb[i] - image.rgb[i]);
    return sum / static_cast<double>(back.rgb.size());
  };
  CHECK(error_at(95) < 1.5);
  CHECK(error_at(95) < error_at(20));
  CHECK(encode_jpeg(image, 20).size() < encode_jpeg(image, 95).size());
  CHECK_THROWS_AS(encode_jpeg(image, 0), std::invalid_argument);
  CHECK_THROWS_AS(encode_jpeg(image, 101), std::invalid_argument);
  CHECK_THROWS_AS(encode_jpeg(make_image(70000, 1), 90), std::invalid_argument);
}

TEST_CASE("image: encoders refuse images whose bytes do not fit") {
  Image image = ramp(4, 4);
  image.rgb.resize(47);
  CHECK_THROWS_AS(encode_png(image), std::invalid_argument);
  CHECK_THROWS_AS(encode_jpeg(image), std::invalid_argument);
  CHECK_THROWS_AS(encode_png(Image{}), std::invalid_argument);
  Image overflowing;
  overflowing.width = std::int64_t{1} << 40;
  overflowing.height = std::int64_t{1} << 40;
  CHECK_THROWS_AS(encode_png(overflowing), std::invalid_argument);
  CHECK_THROWS_AS(make_image(0, 3), std::invalid_argument);
}

TEST_CASE("image: files of other encoders become Pillow's pixels") {
  for (const auto& fixture : image_fixtures()) {
    CAPTURE(fixture.name);
    const Image image = decode_image(from_base64(fixture.base64), fixture.name);
    CHECK(image.width == fixture.width);
    CHECK(image.height == fixture.height);
    CHECK(fingerprint({reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size()}) ==
          fixture.pixels);
  }
}

TEST_CASE("image: each EXIF orientation is turned upright") {
  const Image stored = digits({"123", "456"});
  const auto upright = [&](int orientation) {
    return detail::apply_orientation(stored, orientation);
  };
  CHECK(upright(1) == stored);
  CHECK(upright(2) == digits({"321", "654"}));
  CHECK(upright(3) == digits({"654", "321"}));
  CHECK(upright(4) == digits({"456", "123"}));
  CHECK(upright(5) == digits({"14", "25", "36"}));
  CHECK(upright(6) == digits({"41", "52", "63"}));
  CHECK(upright(7) == digits({"63", "52", "41"}));
  CHECK(upright(8) == digits({"36", "25", "14"}));
  CHECK_THROWS_AS(upright(0), std::invalid_argument);
  CHECK_THROWS_AS(upright(9), std::invalid_argument);
}

TEST_CASE("image: EXIF orientation is found in both byte orders") {
  const std::string jpeg = encode_jpeg(ramp(33, 20), 90);
  const Image stored = decode_image(jpeg, "plain");
  for (const bool little : {false, true}) {
    for (int orientation = 1; orientation <= 8; ++orientation) {
      CAPTURE(little, orientation);
      const Image expected = detail::apply_orientation(stored, orientation);
      const auto value = static_cast<std::uint32_t>(orientation);
      CHECK(decode_image(with_exif(jpeg, tiff(little, value)), "exif") == expected);
      CHECK(detail::exif_orientation(tiff(little, value, 4)) == orientation);
    }
    CHECK(detail::exif_orientation(tiff(little, 0)) == 1);
    CHECK(detail::exif_orientation(tiff(little, 9)) == 1);
    CHECK(detail::exif_orientation(tiff(little, 6, 2)) == 1);
  }
}

TEST_CASE("image: damaged EXIF is no orientation and no overrun") {
  const std::string block = tiff(true, 6);
  const std::string jpeg = encode_jpeg(ramp(33, 20), 90);
  const Image stored = decode_image(jpeg, "plain");
  REQUIRE(detail::exif_orientation(block) == 6);
  for (std::size_t length = 0; length < 34; ++length) {  // the orientation's entry ends at byte 34
    const std::string cut =
        block.substr(0, length);  // its own heap block: a sanitizer sees an overrun
    CHECK(detail::exif_orientation(cut) == 1);
    CHECK(decode_image(with_exif(jpeg, cut), "exif") == stored);
  }
  std::string far = block;
  far.replace(4, 4, "\xFF\xFF\xFF\xFF");
  CHECK(detail::exif_orientation(far) == 1);
  std::string many = tiff(true, 6);
  many[8 + 2 + 12] = 0x13;  // another tag instead of the orientation
  many.replace(8, 2, "\xFF\xFF");
  CHECK(detail::exif_orientation(many) == 1);
  CHECK(detail::exif_orientation("XX*\0\0\0\0\x08") == 1);
}

TEST_CASE("image: what is no picture is an error that names the file") {
  CHECK(decode_error("") == "[image] lesion.jpg: expected a JPEG or PNG file, got an empty one");
  CHECK(mentions(decode_error("\xFF"), {"lesion.jpg", "starts with FF"}));
  CHECK(mentions(decode_error("\xFF\xD8\xFF"),
                 {"lesion.jpg", "expected a complete JPEG", "remature end"}));
  CHECK(mentions(decode_error("\x89PNG\r\n\x1A\n"),
                 {"lesion.jpg", "expected a complete PNG", "premature end"}));
  CHECK(mentions(decode_error("\xFF\xD8\xFF" + std::string(1000, 'x')),
                 {"lesion.jpg", "expected a complete JPEG"}));
  CHECK(
      mentions(decode_error("\x89PNG\r\n\x1A\n" + std::string(1000, 'x')), {"lesion.jpg", "PNG"}));
}

TEST_CASE("image: every truncation is an error") {
  const Image image = ramp(40, 30);
  for (const std::string& bytes : {encode_jpeg(image, 80), encode_png(image),
                                   from_base64(image_fixture("jpeg_progressive_420").base64),
                                   from_base64(image_fixture("png_rgb_16_interlaced").base64)}) {
    REQUIRE(decode_error(bytes).empty());
    for (std::size_t length = 1; length < bytes.size(); ++length) {
      const std::string cut = bytes.substr(0, length);
      if (!mentions(decode_error(cut), {"lesion.jpg"}))
        FAIL("accepted " << length << " of " << bytes.size() << " bytes");
    }
  }
  const std::string jpeg = encode_jpeg(image, 80);
  CHECK(mentions(decode_error(jpeg.substr(0, jpeg.size() - 2)), {"Premature end of JPEG file"}));
}

TEST_CASE("image: damage inside is an error or another picture, never a crash") {
  const std::string png = encode_png(ramp(40, 30));
  const std::string jpeg = encode_jpeg(ramp(40, 30), 80);
  int refused = 0, changes = 0;
  for (const std::string* bytes : {&png, &jpeg}) {
    for (std::size_t i = 0; i < bytes->size(); i += 3) {
      std::string damaged = *bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
      ++changes;
      refused += !decode_error(damaged, {4000}).empty();
    }
  }
  CHECK(refused > changes / 3);
  std::string checksum = png;  // of the last IDAT byte: 12 bytes of IEND and 4 of CRC follow
  checksum[checksum.size() - 17] ^= 1;
  CHECK(mentions(decode_error(checksum), {"lesion.jpg", "PNG"}));
}

TEST_CASE("image: the pixel limit holds before memory is taken") {
  const Image image = ramp(40, 30);
  for (const std::string& bytes : {encode_jpeg(image, 80), encode_png(image)}) {
    CHECK(decode_error(bytes, {1200}).empty());
    CHECK(decode_error(bytes, {1199}) ==
          "[image] lesion.jpg: expected at most 1199 pixels, got 40 x 30");
  }
  // A header that promises 65500 x 65500 and 2^31-1 squared pixels.
  std::string jpeg = encode_jpeg(image, 80);
  const std::size_t frame = jpeg.find("\xFF\xC0");
  REQUIRE(frame != std::string::npos);
  jpeg.replace(frame + 5, 4, "\xFF\xDC\xFF\xDC");
  CHECK(mentions(decode_error(jpeg), {"at most 178956970 pixels", "65500 x 65500"}));
  const std::string huge_header = from_base64("iVBORw0KGgoAAAANSUhEUn////9/////CAIAAACbq5wx");
  CHECK(mentions(decode_error(huge_header + encode_png(image).substr(33)),
                 {"pixels", "2147483647 x 2147483647"}));
}

TEST_CASE("image: files, and errors that name them") {
  const test::ScratchFolder folder;
  const Image image = ramp(12, 9);
  write_png(folder / "a.png", image, {{"Title", "ramp"}});
  CHECK(read_image(folder / "a.png") == image);
  CHECK(folder.names().size() == 1);
  const auto read_error = [](const std::filesystem::path& path) {
    return message_of<std::runtime_error>([&] { read_image(path); });
  };
  CHECK(
      mentions(read_error(folder / "none.png"), {(folder / "none.png").string(), "No such file"}));
  CHECK(mentions(read_error(folder / ""), {"Is a directory"}));
  write_atomically(folder / "text.png", "not a picture");
  CHECK(mentions(read_error(folder / "text.png"),
                 {(folder / "text.png").string(), "expected a JPEG or PNG"}));
  CHECK(mentions(message_of<std::runtime_error>([&] { write_png(folder / "a.png/b.png", image); }),
                 {"a.png/b.png", "Not a directory"}));
}

TEST_CASE("image: pixels as stored, and samples that RGB8 cannot hold") {
  // Numbers of Pillow 13.0, from the parity data.
  const auto data =
      std::filesystem::path(__FILE__).parent_path().parent_path() / "parity/data/12b_jpeg";
  const std::string turned = read_file(data / "exif_6.jpg");
  DecodeOptions stored;
  stored.upright = false;
  const Image raw = decode_image(turned, "exif_6.jpg", stored);
  CHECK(raw.width == 14);
  CHECK(raw.height == 19);
  CHECK(detail::apply_orientation(raw, 6) == decode_image(turned, "exif_6.jpg"));

  const SafetensorsFile expected(data / "outputs.safetensors");
  const auto check_samples = [&](const std::string& file, const std::string& tensor, int channels) {
    const Samples samples = decode_samples(read_file(data / file), file);
    CHECK(samples.channels == channels);
    const TensorView& view = expected.at(tensor);
    REQUIRE(view.bytes == samples.values.size() * element_size(view.type));
    for (std::size_t i = 0; i < samples.values.size(); ++i) {
      std::int32_t value = 0;
      std::memcpy(&value, view.data + i * element_size(view.type), element_size(view.type));
      if (value == samples.values[i]) continue;
      FAIL(file << " differs at " << i);
    }
  };
  check_samples("gray16.png", "gray16.png.gray16", 1);
  check_samples("cmyk.jpg", "cmyk.jpg.cmyk", 4);
  const auto message = [&](const std::string& file, const DecodeOptions& options) {
    try {
      decode_samples(read_file(data / file), file, options);
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  CHECK(message("rgb.png", {}) ==
        "[image] rgb.png: expected a grey PNG of 16 bits, got 8 bits and 3 channels");
  CHECK(message("gray.jpg", {}) == "[image] gray.jpg: expected a JPEG of 4 components, got 1");
  DecodeOptions small;
  small.max_pixels = 100;
  CHECK(message("gray16.png", small).find("at most 100 pixels") != std::string::npos);
  CHECK(message("cmyk.jpg", small).find("at most 100 pixels") != std::string::npos);
  CHECK_THROWS_WITH(decode_samples("GIF89a", "x"), Catch::Contains("expected a JPEG or PNG"));
}

}  // namespace
}  // namespace dermis
