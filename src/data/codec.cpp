#include "dermis/data/codec.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <optional>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"
#include "dermis/core/random.hpp"
#include "image_index.hpp"

namespace dermis {
namespace {

/// Headers are short; with large EXIF or ICC blocks the whole file is read.
std::optional<JpegQuality> quality_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string head(1 << 16, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(in.gcount()));
  auto quality = jpeg_quality(head);
  if (!quality && head.substr(0, 2) == "\xFF\xD8") quality = jpeg_quality(read_file(path));
  return quality;
}

/// `image` with its first column and row repeated to the left and above.
Image padded(const Image& image, std::int64_t left, std::int64_t above) {
  Image result = make_image(image.width + left, image.height + above);
  for (std::int64_t y = 0; y < result.height; ++y) {
    for (std::int64_t x = 0; x < result.width; ++x)
      std::memcpy(
          result.pixel(x, y),
          image.pixel(std::max<std::int64_t>(x - left, 0), std::max<std::int64_t>(y - above, 0)),
          3);
  }
  return result;
}

Image recompressed(const Image& image, const CodecTrace& trace, std::int64_t max_side) {
  const auto size = image.width;
  const auto stored = std::min(trace.width, trace.height);
  const auto side = std::min(stored, max_side);
  // Where the centred square began in the grid of blocks, which are up to 16 pixels wide.
  const auto left = (trace.width - stored) / 2 % 16, above = (trace.height - stored) / 2 % 16;
  const auto as_stored = padded(resize(image, side, side), left, above);
  const auto decoded =
      decode_image(encode_jpeg(as_stored, trace.quality, trace.subsampling), "codec");
  return square_resized(crop(decoded, left, above, side, side), size);
}

}  // namespace

CodecDraw codec_of(const PixelSet& training, const std::filesystem::path& images) {
  const detail::ImageIndex index(images);
  CodecDraw traces;
  for (const Sample& sample : training.samples) {
    if (sample.synthetic) continue;
    const auto place = index.find(sample.id, "the training part");
    check_runtime(place.has_value(), "[codec] expected image ", sample.id, " below ",
                  images.string());
    CodecTrace trace{.width = sample.original_width, .height = sample.original_height};
    if (const auto quality = quality_of(index.paths()[*place])) {
      trace.quality = quality->quality;
      trace.subsampling = quality->subsampling;
    }
    check_argument(trace.width > 0 && trace.height > 0,
                   "[codec] expected the original size of image ", sample.id, ", got ", trace.width,
                   " x ", trace.height);
    traces.push_back(trace);
  }
  return traces;
}

PixelSet same_codec(const PixelSet& set, const CodecDraw& real, std::uint64_t seed,
                    const CodecOptions& options) {
  check_argument(options.max_side > 0, "[codec] expected a max_side above 0, got ",
                 options.max_side);
  PixelSet result = set;
  if (real.empty()) return result;
  result.images = set.images.clone();
  at::parallel_for(0, set.size(), 1, [&](std::int64_t first, std::int64_t last) {
    for (auto i = first; i < last; ++i) {
      if (!set.samples[static_cast<std::size_t>(i)].synthetic) continue;
      RandomStream stream(seed, "codec", 0, static_cast<std::uint64_t>(i));
      const auto& trace = real[stream.below(real.size())];
      if (trace.quality == 0) continue;
      result.images[i].copy_(
          to_tensor(recompressed(to_image(set.images[i]), trace, options.max_side)));
    }
  });
  return result;
}

}  // namespace dermis
