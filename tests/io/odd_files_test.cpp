/// Files that cameras, web servers and attackers leave behind; docs/input_files.md states what
/// becomes of each. Pixels of foreign encoders and damaged EXIF blocks: image_test.cpp.

#include <sys/resource.h>
#include <zlib.h>

#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>

#include "core/support.hpp"
#include "dermis/core/file.hpp"
#include "dermis/io/image.hpp"
#include "image_fixtures.hpp"

namespace dermis {
namespace {

using test::from_base64;
using test::image_fixture;
using test::mentions;
using test::message_of;

const std::string png_start = "\x89PNG\r\n\x1A\n";

std::string decode_error(const std::string& bytes, const DecodeOptions& options = {}) {
  return message_of<std::runtime_error>([&] { decode_image(bytes, "lesion.jpg", options); });
}

/// The message that refuses a file of another kind.
std::string not_a_picture(const std::string& found) {
  return "[image] lesion.jpg: expected a JPEG or PNG file, got " + found;
}

std::string big_endian(std::uint32_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 0xFF);
  return text;
}

/// A PNG chunk with its CRC (ISO 3309, bit by bit).
std::string chunk(const std::string& type, const std::string& data) {
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char c : type + data) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0);
  }
  return big_endian(static_cast<std::uint32_t>(data.size())) + type + data + big_endian(~crc);
}

/// IHDR of an RGB8 PNG.
std::string header(std::uint32_t width, std::uint32_t height) {
  return chunk("IHDR", big_endian(width) + big_endian(height) + std::string("\x08\x02\0\0\0", 5));
}

/// Megabytes of one byte as a zlib stream of some kilobytes, made piece by piece.
std::string compressed(char byte, int megabytes) {
  std::string piece(1000000, byte), out(200000, '\0');
  z_stream stream{};
  REQUIRE(deflateInit(&stream, 9) == Z_OK);
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  for (int i = 1; i <= megabytes; ++i) {
    stream.next_in = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_in = static_cast<uInt>(piece.size());
    const int result = deflate(&stream, i == megabytes ? Z_FINISH : Z_NO_FLUSH);
    REQUIRE(result == (i == megabytes ? Z_STREAM_END : Z_OK));
  }
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// A 4 x 3 picture with `chunks` between header and pixels.
std::string png_with(const std::string& chunks) {
  const std::string png = encode_png(make_image(4, 3, 77));
  return png.substr(0, 33) + chunks + png.substr(33);
}

std::int64_t peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

/// A progressive JPEG with `copies` more of its first scan, which depends on no other.
std::string with_scans(const std::string& jpeg, int copies) {
  const std::size_t scan = jpeg.find("\xFF\xDA");
  const std::size_t end = jpeg.find("\xFF\xC4", scan);  // the tables of the second scan
  std::string bytes = jpeg.substr(0, end);
  for (int i = 0; i < copies; ++i) bytes += jpeg.substr(scan, end - scan);
  return bytes + jpeg.substr(end);
}

TEST_CASE("odd files: other formats are named, whatever the file is called") {
  const auto padded = [](std::string start) { return start + std::string(64, '\0'); };
  CHECK(decode_error(padded("GIF89a")) == not_a_picture("a GIF image"));
  CHECK(decode_error(padded("GIF87a")) == not_a_picture("a GIF image"));
  CHECK(decode_error(padded(std::string("RIFF\x24\0\0\0WEBPVP8 ", 16))) ==
        not_a_picture("a WebP image"));
  CHECK(decode_error(padded("II*")) == not_a_picture("a TIFF image"));
  CHECK(decode_error(padded(std::string("MM\0*", 4))) == not_a_picture("a TIFF image"));
  CHECK(decode_error(padded("II+")) == not_a_picture("a BigTIFF image"));
  CHECK(decode_error(padded(std::string("\0\0\0\x18"
                                        "ftypheic",
                                        12))) == not_a_picture("a HEIC image"));
  CHECK(decode_error(padded(std::string("\0\0\0\x18"
                                        "ftypmif1",
                                        12))) == not_a_picture("a HEIF image"));
  CHECK(decode_error(padded(std::string("\0\0\0\x18"
                                        "ftypavif",
                                        12))) == not_a_picture("an AVIF image"));
  CHECK(decode_error(padded(std::string("\0\0\0\x0CjP  \r\n\x87\n", 12))) ==
        not_a_picture("a JPEG 2000 image"));
  CHECK(decode_error(padded("\xFF\x0A")) == not_a_picture("a JPEG XL image"));
  CHECK(decode_error(padded("BM")) == not_a_picture("a BMP image"));
  CHECK(decode_error(padded("%PDF-1.7")) == not_a_picture("a PDF document"));
  CHECK(decode_error(padded("PK\3\4")) == not_a_picture("a ZIP archive"));
  CHECK(decode_error(std::string(128, '\0') + "DICM") == not_a_picture("a DICOM file"));
  // The start of a magic is none.
  CHECK(decode_error("GIF8") == not_a_picture("text that starts with 'GIF8'"));
  CHECK(decode_error(std::string(64, '\0')) == not_a_picture("one that starts with 00 00 00 00"));
}

TEST_CASE("odd files: an empty file, and text called .jpg") {
  CHECK(decode_error("") == not_a_picture("an empty one"));
  CHECK(decode_error("<!DOCTYPE html>\n<html><body>404 Not Found") ==
        not_a_picture("text that starts with '<!DOCTYPE html> <html><b'"));
  CHECK(decode_error("version https://git-lfs.github.com/spec/v1\n") ==
        not_a_picture("text that starts with 'version https://git-lfs.'"));
  // A byte-order mark in front of a JPEG, as a text tool leaves it: no longer a JPEG.
  CHECK(decode_error("\xEF\xBB\xBF" + encode_jpeg(make_image(4, 3))) ==
        not_a_picture("one that starts with EF BB BF FF"));
}

TEST_CASE("odd files: content decides, not the name") {
  const test::ScratchFolder folder;
  const Image image = make_image(4, 3, 77);
  write_atomically(folder / "really_png.jpg", encode_png(image));
  write_atomically(folder / "really_jpeg.png", encode_jpeg(image));
  CHECK(read_image(folder / "really_png.jpg") == image);
  CHECK(read_image(folder / "really_jpeg.png") == image);  // flat grey survives JPEG
  write_atomically(folder / "half.jpg", encode_png(image).substr(0, 50));
  CHECK(mentions(message_of<std::runtime_error>([&] { read_image(folder / "half.jpg"); }),
                 {(folder / "half.jpg").string(), "expected a complete PNG"}));
}

TEST_CASE("odd files: a progressive JPEG has at most 100 scans") {
  const std::string jpeg = from_base64(image_fixture("jpeg_progressive_420").base64);
  CHECK(decode_image(with_scans(jpeg, 50), "x") == decode_image(jpeg, "x"));
  const std::string bytes = with_scans(jpeg, 20000);
  CHECK(bytes.size() < 1000000);
  CHECK(decode_error(bytes) ==
        "[image] lesion.jpg: expected a complete JPEG, got: more than 100 scans");
}

TEST_CASE("odd files: JPEGs of no use") {
  const std::string jpeg = encode_jpeg(make_image(40, 30, 77));
  const std::size_t frame = jpeg.find("\xFF\xC0");
  REQUIRE(frame != std::string::npos);
  const auto changed = [&](std::size_t offset, const std::string& bytes) {
    std::string copy = jpeg;
    return copy.replace(frame + offset, bytes.size(), bytes);
  };
  CHECK(mentions(decode_error(changed(4, "\x0C")), {"lesion.jpg", "precision 12"}));
  CHECK(mentions(decode_error(changed(5, std::string(4, '\0'))), {"lesion.jpg", "Empty"}));
  CHECK(mentions(decode_error(changed(1, "\xC3")), {"lesion.jpg", "expected a complete JPEG"}));
  // Two components mean no colour: frame and scan of a colour JPEG, the third taken out.
  std::string two = jpeg.substr(0, frame) +
                    std::string("\xFF\xC0\0\x0E\x08\0\x1E\0\x28\2\1\x22\0\2\x11\1", 16) +
                    jpeg.substr(frame + 19);
  const std::size_t scan = two.find("\xFF\xDA");
  REQUIRE(scan != std::string::npos);
  two.replace(scan, 14, std::string("\xFF\xDA\0\x0A\2\1\0\2\x11\0\x3F\0", 12));
  CHECK(mentions(decode_error(two), {"lesion.jpg", "expected a complete JPEG", "color"}));
}

TEST_CASE("odd files: what follows the picture is ignored") {
  const Image image = make_image(40, 30, 77);
  CHECK(decode_image(encode_png(image) + "appended", "x") == image);
  const std::string jpeg = encode_jpeg(image);
  CHECK(decode_image(jpeg + jpeg, "x") == image);  // a phone's second picture
  CHECK(decode_image(jpeg + std::string(5000, '\0'), "x") == image);
}

TEST_CASE("odd files: a PNG's checksums") {
  const std::string png = encode_png(make_image(4, 3, 77));
  std::string broken = png;
  broken[29] ^= 1;  // of IHDR
  CHECK(mentions(decode_error(broken), {"lesion.jpg", "IHDR", "CRC"}));
  broken = png;
  broken[broken.size() - 13] ^= 1;  // of IDAT
  CHECK(mentions(decode_error(broken), {"lesion.jpg", "IDAT", "CRC"}));
  // Of a chunk that does not matter for the pixels.
  std::string gamma = chunk("gAMA", big_endian(45455));
  gamma.back() ^= 1;
  CHECK(decode_image(png_with(gamma), "x") == make_image(4, 3, 77));
}

TEST_CASE("odd files: EXIF may lie about everything but the orientation") {
  // Width 9999 (0x0100), orientation 6 in a LONG, then a pointer to a directory far outside.
  const std::string tiff =
      std::string("MM\0*\0\0\0\x08\0\3", 10) + std::string("\1\0\0\4\0\0\0\1\0\0\x27\x0F", 12) +
      std::string("\1\x12\0\4\0\0\0\1\0\0\0\6", 12) +
      std::string("\x87\x69\0\4\0\0\0\1\x7F\xFF\xFF\xFF", 12) + std::string("\xFF\xFF\xFF\xFF");
  const Image stored = decode_image(encode_jpeg(make_image(40, 30, 77)), "x");
  const auto segment = [](const std::string& block) {
    const std::string body = std::string("Exif\0\0", 6) + block;
    return "\xFF\xE1" + big_endian(static_cast<std::uint32_t>(body.size() + 2)).substr(2) + body;
  };
  const std::string jpeg = encode_jpeg(make_image(40, 30, 77));
  const Image turned =
      decode_image(jpeg.substr(0, 2) + segment(tiff) + segment("junk") + jpeg.substr(2), "x");
  CHECK(turned == detail::apply_orientation(stored, 6));
  CHECK(turned.width == 30);
  // The first block counts, even if it is junk.
  CHECK(decode_image(jpeg.substr(0, 2) + segment("junk") + segment(tiff) + jpeg.substr(2), "x") ==
        stored);
  // A segment that claims more bytes than the file has.
  std::string overlong = jpeg.substr(0, 2) + segment(tiff) + jpeg.substr(2);
  overlong.replace(4, 2, "\xFF\xFF");
  CHECK(mentions(decode_error(overlong), {"lesion.jpg", "expected a complete JPEG"}));
  CHECK(decode_image(png_with(chunk("eXIf", tiff)), "x").width == 3);
  CHECK(decode_image(png_with(chunk("eXIf", "MM junk")), "x").width == 4);
}

TEST_CASE("odd files: bombs are refused, or fizzle, without taking memory") {
  const std::string text = compressed('a', 7), pixels = compressed('\0', 100);
  CHECK(text.size() < 10000);
  const std::int64_t before = peak_megabytes();
  REQUIRE(before > 0);

  // A header that promises 3 TB, with pixels and without.
  const std::string end = chunk("IEND", "");
  for (const std::string& data : {pixels, std::string()}) {
    CHECK(decode_error(png_start + header(1000000, 1000000) + chunk("IDAT", data) + end) ==
          "[image] lesion.jpg: expected at most 178956970 pixels, got 1000000 x 1000000");
  }
  // Pixels far beyond the header's 2 x 2: only the first rows are looked at.
  CHECK(decode_image(png_start + header(2, 2) + chunk("IDAT", pixels) + end, "x") ==
        make_image(2, 2));
  // Hundred small compressed texts and profiles of 7 MB each.
  std::string texts = chunk("iCCP", std::string("p\0\0", 3) + text);
  for (int i = 0; i < 100; ++i) texts += chunk("zTXt", std::string("k\0\0", 3) + text);
  CHECK(decode_image(png_with(texts), "x") == make_image(4, 3, 77));
  // A JPEG of 4 GB pixels in a few hundred bytes.
  std::string jpeg = encode_jpeg(make_image(40, 30));
  jpeg.replace(jpeg.find("\xFF\xC0") + 5, 4, "\xFF\xDC\xFF\xDC");
  CHECK(decode_error(jpeg) ==
        "[image] lesion.jpg: expected at most 178956970 pixels, got 65500 x 65500");

  CHECK(peak_megabytes() - before < 40);
}

}  // namespace
}  // namespace dermis
