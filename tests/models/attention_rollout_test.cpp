#include "dermis/models/attention_rollout.hpp"

#include "support.hpp"

using namespace dermis;

TEST_CASE("attention rollout: layers multiply, the residual counts half") {
  // One head of two tokens: A = (I + map) / 2, rollout = A_2 A_1.
  const auto first = torch::tensor({1.0, 0.0, 0.5, 0.5}).reshape({1, 1, 2, 2});
  const auto second = torch::tensor({0.0, 1.0, 1.0, 0.0}).reshape({1, 1, 2, 2});
  const auto expected = torch::tensor({0.625, 0.375, 0.625, 0.375}).reshape({1, 2, 2});
  CHECK(at::allclose(attention_rollout({first, second}), expected.to(first.dtype())));
}

TEST_CASE("attention rollout: heads are fused by mean, maximum or minimum, rows sum to 1") {
  const auto map = at::softmax(test::randn({2, 3, 5, 5}, 1), -1);
  const auto heads = map.to(torch::kDouble);
  const auto expected = [&](const at::Tensor& fused) {
    const auto a = 0.5 * (fused + torch::eye(5, torch::kDouble));
    return (a / a.sum(-1, true)).to(torch::kFloat);
  };
  CHECK(at::allclose(attention_rollout({map}, HeadFusion::Mean), expected(heads.mean(1))));
  CHECK(
      at::allclose(attention_rollout({map}, HeadFusion::Max), expected(std::get<0>(heads.max(1)))));
  CHECK(
      at::allclose(attention_rollout({map}, HeadFusion::Min), expected(std::get<0>(heads.min(1)))));
  const auto deep = attention_rollout({map, map, map}, HeadFusion::Max);
  CHECK(at::allclose(deep.sum(-1), torch::ones({2, 5})));
}

TEST_CASE("attention rollout: no map, and a map of another rank, are refused") {
  CHECK_THROWS_WITH(attention_rollout({}), Catch::Contains("[rollout]"));
  CHECK_THROWS_WITH(attention_rollout({torch::zeros({2, 5, 5})}),
                    Catch::Contains("[B, heads, N, N], got [2, 5, 5]"));
}
