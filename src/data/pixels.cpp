#include "dermis/data/pixels.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "dermis/core/check.hpp"
#include "dermis/core/interrupt.hpp"
#include "dermis/core/progress.hpp"

namespace dermis {

std::string name(Fit fit) {
  return fit == Fit::CenterSquare ? "center_square" : "squash";
}

void from_name(Fit& fit, const std::string& text) {
  check_argument(text == "center_square" || text == "squash",
                 "[pixels] expected fit center_square or squash, got ", text);
  fit = text == "squash" ? Fit::Squash : Fit::CenterSquare;
}
namespace {

constexpr int64_t kChannels = 3;

/// Interleaved RGB to three planes.
void to_planes(const Image& image, std::uint8_t* out) {
  const int64_t pixels = image.width * image.height;
  for (int64_t c = 0; c < kChannels; ++c) {
    for (int64_t i = 0; i < pixels; ++i)
      out[c * pixels + i] = image.rgb[static_cast<std::size_t>(kChannels * i + c)];
  }
}

/// What became of one image.
struct Decoded {
  int64_t width = 0, height = 0;  // 0: it did not decode
  std::string error;
};

/// Decodes all images into `out` (N * 3 * size * size bytes). Each image has its own place, so
/// threads change nothing.
std::vector<Decoded> decode_all(const Dataset& dataset, int64_t size, const PixelOptions& options,
                                std::uint8_t* out) {
  const int64_t count = dataset.size();
  std::vector<Decoded> decoded(static_cast<std::size_t>(count));
  std::atomic<int64_t> next{0}, done{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;

  const auto load_one = [&](int64_t i) {
    Decoded& result = decoded[static_cast<std::size_t>(i)];
    try {
      const Image stored = dataset.load(i);
      to_planes(squared(stored, size, options.square), out + i * kChannels * size * size);
      result.width = stored.width;
      result.height = stored.height;
    } catch (const Interrupted&) {
      throw;
    } catch (const std::runtime_error&
                 e) {  // anything else is a defect or out of memory, not a bad file
      result.error = e.what();
    }
  };
  const auto work = [&](Progress* progress) {
    try {
      for (int64_t i = next++; i < count; i = next++) {
        if (InterruptGuard::requested())
          throw Interrupted("[data] interrupted while loading images");
        load_one(i);
        ++done;
        if (progress != nullptr) progress->update(done);
      }
    } catch (...) {
      next = count;  // the other threads stop too
      const std::lock_guard<std::mutex> lock(failure_mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    std::optional<Progress> progress;
    if (options.progress) progress.emplace("load images", count, "image");
    std::vector<std::jthread> helpers;
    for (int64_t t = 1; t < std::min<int64_t>(options.threads, count); ++t)
      helpers.emplace_back(work, nullptr);
    work(progress ? &*progress : nullptr);
    helpers.clear();  // joins
    if (progress && !failure) {
      progress->update(done);
      progress->finish();
    }
  }
  if (failure) std::rethrow_exception(failure);
  return decoded;
}

}  // namespace

std::vector<int64_t> PixelSet::class_counts() const {
  std::vector<int64_t> counts(classes.size());
  for (const Sample& sample : samples) ++counts[static_cast<std::size_t>(sample.label)];
  return counts;
}

PixelSet PixelSet::subset(const std::vector<int64_t>& indices) const {
  PixelSet result{{}, {}, {}, classes, preprocessing};
  result.samples.reserve(indices.size());
  for (const int64_t i : indices) {
    check_argument(i >= 0 && i < size(), "[pixels] expected an index in [0, ", size(), "), got ",
                   i);
    result.samples.push_back(samples[static_cast<std::size_t>(i)]);
  }
  const at::Tensor rows = at::tensor(indices, at::kLong);
  result.images = images.index_select(0, rows.to(images.device()));
  result.labels = labels.index_select(0, rows.to(labels.device()));
  return result;
}

Dataset PixelSet::dataset() const {
  return Dataset(classes, samples, [pixels = images](int64_t i) { return to_image(pixels[i]); });
}

PixelSet concatenate(const PixelSet& a, const PixelSet& b) {
  check_argument(a.classes == b.classes,
                 "[pixels] expected both sets to have the same classes in the same order");
  check_argument(a.images.sizes().slice(1) == b.images.sizes().slice(1),
                 "[pixels] expected images of one size, got ", a.images.sizes(), " and ",
                 b.images.sizes());
  PixelSet result{at::cat({a.images, b.images}), at::cat({a.labels, b.labels}), a.samples,
                  a.classes, a.preprocessing};
  result.samples.insert(result.samples.end(), b.samples.begin(), b.samples.end());
  return result;
}

Image squared(const Image& image, int64_t size, const SquareOptions& options) {
  const Image clean = preprocess(image, options.preprocessing);
  return options.fit == Fit::CenterSquare ? square_resized(clean, size, options.filter)
                                          : resize(clean, size, size, options.filter);
}

PixelSet load_pixels(const Dataset& dataset, int64_t size, const PixelOptions& options) {
  check_argument(size >= 1, "[data] expected an image size of at least 1, got ", size);
  check_argument(options.threads >= 1, "[data] expected at least 1 thread, got ", options.threads);
  check_runtime(dataset.size() > 0, "[data] expected images, got an empty data set");

  at::Tensor images =
      at::empty({dataset.size(), kChannels, size, size}, at::kByte);  // [N, 3, S, S]
  const std::vector<Decoded> decoded =
      decode_all(dataset, size, options, images.data_ptr<std::uint8_t>());

  PixelSet result{{}, {}, {}, dataset.classes(), options.square.preprocessing};
  std::vector<int64_t> good, labels;
  std::string first_error;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const Decoded& image = decoded[static_cast<std::size_t>(i)];
    if (!image.error.empty()) {
      if (first_error.empty()) first_error = image.error;
      if (options.report == nullptr) continue;
      ++options.report->corrupt;
      options.report->messages.push_back("corrupt image left out: " + image.error);
      continue;
    }
    Sample sample = dataset.samples()[static_cast<std::size_t>(i)];
    sample.original_width = image.width;
    sample.original_height = image.height;
    good.push_back(i);
    labels.push_back(sample.label);
    result.samples.push_back(std::move(sample));
  }
  const std::vector<int64_t> before = dataset.class_counts(), after = result.class_counts();
  for (std::size_t c = 0; c < before.size(); ++c) {
    check_runtime(before[c] == 0 || after[c] > 0, "[data] none of the ", before[c],
                  " images of class ", dataset.classes()[c],
                  " can be read; the first problem: ", first_error);
  }
  result.labels = at::tensor(labels, at::kLong);
  result.images =
      good.size() == decoded.size() ? images : images.index_select(0, at::tensor(good, at::kLong));
  return result;
}

at::Tensor to_tensor(const Image& image) {
  at::Tensor pixels = at::empty({kChannels, image.height, image.width}, at::kByte);
  to_planes(image, pixels.data_ptr<std::uint8_t>());
  return pixels;
}

at::Tensor resize(const at::Tensor& images, int64_t height, int64_t width, Filter filter,
                  bool antialias) {
  check_argument((images.dim() == 3 || images.dim() == 4) && height > 0 && width > 0,
                 "[resize] expected images [B, 3, H, W] and a size above 0, got ", images.sizes(),
                 " and ", width, " x ", height);
  check_argument(filter == Filter::Bilinear || filter == Filter::Bicubic,
                 "[resize] expected Filter::Bilinear or Filter::Bicubic for a tensor");
  if (images.dim() == 3)
    return resize(images.unsqueeze(0), height, width, filter, antialias).squeeze(0);
  const std::array<int64_t, 2> size{height, width};
  if (filter == Filter::Bilinear)
    return antialias ? at::_upsample_bilinear2d_aa(images, size, /*align_corners=*/false)
                     : at::upsample_bilinear2d(images, size, /*align_corners=*/false);
  return antialias ? at::_upsample_bicubic2d_aa(images, size, /*align_corners=*/false)
                   : at::upsample_bicubic2d(images, size, /*align_corners=*/false);
}

at::Tensor right_angle_view(const at::Tensor& images, int64_t view) {
  check_argument(view >= 0 && view < 8, "[pixels] expected a view in 0 .. 7, got ", view);
  const auto turned = at::rot90(images, view / 2, {2, 3});
  return view % 2 ? turned.flip({3}) : turned;
}

Image to_image(const at::Tensor& pixels) {
  check_argument(
      pixels.defined() && pixels.dim() == 3 && pixels.size(0) == kChannels && pixels.numel() > 0,
      "[pixels] expected an image of shape [3, H, W], got ",
      pixels.defined() ? text(pixels.sizes()) : "an undefined tensor");
  check_argument(pixels.scalar_type() == at::kByte || pixels.is_floating_point(),
                 "[pixels] expected uint8 or floating values, got ", pixels.scalar_type());
  at::Tensor bytes = pixels.detach();
  if (bytes.is_floating_point())
    bytes = bytes.to(at::kFloat).nan_to_num(0).clamp(0, 1).mul(255).round().to(at::kByte);
  bytes = bytes.cpu().permute({1, 2, 0}).contiguous();  // [H, W, 3]
  Image image{pixels.size(2), pixels.size(1), {}};
  image.rgb.assign(bytes.data_ptr<std::uint8_t>(), bytes.data_ptr<std::uint8_t>() + bytes.numel());
  return image;
}

namespace {

/// `values` as [3, 1, 1], to meet images [.., 3, H, W].
at::Tensor per_channel(const std::vector<double>& values, const at::Tensor& images,
                       at::ScalarType type) {
  check_argument(values.size() == kChannels, "[normalization] expected 3 values, got ",
                 values.size());
  check_argument(images.dim() >= 3 && images.size(-3) == kChannels,
                 "[normalization] expected images of shape [*, 3, H, W], got ", images.sizes());
  return at::tensor(values, at::kDouble)
      .to(at::TensorOptions().dtype(type).device(images.device()))
      .view({kChannels, 1, 1});
}

}  // namespace

at::Tensor Normalization::operator()(const at::Tensor& images) const {
  check_argument(images.scalar_type() == at::kByte || images.is_floating_point(),
                 "[normalization] expected uint8 or floating images, got ", images.scalar_type());
  check_argument(std::all_of(std.begin(), std.end(), [](double s) { return s > 0; }),
                 "[normalization] expected deviations above 0");
  const bool bytes = images.scalar_type() == at::kByte;
  const at::Tensor values = bytes ? images.to(at::kFloat).div_(255) : images;
  return (values - per_channel(mean, values, values.scalar_type())) /
         per_channel(std, values, values.scalar_type());
}

at::Tensor Normalization::inverse(const at::Tensor& images) const {
  check_argument(images.is_floating_point(), "[normalization] expected floating images, got ",
                 images.scalar_type());
  return images * per_channel(std, images, images.scalar_type()) +
         per_channel(mean, images, images.scalar_type());
}

Normalization measure_normalization(const PixelSet& training) {
  check_argument(training.size() > 0, "[normalization] expected training images, got none");
  check_argument(training.images.scalar_type() == at::kByte && training.images.dim() == 4,
                 "[normalization] expected uint8 images [N, 3, S, S]");
  const at::Tensor images = training.images.cpu().contiguous();
  const int64_t plane = images.size(2) * images.size(3);
  const std::uint8_t* bytes = images.data_ptr<std::uint8_t>();
  Normalization result;
  for (int64_t c = 0; c < kChannels; ++c) {
    std::int64_t sum = 0, squares = 0;  // integers: exact, in any order
    for (int64_t n = 0; n < images.size(0); ++n) {
      const std::uint8_t* values = bytes + (n * kChannels + c) * plane;
      for (int64_t i = 0; i < plane; ++i) {
        const std::int64_t value = values[i];
        sum += value;
        squares += value * value;
      }
    }
    const double count = static_cast<double>(images.size(0) * plane);
    const double mean = static_cast<double>(sum) / count;
    const double variance = static_cast<double>(squares) / count - mean * mean;
    result.mean[static_cast<std::size_t>(c)] = mean / 255;
    result.std[static_cast<std::size_t>(c)] =
        std::max(std::sqrt(std::max(variance, 0.0)), 1.0) / 255;
  }
  return result;
}

}  // namespace dermis
