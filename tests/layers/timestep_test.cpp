#include "dermis/layers/timestep.hpp"

#include "support.hpp"

using namespace dermis;
using dermis::test::difference;

TEST_CASE("timestep: the sinusoid has the published values, cosine first") {
  const auto embedding = timestep_embedding(torch::tensor({1, 500}, torch::kLong), 8);
  const auto expected =
      torch::tensor({{.540302, .995004, .99995, 1.0, .841471, .099833, .01, .001},
                     {-.883849, .964966, .283662, .877583, -.467772, -.262375, -.958924, .479426}});
  CHECK(difference(embedding, expected) < 5e-6);
}

TEST_CASE("timestep: DDPM's own networks have the sine first and a shift of one") {
  const auto embedding =
      timestep_embedding(torch::tensor({1, 500}, torch::kLong), 8, 10000.0, false, 1.0);
  // sin and cos of t 10000^(-k / 3), k = 0..3
  const auto expected =
      torch::tensor({{.841471, .0463992, .00215443, .0001, .540302, .998923, .999998, 1.0},
                     {-.467772, -.937993, .880643, .049979, -.883849, -.346653, .473781, .99875}});
  CHECK(difference(embedding, expected) < 5e-5);
  CHECK(test::message_of([] { timestep_embedding(torch::zeros({2}), 4, 10000.0, true, 2.0); }) ==
        "[timestep] expected freq_shift of at least 0 and below 2, got 2");
}

TEST_CASE("timestep: times may be of any real type and the result is always fp32") {
  const auto expected = timestep_embedding(torch::tensor({3.0f, 700.0f}), 32);
  CHECK(expected.scalar_type() == torch::kFloat);
  for (const auto type : {torch::kLong, torch::kInt, torch::kDouble}) {
    const auto embedding = timestep_embedding(torch::tensor({3, 700}).to(type), 32);
    CHECK(embedding.scalar_type() == torch::kFloat);
    CHECK(torch::equal(embedding, expected));
  }
  // What would go wrong in bf16: neighbouring steps become one.
  const auto neighbours = timestep_embedding(torch::tensor({900, 901}, torch::kLong), 32);
  CHECK(difference(neighbours[0], neighbours[1]) > 0.1);
}

TEST_CASE("timestep: odd dimensions end in zero, other shapes are refused") {
  const auto embedding = timestep_embedding(torch::tensor({5.0f}), 7);
  CHECK(embedding.sizes() == at::IntArrayRef({1, 7}));
  CHECK(embedding[0][6].item<float>() == 0.0f);
  CHECK(test::message_of([] {
          timestep_embedding(torch::zeros({2, 1}), 8);
        }) == "[timestep] expected times of shape [B], got [2, 1]");
  CHECK_THROWS_AS(timestep_embedding(torch::zeros({2}), 1), std::invalid_argument);
}

TEST_CASE("timestep: the embedding network keeps the laws of modules") {
  test::check_module(TimestepEmbedding(8, 32), test::randn({2, 8}));
}
