// libpng reports errors by longjmp. Therefore everything with a destructor lives in the callers of
// the functions that call setjmp, and those functions have plain local variables only.

#include <png.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "dermis/core/check.hpp"
#include "image_codecs.hpp"

namespace dermis {
namespace {

using Message = char[256];

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  std::snprintf(static_cast<char*>(png_get_error_ptr(png)), sizeof(Message), "%s", message);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {
}  // damaged chunks that do not matter for the pixels

struct Reader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::string_view rest;
  Message message = "out of memory";

  Reader() {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, message, on_error, on_warning);
    if (png != nullptr) info = png_create_info_struct(png);
  }
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
};

void on_read(png_structp png, png_bytep out, std::size_t bytes) {
  auto* reader = static_cast<Reader*>(png_get_io_ptr(png));
  if (bytes > reader->rest.size()) png_error(png, "premature end of file");
  std::memcpy(out, reader->rest.data(), bytes);
  reader->rest.remove_prefix(bytes);
}

// Never looked at, and compressed: each of many small ones could ask for megabytes.
constexpr png_byte skipped_chunks[] = "iCCP\0iTXt\0sPLT\0tEXt\0zTXt";

bool read_header(Reader& reader) {
  if (reader.info == nullptr) return false;
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  png_set_read_fn(reader.png, &reader, on_read);
  png_set_user_limits(reader.png, 0x7fffffff, 0x7fffffff);  // the pixel limit is ours
#ifdef PNG_HANDLE_AS_UNKNOWN_SUPPORTED
  png_set_keep_unknown_chunks(reader.png, PNG_HANDLE_CHUNK_NEVER, skipped_chunks,
                              sizeof skipped_chunks / 5);
#endif
  png_read_info(reader.png, reader.info);
  return true;
}

bool read_pixels(Reader& reader, Image& image, std::vector<png_bytep>& rows) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  png_set_expand(reader.png);    // palette -> RGB, 1, 2, 4 bit grey -> 8 bit, tRNS -> alpha
  png_set_strip_16(reader.png);  // high byte
  png_set_gray_to_rgb(reader.png);
  png_set_strip_alpha(reader.png);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  if (png_get_rowbytes(reader.png, reader.info) != 3 * static_cast<std::size_t>(image.width)) {
    png_error(reader.png, "an unknown pixel format");
  }
  png_read_image(reader.png, rows.data());
  png_read_end(reader.png, reader.info);
  return true;
}

/// Big-endian samples, as the file has them.
bool read_gray16(Reader& reader, std::vector<png_bytep>& rows) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  png_read_image(reader.png, rows.data());
  png_read_end(reader.png, reader.info);
  return true;
}

void check_complete(bool ok, const std::string& name, const Reader& reader) {
  check_runtime(ok, "[image] ", name, ": expected a complete PNG, got: ", reader.message);
}

int find_orientation(Reader& reader) {
#ifdef PNG_eXIf_SUPPORTED
  png_bytep exif = nullptr;
  png_uint_32 size = 0;
  if (png_get_eXIf_1(reader.png, reader.info, &size, &exif) != 0) {
    return detail::exif_orientation({reinterpret_cast<const char*>(exif), size});
  }
#else
  (void)reader;
#endif
  return 1;
}

struct Writer {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::string bytes;
  Message message = "out of memory";

  Writer() {
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, message, on_error, on_warning);
    if (png != nullptr) info = png_create_info_struct(png);
  }
  ~Writer() { png_destroy_write_struct(&png, &info); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
};

bool append(std::string& bytes, const char* data, std::size_t size) noexcept {
  try {
    bytes.append(data, size);
    return true;
  } catch (...) {
    return false;
  }
}

void on_write(png_structp png, png_bytep data, std::size_t size) {
  auto* writer = static_cast<Writer*>(png_get_io_ptr(png));
  // No exception may pass through libpng, and no longjmp may leave a catch block.
  if (!append(writer->bytes, reinterpret_cast<const char*>(data), size))
    png_error(png, "out of memory");
}

bool write_pixels(Writer& writer, const Image& image, std::vector<png_text>& texts) {
  if (writer.info == nullptr) return false;
  if (setjmp(png_jmpbuf(writer.png)) != 0) return false;
  png_set_write_fn(writer.png, &writer, on_write, nullptr);
  png_set_user_limits(writer.png, 0x7fffffff, 0x7fffffff);
  png_set_IHDR(writer.png, writer.info, static_cast<png_uint_32>(image.width),
               static_cast<png_uint_32>(image.height), 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!texts.empty())
    png_set_text(writer.png, writer.info, texts.data(), static_cast<int>(texts.size()));
  png_write_info(writer.png, writer.info);
  for (std::int64_t y = 0; y < image.height; ++y) png_write_row(writer.png, image.pixel(0, y));
  png_write_end(writer.png, nullptr);  // null: text was written in front
  return true;
}

bool is_keyword(const std::string& key) {
  if (key.empty() || key.size() > 79 || key.front() == ' ' || key.back() == ' ') return false;
  return key.find("  ") == std::string::npos &&
         std::all_of(key.begin(), key.end(), [](char c) { return c >= 32 && c < 127; });
}

}  // namespace

detail::DecodedImage detail::decode_png(std::string_view bytes, const std::string& name,
                                        const DecodeOptions& options) {
  Reader reader;
  reader.rest = bytes;
  const auto check = [&](bool ok) { check_complete(ok, name, reader); };
  check(read_header(reader));
  DecodedImage decoded;
  decoded.image = allocate_image(png_get_image_width(reader.png, reader.info),
                                 png_get_image_height(reader.png, reader.info), name, options);
  std::vector<png_bytep> rows;
  for (std::int64_t y = 0; y < decoded.image.height; ++y) rows.push_back(decoded.image.pixel(0, y));
  check(read_pixels(reader, decoded.image, rows));
  decoded.orientation = find_orientation(reader);
  return decoded;
}

Samples detail::decode_png_samples(std::string_view bytes, const std::string& name,
                                   const DecodeOptions& options) {
  Reader reader;
  reader.rest = bytes;
  check_complete(read_header(reader), name, reader);
  const int depth = png_get_bit_depth(reader.png, reader.info);
  check_runtime(depth == 16 && png_get_color_type(reader.png, reader.info) == PNG_COLOR_TYPE_GRAY,
                "[image] ", name, ": expected a grey PNG of 16 bits, got ", depth, " bits and ",
                static_cast<int>(png_get_channels(reader.png, reader.info)), " channels");
  Samples samples{png_get_image_width(reader.png, reader.info),
                  png_get_image_height(reader.png, reader.info),
                  1,
                  {}};
  check_pixels(samples.width, samples.height, name, options);
  std::vector<png_byte> stored(2 * static_cast<std::size_t>(samples.width * samples.height));
  std::vector<png_bytep> rows;
  for (std::int64_t y = 0; y < samples.height; ++y)
    rows.push_back(stored.data() + 2 * y * samples.width);
  check_complete(read_gray16(reader, rows), name, reader);
  for (std::size_t i = 0; i < stored.size(); i += 2)
    samples.values.push_back(static_cast<std::uint16_t>(stored[i] << 8 | stored[i + 1]));
  return samples;
}

std::string encode_png(const Image& image, const PngText& text) {
  detail::check_image(image, "png");
  check_argument(image.width <= 0x7fffffff && image.height <= 0x7fffffff,
                 "[png] expected sides below 2^31, got ", image.width, " x ", image.height);
  std::vector<png_text> texts;
  for (const auto& [key, value] : text) {
    check_argument(is_keyword(key),
                   "[png] expected a text key of 1 to 79 printable ASCII characters, got '", key,
                   "'");
    check_argument(value.find('\0') == std::string::npos,
                   "[png] expected text without NUL for key '", key, "'");
    const bool ascii = std::all_of(value.begin(), value.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 128; });
    png_text entry{};
    entry.compression = ascii ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
    entry.key = const_cast<char*>(key.c_str());  // libpng copies and does not write
    entry.text = const_cast<char*>(value.c_str());
    entry.text_length = value.size();
    texts.push_back(entry);
  }
  Writer writer;
  check_runtime(write_pixels(writer, image, texts), "[png] cannot encode: ", writer.message);
  return std::move(writer.bytes);
}

}  // namespace dermis
