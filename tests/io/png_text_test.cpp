#include "dermis/io/png_text.hpp"

#include <zlib.h>

#include <catch2/catch.hpp>

#include "core/support.hpp"
#include "dermis/core/file.hpp"
#include "dermis/core/random.hpp"
#include "folder.hpp"

using namespace dermis;
using dermis::test::mentions;
using dermis::test::message_of;

namespace {

std::string big_endian(std::uint32_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 0xFF);
  return text;
}

std::string chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto sum =
      crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian(static_cast<std::uint32_t>(data.size())) + body +
         big_endian(static_cast<std::uint32_t>(sum));
}

std::string deflated(const std::string& text) {
  uLongf size = compressBound(static_cast<uLong>(text.size()));
  std::string bytes(size, '\0');
  compress(reinterpret_cast<Bytef*>(bytes.data()), &size,
           reinterpret_cast<const Bytef*>(text.data()), static_cast<uLong>(text.size()));
  bytes.resize(size);
  return bytes;
}

std::string literal(const char* bytes, std::size_t size) {
  return {bytes, size};
}

/// A PNG of one pixel with `chunks` between its header (8 + 25 bytes) and its pixels.
std::string png_with(const std::string& chunks) {
  const std::string plain = encode_png(make_image(1, 1));
  return plain.substr(0, 33) + chunks + plain.substr(33);
}

std::string error_of(const std::string& bytes, const PngTextLimits& limits = {}) {
  return message_of<std::runtime_error>([&] { read_png_text(bytes, "drawn.png", limits); });
}

}  // namespace

TEST_CASE("png text: what was written comes back, ASCII and UTF-8, from bytes and from a file") {
  const PngText text = {{"Description", "SYNTHETIC: not a patient"},
                        {"Title", "na\xC3\xAFve \xEF\xBB\xBF"},
                        {"Empty", ""}};
  const std::string bytes = encode_png(make_image(3, 2), text);
  CHECK(read_png_text(bytes, "x") == text);
  const test::ScratchFolder scratch;
  write_png(scratch / "a.png", make_image(3, 2), text);
  CHECK(read_png_text(scratch / "a.png") == text);
  CHECK(read_png_text(encode_png(make_image(3, 2)), "x").empty());
  CHECK(read_png_text(encode_jpeg(make_image(3, 2)), "x").empty());
  CHECK(read_png_text("", "x").empty());
  CHECK(mentions(message_of<std::runtime_error>([&] { read_png_text(scratch / "none.png"); }),
                 {"[png] cannot read", "none.png"}));
}

TEST_CASE("png text: every kind of chunk that the format has for texts") {
  const std::string nul(1, '\0');
  const auto bytes =
      png_with(chunk("tEXt", "Author" + nul + "Ren\xE9") + chunk("gAMA", big_endian(45455)) +
               chunk("zTXt", "Comment" + nul + nul + deflated(std::string(5000, 'a'))) +
               chunk("iTXt", "Title" + nul + literal("\0\0", 2) + "fr" + nul + "Titre" + nul +
                                 "\xC3\xA9t\xC3\xA9") +
               chunk("iTXt", "Big" + nul + literal("\1\0", 2) + nul + nul + deflated("packed")));
  CHECK(read_png_text(bytes, "x") == PngText{{"Author", "Ren\xC3\xA9"},
                                             {"Comment", std::string(5000, 'a')},
                                             {"Title", "\xC3\xA9t\xC3\xA9"},
                                             {"Big", "packed"}});
  CHECK(decode_image(bytes, "x") == make_image(1, 1));
}

TEST_CASE("png text: damaged and hostile files are refused by name") {
  const std::string nul(1, '\0');
  const std::string good = chunk("tEXt", "Key" + nul + "value");
  CHECK(error_of(png_with(good)).empty());

  auto wrong = good;
  wrong[wrong.size() - 5] ^= 1;  // the last letter
  CHECK(mentions(error_of(png_with(wrong)), {"[png] drawn.png", "checksum of a tEXt chunk"}));
  const std::string whole = png_with(good);
  for (std::size_t size = 9; size < 33 + good.size(); ++size)
    CHECK(mentions(error_of(whole.substr(0, size)), {"drawn.png", "expected", "bytes more, got"}));
  auto lie = whole;
  lie.replace(33, 4, big_endian(1000));
  CHECK(mentions(error_of(lie), {"drawn.png", "expected 1000 bytes more"}));
  lie.replace(33, 4, "\xFF\xFF\xFF\xFF");
  CHECK(mentions(error_of(lie), {"at most 1048576 bytes, got 4294967295"}));
  auto skipped = png_with(chunk("gAMA", big_endian(1)));
  skipped.replace(33, 4, "\xFF\xFF\xFF\xFF");
  CHECK(mentions(error_of(skipped), {"bytes more, got"}));
  CHECK(mentions(error_of(whole.substr(0, 8) + good + whole.substr(8)), {"header of 13 bytes"}));

  CHECK(mentions(error_of(png_with(chunk("tEXt", "no end"))), {"tEXt chunk is cut off"}));
  CHECK(
      mentions(error_of(png_with(chunk("tEXt", nul + "value"))), {"key of 1 to 79 bytes, got 0"}));
  CHECK(mentions(error_of(png_with(chunk("tEXt", std::string(80, 'k') + nul))), {"got 80"}));
  CHECK(mentions(error_of(png_with(chunk("zTXt", "Key" + nul + "\1"))), {"unknown compression"}));
  CHECK(mentions(error_of(png_with(chunk("iTXt", "Key" + nul + "\2"))), {"unknown compression"}));
  CHECK(mentions(error_of(png_with(chunk("iTXt", "Key" + nul + nul + nul + "en"))), {"cut off"}));
  CHECK(mentions(error_of(png_with(chunk("zTXt", "Key" + nul + nul + "nonsense"))),
                 {"text Key does not inflate"}));
  const auto packed = deflated("some text that is cut");
  CHECK(mentions(error_of(png_with(chunk("zTXt", "Key" + nul + nul + packed.substr(0, 9)))),
                 {"text Key does not inflate"}));
}

TEST_CASE("png text: a text may be as long as the limit, inflated too, and no longer") {
  const std::string nul(1, '\0');
  const PngTextLimits limits{5000, 3};
  const auto packed = [&](std::size_t length) {
    return png_with(chunk("zTXt", "Key" + nul + nul + deflated(std::string(length, 'a'))));
  };
  CHECK(error_of(packed(5000), limits).empty());
  CHECK(mentions(error_of(packed(5001), limits), {"at most 5000 bytes", "inflating Key"}));
  CHECK(mentions(error_of(packed(64u << 20)), {"at most 1048576 bytes"}));  // a bomb of 64 kB
  const auto plain = [&](std::size_t length) {
    return png_with(chunk("tEXt", "Key" + nul + std::string(length, 'a')));
  };
  CHECK(error_of(plain(4996), limits).empty());
  CHECK(mentions(error_of(plain(4997), limits), {"at most 5000 bytes, got 5001"}));
  const auto one = chunk("tEXt", "Key" + nul);
  CHECK(error_of(png_with(one + one + one), limits).empty());
  CHECK(mentions(error_of(png_with(one + one + one + one), limits), {"at most 3 texts"}));
}

TEST_CASE("png text: thousands of files with changed bytes are read or refused by name") {
  const std::string nul(1, '\0');
  const auto whole =
      png_with(chunk("tEXt", "Key" + nul + "value") +
               chunk("zTXt", "Packed" + nul + nul + deflated(std::string(300, 'a'))) +
               chunk("iTXt", "Both" + nul + literal("\1\0", 2) + nul + nul + deflated("text")));
  int read = 0, refused = 0;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    RandomStream random(1, "mutation", 0, i);
    auto bytes = whole.substr(0, whole.size() - (random.chance(0.3) ? random.below(150) : 0));
    for (auto changes = random.below(3); changes > 0; --changes)
      bytes[random.below(bytes.size())] = static_cast<char>(random.below(256));
    const auto error = error_of(bytes);
    CHECK((error.empty() || error.rfind("[png] drawn.png: ", 0) == 0));
    ++(error.empty() ? read : refused);
  }
  CHECK(read > 500);
  CHECK(refused > 500);
}
