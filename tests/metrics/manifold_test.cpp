#include "dermis/metrics/manifold.hpp"

#include <catch2/catch.hpp>
#include <limits>
#include <stdexcept>

#include "dermis/core/random.hpp"
#include "fixtures.hpp"

using namespace dermis;
using Eigen::MatrixXd;

namespace {

const MatrixXd real = (fixtures::wave(40, 6, 1.7, 0.9, 0.31).array() + 0.2).matrix();
const MatrixXd generated = 1.3 * fixtures::wave(50, 6, 0.7, 1.1, 0.17);

void check(const ManifoldMetrics& m, double precision, double recall, double density,
           double coverage) {
  CHECK(m.precision == Approx(precision));
  CHECK(m.recall == Approx(recall));
  CHECK(m.density == Approx(density));
  CHECK(m.coverage == Approx(coverage));
}

/// `n` rows around each of the given modes, which are 20 apart.
MatrixXd modes(int n, const std::vector<int>& which, const char* purpose) {
  RandomStream stream(3, purpose);
  MatrixXd x(n * static_cast<int>(which.size()), 4);
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    for (Eigen::Index j = 0; j < 4; ++j) x(i, j) = stream.normal();
    x(i, 0) += 20 * which[static_cast<std::size_t>(i / n)];
  }
  return x;
}

}  // namespace

TEST_CASE("manifold: agrees with the prdc package and with numpy") {
  check(manifold_metrics(real, generated, 1), 0.42, 0.75, 0.46, 0.35);
  check(manifold_metrics(real, generated, 3), 0.94, 1.0, 0.68, 0.875);
  check(manifold_metrics(real, generated), 0.98, 1.0, 0.704, 0.975);
  check(manifold_metrics(generated, real, 1), 0.75, 0.42, 1.1, 0.42);
  check(manifold_metrics(generated, real, 5), 1.0, 0.98, 1.605, 1.0);
}

TEST_CASE("manifold: radii agree with numpy") {
  const Eigen::VectorXd radii = neighbour_radii(real, 3);
  REQUIRE(radii.size() == 40);
  CHECK(radii(0) == Approx(1.56791975).epsilon(1e-8));
  CHECK(radii(1) == Approx(1.67447844).epsilon(1e-8));
  CHECK(radii(2) == Approx(1.73127604).epsilon(1e-8));
}

TEST_CASE("manifold: copies are within, also where a ball has no extent") {
  check(manifold_metrics(real, real, 5), 1, 1, 1.2, 1);  // its own ball and those of 5 on average
  const MatrixXd point = MatrixXd::Constant(4, 3, 0.1);
  check(manifold_metrics(point, point, 2), 1, 1, 2, 1);  // each lies in 4 balls, k is 2
}

TEST_CASE("manifold: a dropped mode lowers recall and coverage alone") {
  const MatrixXd both = modes(40, {0, 1}, "real"), one = modes(80, {0}, "generated");
  const ManifoldMetrics dropped = manifold_metrics(both, one);
  const ManifoldMetrics floor = manifold_metrics(both, modes(40, {0, 1}, "held out"));
  CHECK(floor.recall > 0.9);
  CHECK(floor.coverage > 0.85);
  CHECK(dropped.recall < 0.55);
  CHECK(dropped.coverage < 0.55);
  CHECK(dropped.precision > 0.9);
}

TEST_CASE("manifold: samples beside the real ones lower precision and density alone") {
  const MatrixXd half_noise = modes(40, {0, 1, 2, 3}, "generated");
  const ManifoldMetrics noisy = manifold_metrics(modes(40, {0, 1}, "real"), half_noise);
  CHECK(noisy.precision < 0.55);
  CHECK(noisy.density < 0.6);
  CHECK(noisy.recall > 0.9);
  CHECK(noisy.coverage > 0.85);
}

TEST_CASE("manifold: bad arguments are refused") {
  CHECK_NOTHROW(manifold_metrics(real.topRows(6), generated));
  CHECK_THROWS_WITH(manifold_metrics(real.topRows(5), generated),
                    "[manifold] expected more real features than 5 neighbours, got 5");
  CHECK_THROWS_WITH(manifold_metrics(real, generated.topRows(2)),
                    "[manifold] expected more generated features than 5 neighbours, got 2");
  CHECK_THROWS_WITH(manifold_metrics(real, generated, 0),
                    "[manifold] expected at least 1 neighbour, got 0");
  CHECK_THROWS_WITH(manifold_metrics(real, generated.leftCols(5)),
                    "[manifold] expected features of equal width, got 6 and 5");
  CHECK_THROWS_WITH(neighbour_radii(MatrixXd(9, 0), 2),
                    "[manifold] expected features of at least 1 column, got 0");
  MatrixXd broken = generated;
  broken(3, 2) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(manifold_metrics(real, broken),
                    "[metrics] expected finite generated features, got nan in row 3, column 2");
}

TEST_CASE("manifold: as JSON") {
  CHECK(to_json(ManifoldMetrics{0.5, 0.25, 1.5, 1}).dump() ==
        R"({"precision":0.5,"recall":0.25,"density":1.5,"coverage":1.0})");
}
