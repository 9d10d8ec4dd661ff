#pragma once
/// \file
/// Faults planted into phantom data: what the audit must find.

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "dermis/core/random.hpp"
#include "dermis/data/phantom.hpp"
#include "dermis/data/pixels.hpp"
#include "dermis/train/parts.hpp"

namespace dermis::test {

/// How a copy is disguised.
struct Disguise {
  std::string name;
  std::function<at::Tensor(const at::Tensor& image, RandomStream& stream)> apply;  // [3, S, S]
};

inline at::Tensor turned(const at::Tensor& image, std::int64_t view) {
  return right_angle_view(image.unsqueeze(0), view)[0].contiguous();
}

inline at::Tensor recompressed(const at::Tensor& image, int quality) {
  return to_tensor(decode_image(encode_jpeg(to_image(image), quality), "copy"));
}

/// A factor in 0.9 .. 1.1 on each channel.
inline at::Tensor recoloured(const at::Tensor& image, RandomStream& stream) {
  auto values = image.to(at::kFloat);
  for (std::int64_t c = 0; c < 3; ++c) values[c] *= stream.uniform(0.9, 1.1);
  return values.round().clamp(0, 255).to(at::kByte);
}

inline at::Tensor noised(const at::Tensor& image, double deviation, RandomStream& stream) {
  auto values = image.to(at::kFloat).contiguous();
  auto* value = values.data_ptr<float>();
  for (std::int64_t i = 0; i < values.numel(); ++i)
    value[i] += static_cast<float>(deviation * stream.normal());
  return values.round().clamp(0, 255).to(at::kByte);
}

inline std::vector<Disguise> disguises() {
  const auto view = [](std::int64_t v) {
    return [v](const at::Tensor& image, RandomStream&) { return turned(image, v); };
  };
  return {
      {"plain", view(0)},
      {"flipped", view(1)},
      {"turned by 90", view(2)},
      {"turned by 180", view(4)},
      {"turned by 270", view(6)},
      {"JPEG quality 50-90",
       [](const at::Tensor& image, RandomStream& stream) {
         return recompressed(image, 50 + static_cast<int>(stream.below(41)));
       }},
      {"colour +-10 % a channel", recoloured},
      {"light +-20 %",
       [](const at::Tensor& image, RandomStream& stream) {
         const double gain = stream.chance(0.5) ? 0.8 : 1.2;
         return (image.to(at::kFloat) * gain).round().clamp(0, 255).to(at::kByte);
       }},
      {"turned, recoloured, JPEG",
       [](const at::Tensor& image, RandomStream& stream) {
         return recompressed(
             recoloured(turned(image, static_cast<std::int64_t>(stream.below(8))), stream), 70);
       }},
      {"blurred to 16 x 16",
       [](const at::Tensor& image, RandomStream&) {
         const auto side = image.size(1);
         const auto batch = image.unsqueeze(0).to(at::kFloat);
         const auto small = at::adaptive_avg_pool2d(batch, {16, 16});
         return resize(small, side, side, Filter::Bilinear)[0].round().to(at::kByte);
       }},
      {"noise of 8 of 255",
       [](const at::Tensor& image, RandomStream& stream) { return noised(image, 8, stream); }},
  };
}

/// Training images, held-out lesions and as many "synthetic" images: lesions of another seed, hence
/// drawn as a perfect generator would.
struct PlantedData {
  PixelSet training, held_out, synthetic;
};

inline PlantedData planted_data(std::uint64_t seed, std::int64_t train_images = 400,
                                std::int64_t lesions_per_class = 25, std::int64_t side = 64) {
  const PhantomOptions options{.seed = seed,
                               .train_images = train_images,
                               .validation_lesions_per_class = lesions_per_class,
                               .test_lesions_per_class = lesions_per_class,
                               .image_size = side};
  auto other = options;
  other.seed = seed + 1000;
  const auto pixels = [side](const Dataset& dataset) {
    return load_pixels(dataset, side, {.progress = false});
  };
  const Phantom phantom(options);
  PlantedData data{pixels(phantom.dataset(PhantomPart::Train)),
                   pixels(phantom.dataset(PhantomPart::Validation)),
                   pixels(Phantom(other).dataset(PhantomPart::Test))};
  for (std::size_t i = 0; i < data.synthetic.samples.size(); ++i) {
    auto& sample = data.synthetic.samples[i];
    sample.id = sample.lesion = "synthetic_" + std::to_string(i);
    sample.synthetic = true;
  }
  return data;
}

/// `data`'s synthetic set, whose first `count` images are disguised copies of training images.
inline PixelSet with_copies(const PlantedData& data, const Disguise& disguise, std::int64_t count,
                            std::uint64_t seed) {
  PixelSet set = data.synthetic;
  set.images = set.images.clone();
  RandomStream stream(seed, "planted/" + disguise.name);
  const auto chosen = stream.permutation(data.training.size());
  for (std::int64_t i = 0; i < count; ++i) {
    const auto source = chosen[static_cast<std::size_t>(i)];
    set.images[i].copy_(disguise.apply(data.training.images[source], stream));
  }
  return set;
}

/// What a generator overfitted on `sources` images draws: one of them, turned, blended with a
/// share of up to `blend` of another, with noise.
inline PixelSet overfitted(const PlantedData& data, std::int64_t sources, double blend,
                           std::uint64_t seed) {
  PixelSet set = data.synthetic;
  set.images = set.images.clone();
  RandomStream stream(seed, "planted/overfitted");
  const auto chosen = stream.permutation(data.training.size());
  const auto draw = [&] {
    const auto image = chosen[stream.below(static_cast<std::uint64_t>(sources))];
    return turned(data.training.images[image], static_cast<std::int64_t>(stream.below(8)));
  };
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const double share = stream.uniform(0, blend);
    const auto mixed = draw().to(at::kFloat) * (1 - share) + draw().to(at::kFloat) * share;
    set.images[i].copy_(noised(mixed, 6, stream));
  }
  return set;
}

/// `data` as parts of a data set, clean: its synthetic images serve as real test images.
inline DataParts clean_parts(const PlantedData& data) {
  DataParts parts{.train = data.training, .validation = data.held_out, .test = data.synthetic};
  for (std::size_t i = 0; i < parts.test.samples.size(); ++i) {
    auto& sample = parts.test.samples[i];
    sample.id = "T" + std::to_string(i);
    sample.lesion = "other " + std::to_string(i);  // lesion numbers of two seeds coincide
    sample.synthetic = false;
  }
  return parts;
}

/// Adds to the test part, under new names, disguised copies of `count` training images.
inline void leak_copies(DataParts& parts, const Disguise& disguise, std::int64_t count,
                        std::uint64_t seed) {
  RandomStream stream(seed, "leak/" + disguise.name);
  auto chosen = stream.permutation(parts.train.size());
  chosen.resize(static_cast<std::size_t>(count));
  auto leaked = parts.train.subset(chosen);
  for (std::int64_t i = 0; i < count; ++i) {
    leaked.images[i].copy_(disguise.apply(leaked.images[i], stream));
    auto& sample = leaked.samples[static_cast<std::size_t>(i)];
    sample.id = sample.lesion = "leaked_" + std::to_string(i);
  }
  parts.test = concatenate(parts.test, leaked);
}

/// Moves up to `count` training images whose lesion has further views into the test part, the
/// lesion renamed or not; returns how many.
inline std::int64_t leak_views(DataParts& parts, std::int64_t count, bool rename) {
  std::map<std::string, std::int64_t> views;
  for (const auto& sample : parts.train.samples) ++views[sample.lesion];
  std::vector<std::int64_t> kept, moved;
  for (std::int64_t i = 0; i < parts.train.size(); ++i) {
    auto& left = views[parts.train.samples[static_cast<std::size_t>(i)].lesion];
    const bool move = left > 1 && static_cast<std::int64_t>(moved.size()) < count;
    (move ? moved : kept).push_back(i);
    if (move) left = 0;  // one view of a lesion
  }
  auto leaked = parts.train.subset(moved);
  for (auto& sample : leaked.samples)
    if (rename) sample.lesion = "renamed " + sample.lesion;
  parts.train = parts.train.subset(kept);
  parts.test = concatenate(parts.test, leaked);
  return leaked.size();
}

}  // namespace dermis::test
