#include "dermis/layers/rotary.hpp"

#include "support.hpp"

using namespace dermis;
using dermis::test::difference;
using dermis::test::randn;

TEST_CASE("rotary: the angles of Flux, position by position") {
  // Axes of 16, 56 and 56 channels; row 1, column 2.
  const auto ids = at::tensor({0.0F, 1.0F, 2.0F}).view({1, 3});
  const auto [cos, sin] = rotary_embedding(ids, {16, 56, 56}, 10000);
  REQUIRE(cos.sizes() == at::IntArrayRef({1, 1, 1, 64}));
  const auto angles = at::atan2(sin, cos).flatten();
  CHECK(angles.slice(0, 0, 8).abs().max().item<float>() == 0);
  const double expected[] = {1, .71968567, .51794747, 2, 1.43937135, 1.03589494};
  for (std::int64_t k = 0; k < 3; ++k) {
    CHECK(angles[8 + k].item<double>() == Approx(expected[k]).epsilon(1e-6));
    CHECK(angles[36 + k].item<double>() == Approx(expected[3 + k]).epsilon(1e-6));
  }
}

TEST_CASE("rotary: turning keeps lengths, and products depend on the distance alone") {
  const auto turned = [](const at::Tensor& x, double position) {
    return rotate(x, rotary_embedding(at::full({1, 1}, position), {8}, 100));
  };
  const auto q = randn({1, 2, 1, 8}, 1), k = randn({1, 2, 1, 8}, 2);
  CHECK(difference(turned(q, 3).square().sum(-1), q.square().sum(-1)) < 1e-5);
  CHECK(difference((turned(q, 5) * turned(k, 2)).sum(-1), (turned(q, 4) * turned(k, 1)).sum(-1)) <
        1e-5);
  CHECK(difference((turned(q, 5) * turned(k, 2)).sum(-1), (turned(q, 5) * turned(k, 1)).sum(-1)) >
        1e-2);
  CHECK(rotate(q.to(at::kBFloat16), rotary_embedding(at::ones({1, 1}), {8}, 100)).scalar_type() ==
        at::kBFloat16);
}

TEST_CASE("rotary: positions with another number of axes are refused") {
  CHECK_THROWS_WITH(rotary_embedding(at::zeros({4, 2}), {4, 6, 6}, 10000),
                    Catch::Contains("shape [N, 3] or [B, N, 3], got [4, 2]"));
}
