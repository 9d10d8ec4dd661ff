// From a file's bytes to what a network sees: images a second of one thread.
#include <benchmark/benchmark.h>
#include <torch/types.h>

#include <numeric>

#include "dermis/data/augment.hpp"
#include "dermis/data/phantom.hpp"
#include "dermis/data/pixels.hpp"

namespace {

using namespace dermis;

/// A JPEG of 600 x 450 pixels, the size of ISIC 2018's, decoded, made a square, resized to 224 as
/// Pillow does, normalised.
void jpeg224_1thread(benchmark::State& state) {
  torch::set_num_threads(1);
  const Phantom phantom(PhantomOptions{});
  const Image photo = crop(phantom.render(PhantomPart::Train, 0, 600), 0, 75, 600, 450);
  const std::string bytes = encode_jpeg(photo, 90);
  const Normalization normalization;
  for (auto _ : state) {
    const Image image = square_resized(decode_image(bytes, "photo"), 224, Filter::Bicubic);
    benchmark::DoNotOptimize(normalization(to_tensor(image)));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(jpeg224_1thread)->Unit(benchmark::kMillisecond);

/// A telephone's photograph of 4000 x 3000 pixels, made a square, resized to 224.
void photo224_1thread(benchmark::State& state) {
  const Image photo =
      resize(Phantom(PhantomOptions{}).render(PhantomPart::Train, 0, 600), 4000, 3000);
  for (auto _ : state) benchmark::DoNotOptimize(square_resized(photo, 224));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(photo224_1thread)->Unit(benchmark::kMillisecond);

/// Random views of 64 images of the demo.
void augment64_1thread(benchmark::State& state) {
  torch::set_num_threads(1);
  const auto images = torch::randint(256, {64, 3, 64, 64}, torch::kByte);
  std::vector<std::int64_t> indices(64);
  std::iota(indices.begin(), indices.end(), 0);
  std::uint64_t epoch = 0;
  for (auto _ : state) benchmark::DoNotOptimize(augment(images, {}, 0, "bench", epoch++, indices));
  state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(augment64_1thread)->Unit(benchmark::kMillisecond);

}  // namespace
