#include "dermis/metrics/generation.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "dermis/core/random.hpp"
#include "fixtures.hpp"

using namespace dermis;
using Eigen::MatrixXd;

namespace {

MatrixXd normal_features(int n, int d, const char* purpose) {
  RandomStream stream(11, purpose);
  MatrixXd x(n, d);
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < d; ++j) x(i, j) = stream.normal();
  }
  return x;
}

const MatrixXd first = (fixtures::wave(40, 6, 1.7, 0.9, 0.31).array() + 0.2).matrix();
const MatrixXd second = 1.3 * fixtures::wave(50, 6, 0.7, 1.1, 0.17);

}  // namespace

TEST_CASE("generation: Frechet distance agrees with scipy.linalg.sqrtm") {
  CHECK(frechet_distance(first, second) == Approx(0.604109090576).epsilon(1e-7));
  CHECK(frechet_distance(second, first) == Approx(0.604109090576).epsilon(1e-7));
}

TEST_CASE("generation: Frechet distance of closed forms") {
  const MatrixXd x = normal_features(60, 4, "fid");
  CHECK(frechet_distance(x, x) == Approx(0).margin(1e-10));
  // A shift moves the mean alone.
  const MatrixXd shifted = x.array() + 0.5;
  CHECK(frechet_distance(x, shifted) == Approx(4 * 0.25));
  // Scaling by s: the covariances commute, so tr (S1^(1/2) - S2^(1/2))^2 = (s - 1)^2 tr S.
  const MatrixXd centred = x.rowwise() - x.colwise().mean();
  const double trace = centred.squaredNorm() / 59;
  CHECK(frechet_distance(centred, 3 * centred) == Approx(4 * trace));
}

TEST_CASE("generation: Frechet distance with fewer rows than features is finite and symmetric") {
  const MatrixXd x = normal_features(10, 40, "few x");
  const MatrixXd y = normal_features(12, 40, "few y");
  const double distance = frechet_distance(x, y);
  CHECK(std::isfinite(distance));
  CHECK(distance > 0);
  CHECK(distance == Approx(frechet_distance(y, x)).epsilon(1e-6));
  CHECK(frechet_distance(x, x) == Approx(0).margin(1e-4));
  // Constant features have no covariance at all.
  CHECK(frechet_distance(MatrixXd::Zero(3, 2), MatrixXd::Ones(3, 2)) == Approx(2));
}

TEST_CASE("generation: squared MMD agrees with scikit-learn's polynomial kernel") {
  CHECK(squared_mmd(first, second) == Approx(0.045509637323).epsilon(1e-9));
}

TEST_CASE("generation: kernel distance separates equal from shifted distributions") {
  const MatrixXd x = normal_features(400, 8, "kid x");
  const MatrixXd y = normal_features(400, 8, "kid y");
  const Interval equal = kernel_distance(x, y);
  CHECK(equal.lo < 0);  // unbiased: straddles zero
  CHECK(equal.hi > 0);
  const Interval shifted = kernel_distance(x, y.array() + 0.5);
  CHECK(shifted.lo > equal.hi);
  CHECK(shifted.mean == Approx(squared_mmd(x, y.array() + 0.5)).epsilon(0.1));
}

TEST_CASE("generation: kernel distance is fixed by its seed; whole sets have no spread") {
  const Interval a = kernel_distance(first, second, {20, 10, 0.95, 1});
  const Interval b = kernel_distance(first, second, {20, 10, 0.95, 1});
  const Interval c = kernel_distance(first, second, {20, 10, 0.95, 2});
  CHECK(a.mean == b.mean);
  CHECK(a.lo == b.lo);
  CHECK(a.mean != c.mean);
  const MatrixXd head = second.topRows(40);
  const Interval whole = kernel_distance(first, head, {5, 40});
  CHECK(whole.mean == Approx(squared_mmd(first, head)));
  CHECK(whole.hi - whole.lo == Approx(0).margin(1e-12));
}

TEST_CASE("generation: bad arguments are refused") {
  CHECK_NOTHROW(kernel_distance(first, second, {1, 2}));
  CHECK_THROWS_AS(kernel_distance(first, second, {0, 2}), std::invalid_argument);
  CHECK_THROWS_AS(kernel_distance(first, second, {1, 1}), std::invalid_argument);
  CHECK_THROWS_WITH(kernel_distance(first, second, {1, 41}),
                    "[generation] expected a subset size in 2 .. 40 (the smaller set), got 41");
  CHECK_THROWS_AS(kernel_distance(first, second, {1, 2, 1.5}), std::invalid_argument);
  CHECK_THROWS_AS(frechet_distance(first, second.leftCols(5)), std::invalid_argument);
  CHECK_THROWS_AS(squared_mmd(first.topRows(1), second), std::invalid_argument);
  MatrixXd broken = first;
  broken(3, 2) = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH(frechet_distance(broken, second),
                    "[metrics] expected finite features, got inf in row 3, column 2");
}

TEST_CASE("generation: moments of features") {
  MatrixXd x(3, 2);
  x << 1, 2, 3, 6, 5, 4;
  const FeatureMoments moments = feature_moments(x);
  CHECK(moments.mean(0) == Approx(3));
  CHECK(moments.mean(1) == Approx(4));
  CHECK(moments.covariance(0, 0) == Approx(4));
  CHECK(moments.covariance(0, 1) == Approx(2));
  CHECK(moments.covariance(1, 1) == Approx(4));
  CHECK_THROWS_WITH(feature_moments(x.topRows(1)), Catch::Contains("at least 2 rows"));
}
