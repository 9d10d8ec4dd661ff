#include "dermis/layers/matmul.hpp"

#include <catch2/catch.hpp>

#include "support.hpp"

using namespace dermis;

TEST_CASE("matmul: products by oneDNN have all of float32's precision") {
  auto draws = test::generator(1);
  const auto x = torch::randn({300, 128}, draws), w = torch::randn({200, 128}, draws);
  const auto exact = at::matmul(x.to(at::kDouble), w.to(at::kDouble).t());
  prefer_onednn_matmul();  // where it cannot, MKL's product is judged
  const auto product = at::linear(x, w).to(at::kDouble);
  CHECK((product - exact).abs().max().item<double>() < 1e-6 * exact.abs().max().item<double>());
}
