// libjpeg reports errors by longjmp. Therefore everything with a destructor lives in the callers of
// the functions that call setjmp, and those functions have plain local variables only.

#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it before
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <jpeglib.h>
// After jpeglib.h.
#include <jerror.h>

#include "dermis/core/check.hpp"
#include "image_codecs.hpp"

namespace dermis {
namespace {

// Encoders write about ten. A scan of a few bytes costs a pass over all coefficients, so that a
// file of some kilobytes could otherwise ask for hours of work.
constexpr int max_scans = 100;

struct JpegErrors {
  jpeg_error_mgr base;  // first, so that the library's pointer is also one to this
  std::jmp_buf escape;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void on_error(j_common_ptr codec) {
  auto* errors = reinterpret_cast<JpegErrors*>(codec->err);
  codec->err->format_message(codec, errors->message);
  std::longjmp(errors->escape, 1);
}

/// Warnings mean lost pixels (premature end, bad Huffman code), except for these.
void on_message(j_common_ptr codec, int level) {
  if (level >= 0) return;  // trace
  const int code = codec->err->msg_code;
  if (code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_BOGUS_PROGRESSION)
    return;
  on_error(codec);
}

void on_progress(j_common_ptr codec) {
  if (reinterpret_cast<j_decompress_ptr>(codec)->input_scan_number <= max_scans) return;
  auto* errors = reinterpret_cast<JpegErrors*>(codec->err);
  std::snprintf(errors->message, sizeof errors->message, "more than %d scans", max_scans);
  std::longjmp(errors->escape, 1);
}

void set_up(JpegErrors& errors) {
  jpeg_std_error(&errors.base);
  errors.base.error_exit = on_error;
  errors.base.emit_message = on_message;
  errors.message[0] = 0;
}

struct Decoder {
  jpeg_decompress_struct codec{};
  JpegErrors errors{};
  jpeg_progress_mgr progress{};

  Decoder() {
    set_up(errors);
    codec.err = &errors.base;
  }
  ~Decoder() { jpeg_destroy_decompress(&codec); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
};

bool read_header(Decoder& decoder, std::string_view bytes) {
  if (setjmp(decoder.errors.escape) != 0) return false;
  jpeg_decompress_struct& codec = decoder.codec;
  jpeg_create_decompress(&codec);
  decoder.progress.progress_monitor = on_progress;
  codec.progress = &decoder.progress;
  jpeg_mem_src(&codec, reinterpret_cast<const unsigned char*>(bytes.data()),
               static_cast<unsigned long>(bytes.size()));
  jpeg_save_markers(&codec, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&codec, TRUE);
  codec.out_color_space = codec.num_components == 4 ? JCS_CMYK : JCS_RGB;
  codec.dct_method = JDCT_ISLOW;  // with fancy upsampling (the default) these are Pillow's pixels
  return true;
}

/// Pillow's way: inverted as Adobe writes it, no colour profile.
void cmyk_to_rgb(const std::uint8_t* cmyk, std::int64_t pixels, std::uint8_t* rgb) {
  for (std::int64_t i = 0; i < pixels; ++i, cmyk += 4, rgb += 3) {
    const int light = cmyk[3];  // 255 - K
    for (int c = 0; c < 3; ++c) {
      const int product = (255 - cmyk[c]) * light + 128;
      rgb[c] = static_cast<std::uint8_t>(light - (((product >> 8) + product) >> 8));
    }
  }
}

/// `row`: a line of CMYK; empty if the library makes RGB.
bool read_pixels(Decoder& decoder, Image& image, std::vector<std::uint8_t>& row) {
  if (setjmp(decoder.errors.escape) != 0) return false;
  jpeg_decompress_struct& codec = decoder.codec;
  jpeg_start_decompress(&codec);
  while (codec.output_scanline < codec.output_height) {
    std::uint8_t* out = image.pixel(0, codec.output_scanline);
    JSAMPROW target = row.empty() ? out : row.data();
    if (jpeg_read_scanlines(&codec, &target, 1) != 1) return false;
    if (!row.empty()) cmyk_to_rgb(row.data(), image.width, out);
  }
  jpeg_finish_decompress(&codec);
  return true;
}

/// The four components of each pixel, inverted as Adobe writes them.
bool read_cmyk(Decoder& decoder, std::vector<std::uint8_t>& bytes) {
  if (setjmp(decoder.errors.escape) != 0) return false;
  jpeg_decompress_struct& codec = decoder.codec;
  jpeg_start_decompress(&codec);
  while (codec.output_scanline < codec.output_height) {
    JSAMPROW target = bytes.data() + 4 * std::size_t{codec.output_width} * codec.output_scanline;
    if (jpeg_read_scanlines(&codec, &target, 1) != 1) return false;
  }
  jpeg_finish_decompress(&codec);
  return true;
}

int find_orientation(const jpeg_decompress_struct& codec) {
  constexpr std::string_view magic("Exif\0\0", 6);
  for (jpeg_saved_marker_ptr marker = codec.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.substr(0, magic.size()) == magic)
      return detail::exif_orientation(data.substr(magic.size()));
  }
  return 1;
}

void check_complete(bool ok, const std::string& name, const Decoder& decoder) {
  check_runtime(ok, "[image] ", name, ": expected a complete JPEG, got: ", decoder.errors.message);
}

struct Encoder {
  jpeg_compress_struct codec{};
  JpegErrors errors{};
  unsigned char* bytes = nullptr;
  unsigned long size = 0;

  Encoder() {
    set_up(errors);
    codec.err = &errors.base;
  }
  ~Encoder() {
    jpeg_destroy_compress(&codec);
    std::free(bytes);
  }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
};

bool write_pixels(Encoder& encoder, const Image& image, int quality,
                  ChromaSubsampling subsampling) {
  if (setjmp(encoder.errors.escape) != 0) return false;
  jpeg_compress_struct& codec = encoder.codec;
  jpeg_create_compress(&codec);
  jpeg_mem_dest(&codec, &encoder.bytes, &encoder.size);
  codec.image_width = static_cast<JDIMENSION>(image.width);
  codec.image_height = static_cast<JDIMENSION>(image.height);
  codec.input_components = 3;
  codec.in_color_space = JCS_RGB;
  jpeg_set_defaults(&codec);
  jpeg_set_quality(&codec, quality, TRUE);
  codec.comp_info[0].h_samp_factor = subsampling == ChromaSubsampling::None ? 1 : 2;
  codec.comp_info[0].v_samp_factor = subsampling == ChromaSubsampling::Both ? 2 : 1;
  jpeg_start_compress(&codec, TRUE);
  while (codec.next_scanline < codec.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(image.pixel(0, codec.next_scanline));
    jpeg_write_scanlines(&codec, &row, 1);
  }
  jpeg_finish_compress(&codec);
  return true;
}

}  // namespace

detail::DecodedImage detail::decode_jpeg(std::string_view bytes, const std::string& name,
                                         const DecodeOptions& options) {
  Decoder decoder;
  const auto check = [&](bool ok) { check_complete(ok, name, decoder); };
  check(read_header(decoder, bytes));
  const jpeg_decompress_struct& codec = decoder.codec;
  DecodedImage decoded{allocate_image(codec.image_width, codec.image_height, name, options),
                       find_orientation(codec)};
  std::vector<std::uint8_t> row(codec.num_components == 4 ? 4 * std::size_t{codec.image_width} : 0);
  check(read_pixels(decoder, decoded.image, row));
  return decoded;
}

Samples detail::decode_jpeg_samples(std::string_view bytes, const std::string& name,
                                    const DecodeOptions& options) {
  Decoder decoder;
  check_complete(read_header(decoder, bytes), name, decoder);
  const jpeg_decompress_struct& codec = decoder.codec;
  check_runtime(codec.num_components == 4, "[image] ", name,
                ": expected a JPEG of 4 components, got ", codec.num_components);
  check_pixels(codec.image_width, codec.image_height, name, options);
  std::vector<std::uint8_t> stored(4 * std::size_t{codec.image_width} * codec.image_height);
  check_complete(read_cmyk(decoder, stored), name, decoder);
  Samples samples{codec.image_width, codec.image_height, 4, {}};
  for (const std::uint8_t value : stored)
    samples.values.push_back(static_cast<std::uint16_t>(255 - value));
  return samples;
}

std::string encode_jpeg(const Image& image, int quality, ChromaSubsampling subsampling) {
  detail::check_image(image, "jpeg");
  check_argument(quality >= 1 && quality <= 100, "[jpeg] expected a quality of 1 to 100, got ",
                 quality);
  check_argument(image.width <= JPEG_MAX_DIMENSION && image.height <= JPEG_MAX_DIMENSION,
                 "[jpeg] expected at most ", JPEG_MAX_DIMENSION, " pixels a side, got ",
                 image.width, " x ", image.height);
  Encoder encoder;
  check_runtime(write_pixels(encoder, image, quality, subsampling),
                "[jpeg] cannot encode: ", encoder.errors.message);
  return std::string(reinterpret_cast<const char*>(encoder.bytes), encoder.size);
}

}  // namespace dermis
