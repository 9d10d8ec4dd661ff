#include "dermis/data/loader.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "dermis/core/check.hpp"
#include "dermis/core/interrupt.hpp"

namespace dermis {
namespace {

/// A batch in the making. Its fields but for the rows of `batch.images` belong to the mutex.
struct Pending {
  LoadedBatch batch;
  std::vector<LoadRequest> requests;
  std::size_t next = 0;     // the first image that nobody has taken up
  std::size_t running = 0;  // images being made
  std::size_t failed = 0;   // of the error: the first image in the batch's order
  std::exception_ptr error{};

  bool begun() const { return next == requests.size(); }
  bool complete() const { return begun() && running == 0; }
};

}  // namespace

struct Loader::State {
  Dataset dataset;
  Order order;
  LoaderOptions options;
  std::int64_t step;
  bool ended = false;

  std::mutex mutex;
  std::condition_variable work_ready, batch_ready;
  std::deque<Pending> queue{};  // at most `prefetch`; growing and shrinking moves no element
  bool stop = false;
  std::vector<std::jthread> threads{};

  ~State() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    work_ready.notify_all();
    threads.clear();  // joins, before anything they use is gone
  }

  /// Fills the queue; after Ctrl-C only so far that the next batch is in it.
  void enqueue() {
    while (!ended) {
      const auto limit = InterruptGuard::requested() ? 1 : options.prefetch;
      {
        const std::lock_guard lock(mutex);
        if (static_cast<std::int64_t>(queue.size()) >= limit) return;
      }
      Pending pending{.batch = {.step = step, .images = {}, .labels = {}}, .requests = order(step)};
      ended = pending.requests.empty();
      if (ended) return;
      std::vector<std::int64_t> labels;
      for (const LoadRequest& request : pending.requests) {
        check_argument(request.index >= 0 && request.index < dataset.size(),
                       "[loader] expected an index in [0, ", dataset.size(), ") at step ", step,
                       ", got ", request.index);
        labels.push_back(dataset.samples()[static_cast<std::size_t>(request.index)].label);
      }
      const auto count = static_cast<std::int64_t>(labels.size());
      pending.batch.labels = at::tensor(labels, at::kLong);  // [B]
      pending.batch.images = at::empty({count, 3, options.image_size, options.image_size},
                                       options.view ? at::kFloat : at::kByte);  // [B, 3, S, S]
      ++step;
      {
        const std::lock_guard lock(mutex);
        queue.push_back(std::move(pending));
      }
      work_ready.notify_all();
    }
  }

  at::Tensor load(const LoadRequest& request) const {
    Image image;
    try {
      image = dataset.load(request.index);
    } catch (const Interrupted&) {
      throw;
    } catch (const std::runtime_error& e) {
      const Sample& sample = dataset.samples()[static_cast<std::size_t>(request.index)];
      throw std::runtime_error(text("[loader] image ", sample.id, " does not load: ", e.what()));
    }
    const at::Tensor pixels =
        to_tensor(squared(image, options.image_size, options.square)).unsqueeze(0);  // [1, 3, S, S]
    if (!options.view) return pixels;
    const at::Tensor view = options.view(pixels, request.key);
    check_argument(
        view.defined() && view.scalar_type() == at::kFloat && view.sizes() == pixels.sizes(),
        "[loader] expected a view of float ", pixels.sizes(), ", got ",
        view.defined() ? text(view.scalar_type(), " ", view.sizes()) : "an undefined tensor");
    return view;
  }

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      auto pending = queue.end();
      work_ready.wait(lock, [&] {
        pending =
            std::find_if(queue.begin(), queue.end(), [](const Pending& p) { return !p.begun(); });
        return stop || pending != queue.end();
      });
      if (stop) return;
      Pending& p = *pending;
      const std::size_t i = p.next++;
      ++p.running;
      const LoadRequest request = p.requests[i];
      const at::Tensor row = p.batch.images[static_cast<std::int64_t>(i)];
      lock.unlock();
      std::exception_ptr error;
      try {
        row.copy_(load(request)[0]);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      --p.running;
      if (error && (!p.error || i < p.failed)) {
        p.error = error;
        p.failed = i;
        p.next = p.requests.size();  // the rest of the batch is not needed
      }
      if (p.complete()) batch_ready.notify_all();
    }
  }
};

Loader::Loader(Dataset dataset, Order order, LoaderOptions options) {
  check_argument(options.image_size >= 1, "[loader] expected an image size of at least 1, got ",
                 options.image_size);
  check_argument(options.threads >= 1, "[loader] expected at least 1 thread, got ",
                 options.threads);
  check_argument(options.prefetch >= 1, "[loader] expected prefetch of at least 1, got ",
                 options.prefetch);
  check_argument(options.first_step >= 0, "[loader] expected first_step of at least 0, got ",
                 options.first_step);
  check_argument(static_cast<bool>(order), "[loader] expected an order, got none");
  const auto first_step = options.first_step;
  state_.reset(new State{.dataset = std::move(dataset),
                         .order = std::move(order),
                         .options = std::move(options),
                         .step = first_step});
  state_->enqueue();
  for (int t = 0; t < state_->options.threads; ++t)
    state_->threads.emplace_back([state = state_.get()] { state->work(); });
}

Loader::~Loader() = default;

std::optional<LoadedBatch> Loader::next() {
  State& state = *state_;
  state.enqueue();
  std::optional<LoadedBatch> batch;
  {
    std::unique_lock lock(state.mutex);
    if (state.queue.empty()) return std::nullopt;
    state.batch_ready.wait(lock, [&] { return state.queue.front().complete(); });
    if (state.queue.front().error) std::rethrow_exception(state.queue.front().error);
    batch = std::move(state.queue.front().batch);
    state.queue.pop_front();
  }
  if (!InterruptGuard::requested()) state.enqueue();  // work goes on while the batch is used
  return batch;
}

}  // namespace dermis
