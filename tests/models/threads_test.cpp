#include <torch/types.h>

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "dermis/models/vit.hpp"
#include "support.hpp"

using namespace dermis;

TEST_CASE("vit: one module serves four threads at once with the bits that one thread gets") {
  ViT vit(ViTOptions{.image_size = 32,
                     .patch_size = 8,
                     .dim = 64,
                     .depth = 3,
                     .heads = 4,
                     .num_classes = 8,
                     .drop_path = 0.3},
          ParameterOptions{.generator = test::generator(1)});
  {
    torch::NoGradGuard no_grad;
    vit->head->weight.normal_(0, 1, test::generator(2));  // it starts near zero
  }
  vit->eval();
  constexpr std::size_t threads = 4, rounds = 25;
  std::vector<at::Tensor> images, expected;
  {
    const c10::InferenceMode inference;
    for (std::size_t i = 0; i < threads; ++i) {
      images.push_back(test::randn({2, 3, 32, 32}, 10 + i));
      expected.push_back(vit->forward(images[i]));
      REQUIRE((i == 0 || !at::equal(expected[i], expected[0])));
    }
  }
  std::vector<std::size_t> same(threads, 0);  // Catch's macros are for one thread only
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < threads; ++i) {
    workers.emplace_back([&, i] {
      const c10::InferenceMode inference;
      for (std::size_t round = 0; round < rounds; ++round)
        same[i] += at::equal(vit->forward(images[i]), expected[i]);
    });
  }
  for (auto& worker : workers) worker.join();
  CHECK(same == std::vector<std::size_t>(threads, rounds));
}
