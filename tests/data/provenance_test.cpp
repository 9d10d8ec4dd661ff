#include "dermis/data/provenance.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "folder.hpp"

using namespace dermis;
using Catch::Matchers::Contains;

namespace {

const Provenance drawn{.generator = "0123456789abcdef",
                       .split = "fedcba9876543210",
                       .class_name = "MEL",
                       .number = 17,
                       .seed = 3,
                       .guidance_scale = 2.5,
                       .sampler = "ddim",
                       .steps = 25,
                       .settings = "00112233445566aa",
                       .version = "0.1.0"};

PngText with_xmp(const std::string& xmp) {
  return {{"XML:com.adobe.xmp", xmp}};
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto place = text.find(from);
  REQUIRE(place != std::string::npos);
  return text.replace(place, from.size(), to);
}

}  // namespace

TEST_CASE("provenance: what is written into a PNG comes back equal, whatever the class is called") {
  const test::ScratchFolder scratch;
  auto odd = drawn;
  odd.seed = std::numeric_limits<std::uint64_t>::max();
  odd.number = std::numeric_limits<std::int64_t>::max();
  odd.guidance_scale = 0.1;
  for (const char* name : {"", "a b", "<\"naevus\" & 'wart'>", "50 %", "%41", "M\xC3\xA9lanome",
                           "latin \xE9", "line\nbreak\x01", "/>"}) {
    odd.class_name = name;
    write_png(scratch / "odd.png", make_image(4, 4), png_text(odd));
    CHECK(read_provenance(scratch / "odd.png") == odd);
  }
  write_png(scratch / "drawn.png", make_image(4, 4), png_text(drawn));
  CHECK(read_provenance(scratch / "drawn.png") == drawn);
  CHECK(declares_synthetic(scratch / "drawn.png"));
  CHECK(read_image(scratch / "drawn.png") == make_image(4, 4));

  write_png(scratch / "plain.png", make_image(4, 4));
  CHECK_FALSE(read_provenance(scratch / "plain.png"));
  CHECK_FALSE(declares_synthetic(scratch / "plain.png"));
  test::write_text(scratch / "photo.jpg", encode_jpeg(make_image(4, 4)));
  CHECK_FALSE(read_provenance(scratch / "photo.jpg"));
  CHECK_FALSE(declares_synthetic(scratch / "photo.jpg"));
  CHECK_FALSE(declares_synthetic(scratch / "no such file"));
}

TEST_CASE("provenance: the mark is XMP in an iTXt chunk, beside a sentence for people") {
  const auto text = png_text(drawn);
  REQUIRE(text.size() == 2);
  CHECK(text[0] == std::pair<std::string, std::string>("Description", "SYNTHETIC: not a patient"));
  CHECK_THAT(text[1].second,
             Contains("Iptc4xmpExt:DigitalSourceType=\"http://cv.iptc.org/newscodes/"
                      "digitalsourcetype/trainedAlgorithmicMedia\""));
  const auto png = encode_png(make_image(4, 4), text);
  // Uncompressed (0, 0), no language, no translated keyword: as XMP part 3 has it.
  CHECK_THAT(png, Contains(std::string("iTXtXML:com.adobe.xmp\0\0\0\0\0<?xpacket begin=", 42)));
  CHECK_THAT(png, Contains(std::string("tEXtDescription\0SYNTHETIC: not a patient", 40)));
}

TEST_CASE("provenance: other programs' marks are recognised, other texts are not") {
  const auto marked = [](const std::string& type) {
    return declares_synthetic(
        with_xmp("<Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/" +
                 type + "</Iptc4xmpExt:DigitalSourceType>"));
  };
  CHECK(marked("trainedAlgorithmicMedia"));
  CHECK(marked("compositeWithTrainedAlgorithmicMedia"));
  CHECK_FALSE(marked("digitalCapture"));
  CHECK_FALSE(declares_synthetic(PngText{{"Description", "a mole"}, {"Comment", "synthetic"}}));
  CHECK(declares_synthetic(PngText{{"Description", "SYNTHETIC: not a patient"}}));
  CHECK_FALSE(read_provenance(PngText{{"Description", "SYNTHETIC: not a patient"}}, "x"));
}

TEST_CASE("provenance: a damaged mark is an error that names file and field") {
  const std::string xmp = png_text(drawn)[1].second;
  const auto read = [](const std::string& changed) {
    return read_provenance(with_xmp(changed), "drawn.png");
  };
  CHECK(read(xmp) == drawn);
  CHECK_THROWS_WITH(read(replaced(xmp, "dermis:Seed=\"3\"", "")),
                    "[provenance] drawn.png: its mark has no dermis:Seed");
  CHECK_THROWS_WITH(read(replaced(xmp, "Seed=\"3\"", "Seed=\"-3\"")),
                    Contains("drawn.png: expected dermis:Seed with a number, got '-3'"));
  CHECK_THROWS_WITH(read(replaced(xmp, "Seed=\"3\"", "Seed=\"18446744073709551616\"")),
                    Contains("expected dermis:Seed with a number"));
  CHECK_THROWS_WITH(read(replaced(xmp, "Steps=\"25\"", "Steps=\"25x\"")),
                    Contains("expected dermis:Steps with a number, got '25x'"));
  CHECK_THROWS_WITH(read(replaced(xmp, "\"MEL\"", "\"M%4\"")),
                    Contains("expected dermis:Class with two hexadecimal digits"));
  CHECK_THROWS_WITH(read(replaced(xmp, "\"MEL\"", "\"M%zz\"")),
                    Contains("expected dermis:Class with two hexadecimal digits"));
  CHECK_THROWS_WITH(read(xmp.substr(0, xmp.find("dermis:Version") + 18)),
                    Contains("its mark has no dermis:Version"));
  CHECK_THROWS_WITH(read(replaced(xmp, "trainedAlgorithmicMedia", "digitalCapture")),
                    Contains("drawn.png: its mark does not say that the image is synthetic"));
}
