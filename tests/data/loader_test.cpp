#include "dermis/data/loader.hpp"

#include <torch/types.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <thread>

#include "dermis/core/check.hpp"
#include "dermis/core/interrupt.hpp"
#include "dermis/core/random.hpp"
#include "folder_fixture.hpp"

using namespace dermis;
using Catch::Contains;

namespace {

/// Twelve formula images of different sizes; `before(i)` runs whenever image i is decoded.
Dataset formulas(std::function<void(int64_t)> before = nullptr) {
  std::vector<Sample> samples;
  for (int i = 0; i < 12; ++i)
    samples.push_back({.id = "image" + std::to_string(i), .label = i % 2});
  return Dataset({"NV", "MEL"}, std::move(samples), [before](int64_t i) {
    if (before) before(i);
    return test::formula_image(20 + i, 16 + 2 * i, static_cast<int>(i));
  });
}

/// `steps` batches of 5 in a fixed order.
Loader::Order order(int64_t steps) {
  return [steps](int64_t step) {
    std::vector<LoadRequest> requests;
    for (int64_t i = 0; step < steps && i < 5; ++i)
      requests.push_back({.index = (5 * step + 7 * i) % 12, .key = 100 * step + i});
    return requests;
  };
}

/// Takes a time of its own for each image, so that threads finish out of order.
at::Tensor uneven_view(const at::Tensor& image, int64_t key) {
  RandomStream stream(1, "test", 0, static_cast<std::uint64_t>(key));
  std::this_thread::sleep_for(std::chrono::microseconds(stream.below(3000)));
  return image.to(torch::kFloat32) / 255 + stream.uniform();
}

void wait_a_little() {
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
}

/// Waits, a machine in use may be slow, until `count` is reached (20 s at most).
void wait_for(const std::atomic<int64_t>& value, int64_t count) {
  for (int i = 0; i < 20000 && value < count; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace

TEST_CASE("loader: batches come in order and equal at any number of threads and any prefetch") {
  const Dataset data = formulas();
  for (const int threads : {1, 4}) {
    for (const int64_t prefetch : {1, 3}) {
      Loader loader(
          data, order(6),
          {.image_size = 8, .threads = threads, .prefetch = prefetch, .view = uneven_view});
      for (int64_t step = 0; step < 6; ++step) {
        const auto batch = loader.next();
        REQUIRE(batch);
        CHECK(batch->step == step);
        REQUIRE(batch->images.sizes() == at::IntArrayRef({5, 3, 8, 8}));
        const auto requests = order(6)(step);
        for (int64_t i = 0; i < 5; ++i) {
          const auto& request = requests[static_cast<std::size_t>(i)];
          const at::Tensor pixels =
              to_tensor(square_resized(data.load(request.index), 8)).unsqueeze(0);
          CHECK(torch::equal(batch->images[i], uneven_view(pixels, request.key)[0]));
          CHECK(batch->labels[i].item<int64_t>() == request.index % 2);
        }
      }
      CHECK_FALSE(loader.next());
      CHECK_FALSE(loader.next());
    }
  }
}

TEST_CASE("loader: without a view bytes, squashed where asked for, from a later step") {
  const Dataset data = formulas();
  Loader loader(data, order(4),
                {.image_size = 8,
                 .first_step = 3,
                 .square = {.fit = Fit::Squash, .filter = Filter::Bilinear}});
  const auto batch = loader.next();
  REQUIRE(batch);
  CHECK(batch->step == 3);
  CHECK(batch->images.scalar_type() == torch::kUInt8);
  CHECK(to_image(batch->images[0]) == resize(data.load(3), 8, 8, Filter::Bilinear));
  CHECK_FALSE(loader.next());
}

TEST_CASE("loader: no more than `prefetch` batches are begun") {
  for (const int64_t prefetch : {1, 3}) {
    std::atomic<int64_t> decoded{0}, asked{0};
    const auto counted = [&](int64_t step) {
      ++asked;
      return order(50)(step);
    };
    Loader loader(formulas([&](int64_t) { ++decoded; }), counted,
                  {.image_size = 8, .threads = 4, .prefetch = prefetch});
    for (int64_t taken = 0; taken < 4; ++taken) {
      wait_for(decoded, 5 * (taken + prefetch));
      wait_a_little();  // nothing follows
      CHECK(asked == taken + prefetch);
      CHECK(decoded == 5 * (taken + prefetch));
      REQUIRE(loader.next());
    }
  }
}

TEST_CASE("loader: a broken image is named at its batch, after the batches before it") {
  for (const int threads : {1, 4}) {
    const Dataset data = formulas([](int64_t i) {
      if (i == 11 || i == 8) throw std::runtime_error("photo" + std::to_string(i) + ": truncated");
    });
    const auto broken_at_2 = [](int64_t step) -> std::vector<LoadRequest> {
      if (step != 2) return {{0}, {1}, {2}};
      return {{0}, {11}, {8}};
    };
    Loader loader(data, broken_at_2, {.image_size = 8, .threads = threads, .prefetch = 4});
    CHECK(loader.next()->step == 0);
    CHECK(loader.next()->step == 1);
    for (int again = 0; again < 2; ++again)
      CHECK_THROWS_WITH(loader.next(), "[loader] image image11 does not load: photo11: truncated");
  }
}

TEST_CASE("loader: other exceptions pass through") {
  Loader defect(formulas([](int64_t) { throw std::logic_error("defect"); }), order(2),
                {.image_size = 8});
  CHECK_THROWS_AS(defect.next(), std::logic_error);

  const auto failing_order = [](int64_t step) {
    if (step == 2) throw std::domain_error("no such step");
    return order(9)(step);
  };
  CHECK_THROWS_AS(Loader(formulas(), failing_order, {.image_size = 8, .prefetch = 3}),
                  std::domain_error);

  Loader misshapen(
      formulas(), order(2),
      {.image_size = 8, .view = [](const at::Tensor& image, int64_t) { return image; }});
  CHECK_THROWS_WITH(misshapen.next(), Contains("[loader] expected a view of float [1, 3, 8, 8]"));
}

TEST_CASE("loader: may go while its threads are busy, after the images in hand") {
  for (const int threads : {1, 4}) {
    std::atomic<int64_t> begun{0}, done{0};
    std::atomic<bool> released{false};
    std::jthread release;
    {
      const Loader loader(formulas([&](int64_t) {
                            ++begun;
                            while (!released) std::this_thread::yield();
                            ++done;
                          }),
                          order(50), {.image_size = 8, .threads = threads, .prefetch = 8});
      wait_for(begun, threads);
      release = std::jthread([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        released = true;
      });
    }
    CHECK(released);
    CHECK(done == threads);
    CHECK(begun == threads);  // of the 40 asked for
  }
  const Loader unused(formulas(), order(50), {.image_size = 8, .threads = 4});
}

TEST_CASE("loader: after Ctrl-C the step in hand gets its batch and nothing else is begun") {
  std::atomic<int64_t> asked{0};
  {
    const InterruptGuard guard;
    InterruptGuard::clear();
    Loader loader(formulas(),
                  [&](int64_t step) {
                    ++asked;
                    return order(50)(step);
                  },
                  {.image_size = 8, .prefetch = 2});
    CHECK(loader.next()->step == 0);
    CHECK(asked == 3);
    std::raise(SIGINT);
    CHECK(loader.next()->step == 1);
    CHECK(loader.next()->step == 2);
    CHECK(asked == 3);
  }
  InterruptGuard::clear();
}

TEST_CASE("loader: refuses what does not fit") {
  const Dataset data = formulas();
  CHECK_THROWS_WITH(Loader(data, order(1), {.image_size = 0}), Contains("image size"));
  CHECK_THROWS_WITH(Loader(data, order(1), {.threads = 0}), Contains("at least 1 thread, got 0"));
  CHECK_THROWS_WITH(Loader(data, order(1), {.prefetch = 0}), Contains("prefetch"));
  CHECK_THROWS_WITH(Loader(data, order(1), {.first_step = -1}), Contains("first_step"));
  CHECK_THROWS_WITH(Loader(data, nullptr, {}), Contains("expected an order"));
  const auto outside = [](int64_t) { return std::vector<LoadRequest>{{12}}; };
  CHECK_THROWS_WITH(Loader(data, outside, {.image_size = 8}),
                    Contains("[loader] expected an index in [0, 12) at step 0, got 12"));
}
