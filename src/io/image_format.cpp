// Says what a file is that is neither JPEG nor PNG, for the message that refuses it.

#include <algorithm>
#include <cstdio>

#include "dermis/core/check.hpp"
#include "image_codecs.hpp"

namespace dermis {
namespace {

struct Magic {
  std::size_t offset;
  std::string_view bytes;
  const char* name;
};

/// A container of the ISO base media file format is told by its brand, at offset 4 with "ftyp".
constexpr Magic magics[] = {
    {0, "GIF87a", "a GIF image"},
    {0, "GIF89a", "a GIF image"},
    {8, "WEBP", "a WebP image"},
    {0, {"II*\0", 4}, "a TIFF image"},
    {0, {"MM\0*", 4}, "a TIFF image"},
    {0, {"II+\0", 4}, "a BigTIFF image"},
    {0, {"MM\0+", 4}, "a BigTIFF image"},
    {4, "ftypheic", "a HEIC image"},
    {4, "ftypheix", "a HEIC image"},
    {4, "ftyphevc", "a HEIC image"},
    {4, "ftypmif1", "a HEIF image"},
    {4, "ftypmsf1", "a HEIF image"},
    {4, "ftypavif", "an AVIF image"},
    {4, "ftypavis", "an AVIF image"},
    {0, {"\0\0\0\x0CjP  ", 8}, "a JPEG 2000 image"},
    {0, "\xFF\x4F\xFF\x51", "a JPEG 2000 image"},
    {0, {"\0\0\0\x0CJXL ", 8}, "a JPEG XL image"},
    {0, "\xFF\x0A", "a JPEG XL image"},
    {128, "DICM", "a DICOM file"},
    {0, "%PDF-", "a PDF document"},
    {0, {"PK\3\4", 4}, "a ZIP archive"},
};

/// The first characters in quotes if they are ASCII text, else "".
std::string quoted_start(std::string_view bytes) {
  std::string start(bytes.substr(0, 24));
  for (char& c : start) {
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
    if (c < 32 || c > 126) return "";
  }
  return "'" + start + "'";
}

std::string hex_start(std::string_view bytes) {
  std::string start;
  for (const char c : bytes.substr(0, 4)) {
    char digits[8];
    std::snprintf(digits, sizeof digits, " %02X",
                  static_cast<unsigned>(static_cast<unsigned char>(c)));
    start += digits;
  }
  return start;
}

}  // namespace

std::string detail::describe_foreign_file(std::string_view bytes) {
  if (bytes.empty()) return "an empty one";
  for (const Magic& magic : magics) {
    if (bytes.size() >= magic.offset + magic.bytes.size() &&
        bytes.substr(magic.offset, magic.bytes.size()) == magic.bytes)
      return magic.name;
  }
  if (bytes.substr(0, 2) == "BM" && bytes.size() >= 26) return "a BMP image";
  const std::string quoted = quoted_start(bytes);
  return quoted.empty() ? text("one that starts with", hex_start(bytes))
                        : text("text that starts with ", quoted);
}

}  // namespace dermis
