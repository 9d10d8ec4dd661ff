#pragma once
/// \file
/// Batches of a data set that does not fit into memory: decoded, squared, resized and augmented by
/// threads, a few batches ahead of whoever trains.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "dermis/data/dataset.hpp"
#include "dermis/data/pixels.hpp"

namespace dermis {

/// One image of a batch.
struct LoadRequest {
  std::int64_t index;    ///< into the data set
  std::int64_t key = 0;  ///< handed to LoaderOptions::view: of its random stream
};

struct LoadedBatch {
  std::int64_t step;  ///< as given to the order
  at::Tensor images;  ///< uint8 [B, 3, S, S] 0..255; with a view float, as the view makes them
  at::Tensor labels;  ///< int64 [B]
};

struct LoaderOptions {
  std::int64_t image_size = 224;  ///< S in pixels
  int threads = 1;                ///< working ones; what comes out does not depend on it
  std::int64_t prefetch = 2;      ///< batches in the making or waiting, at least 1
  std::int64_t first_step = 0;    ///< to go on from, on resume
  SquareOptions square = {};
  /// uint8 [1, 3, S, S] and the request's key -> float [1, 3, S, S]; empty: images as they are.
  /// Called by several threads at once.
  std::function<at::Tensor(const at::Tensor& image, std::int64_t key)> view{};
};

/// Hands out the batches of steps first_step, first_step + 1, ... in order. In memory are at most
/// `prefetch` batches, the one handed out last, and one decoded image a thread.
///
///     const auto order = [&](std::int64_t step) {
///       std::vector<LoadRequest> requests;
///       for (const Draw& d : sampler.batch(step, 64))
///         requests.push_back({d.index, d.epoch * data.size() + d.index});
///       return requests;
///     };
///     Loader loader(data, order, {.threads = 4, .view = [&](const at::Tensor& image, auto key) {
///       return augment(image, recipe, seed, "augment/finetune", 0, {key}); }});
///     while (auto batch = loader.next()) ...
///
/// Ctrl-C: the step in hand still gets its batch, but no further one is begun. Ask
/// InterruptGuard::requested() between steps, as train() does.
class Loader {
 public:
  /// What a step needs; nothing: the sequence ends there. Called by the thread that constructs the
  /// loader and calls next(), once for each step, in order.
  using Order = std::function<std::vector<LoadRequest>(std::int64_t step)>;

  /// Starts the threads. \throws std::invalid_argument on options out of range or an empty order
  Loader(Dataset dataset, Order order, LoaderOptions options);
  /// Waits for the images in hand, drops the rest.
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The next batch, waiting for it if need be; nothing at the end of the sequence. For one thread
  /// at a time.
  /// \throws std::runtime_error naming the first image of the batch that does not decode; what else
  ///         the data set or the view throws, passes through. The batches before it come first, and
  ///         every further call throws the same.
  /// \throws std::invalid_argument on a request outside the data set, when it is prefetched
  std::optional<LoadedBatch> next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dermis
