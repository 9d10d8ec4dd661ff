#include "dermis/metrics/linear_classifier.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "dermis/core/random.hpp"
#include "dermis/metrics/classification.hpp"
#include "fixtures.hpp"

using namespace dermis;
using Eigen::MatrixXd;

namespace {

struct Data {
  MatrixXd x;
  std::vector<int> labels;
};

/// 60 rows of 5 features of unequal scale, 3 classes of 30, 20 and 10 rows.
Data three_classes() {
  Data data{fixtures::wave(60, 5, 1.7, 0.9, 0.31), {}};
  data.x.array().rowwise() *= Eigen::RowVectorXd{{1, 10, 0.1, 3, 1}}.array();
  data.x.rowwise() += Eigen::RowVectorXd{{0, 5, 1, -2, 0}};
  for (int i = 0; i < 60; ++i) {
    const int label = i % 2 != 0 ? 0 : (i % 3 != 0 ? 1 : 2);
    data.labels.push_back(label);
    if (label == 0) data.x(i, 1) += 4;
    if (label == 1) data.x(i, 0) += 0.8;
    if (label == 2) data.x(i, 3) -= 2;
  }
  return data;
}

void check_row(const MatrixXd& p, int row, const std::vector<double>& expected) {
  for (int c = 0; c < 3; ++c) {
    CAPTURE(row, c);
    CHECK(p(row, c) == Approx(expected[static_cast<std::size_t>(c)]).margin(1e-6));
  }
}

}  // namespace

TEST_CASE("linear classifier: agrees with scikit-learn's LogisticRegression") {
  // StandardScaler, then LogisticRegression(C = 1 / (0.05 * 60), tol = 1e-12)
  const Data data = three_classes();
  LinearClassifierOptions options;
  options.l2 = 0.05;
  options.tolerance = 1e-9;
  const LinearClassifier fitted = fit_linear_classifier(data.x, data.labels, 3, options);
  CHECK(fitted.converged());
  const MatrixXd p = fitted.probabilities(data.x);
  check_row(p, 0, {0.746153733033, 0.197179217576, 0.056667049391});
  check_row(p, 7, {0.85595303107, 0.110348143865, 0.033698825065});
  check_row(p, 12, {0.327647738811, 0.591616941183, 0.080735320005});
  CHECK(fitted.weights()(0, 0) == Approx(-0.291416092152).margin(1e-6));
  CHECK(fitted.weights()(1, 0) == Approx(0.412437081139).margin(1e-6));
}

TEST_CASE("linear classifier: balanced weights agree with class_weight = 'balanced'") {
  const Data data = three_classes();
  LinearClassifierOptions options;
  options.l2 = 0.05;
  options.tolerance = 1e-9;
  options.balanced = true;
  const MatrixXd p = fit_linear_classifier(data.x, data.labels, 3, options).probabilities(data.x);
  check_row(p, 0, {0.614490977197, 0.255885599879, 0.129623422925});
  check_row(p, 7, {0.782611261889, 0.135508076318, 0.081880661793});
  check_row(p, 12, {0.23304740494, 0.60954056033, 0.157412034729});
}

TEST_CASE("linear classifier: repeats itself, and does not mind scale or constant features") {
  const Data data = three_classes();
  const LinearClassifier fitted = fit_linear_classifier(data.x, data.labels, 3);
  CHECK(fit_linear_classifier(data.x, data.labels, 3).weights() == fitted.weights());
  MatrixXd wide(60, 6);
  wide << 1e4 * data.x, Eigen::VectorXd::Constant(60, 0.1);
  const LinearClassifier scaled = fit_linear_classifier(wide, data.labels, 3);
  CHECK((scaled.probabilities(wide) - fitted.probabilities(data.x)).cwiseAbs().maxCoeff() < 1e-4);
  CHECK(scaled.weights().row(5).norm() == 0);
}

TEST_CASE("linear classifier: recovers well separated classes, also without a penalty") {
  RandomStream stream(2, "separated");
  MatrixXd x(90, 4);
  std::vector<int> labels;
  for (int i = 0; i < 90; ++i) {
    labels.push_back(i % 3);
    for (int j = 0; j < 4; ++j) x(i, j) = stream.normal() * 0.3 + (j == i % 3 ? 4 : 0);
  }
  for (const double l2 : {0.0, 1e-2}) {
    LinearClassifierOptions options;
    options.l2 = l2;
    const LinearClassifier fitted = fit_linear_classifier(x, labels, 3, options);
    CHECK(accuracy(labels, fitted.predict(x)) == 1);
    CHECK(fitted.probabilities(x).allFinite());
    CHECK(fitted.iterations() > 0);
  }
}

TEST_CASE("linear classifier: with no information the probabilities are the class shares") {
  const MatrixXd x = MatrixXd::Constant(10, 2, 3.0);
  const std::vector<int> labels{0, 0, 0, 0, 0, 0, 2, 2, 2, 1};
  const MatrixXd p = fit_linear_classifier(x, labels, 3).probabilities(x);
  check_row(p, 4, {0.6, 0.1, 0.3});
  LinearClassifierOptions balanced;
  balanced.balanced = true;
  const MatrixXd even = fit_linear_classifier(x, labels, 3, balanced).probabilities(x);
  check_row(even, 4, {1.0 / 3, 1.0 / 3, 1.0 / 3});
}

TEST_CASE("linear classifier: a class without training rows gets probability 0") {
  const Data data = three_classes();
  const LinearClassifier with = fit_linear_classifier(data.x, data.labels, 5);
  const LinearClassifier without = fit_linear_classifier(data.x, data.labels, 3);
  const MatrixXd p = with.probabilities(data.x);
  CHECK(p.rightCols(2).isZero(0));
  CHECK((p.leftCols(3) - without.probabilities(data.x)).cwiseAbs().maxCoeff() < 1e-9);
  CHECK(std::isinf(with.bias()(4)));
}

TEST_CASE("linear classifier: bad arguments are refused") {
  const Data data = three_classes();
  CHECK_NOTHROW(fit_linear_classifier(data.x, data.labels, 3));
  CHECK_THROWS_WITH(fit_linear_classifier(data.x, std::vector<int>(60, 1), 3),
                    "[linear_classifier] expected rows of at least 2 classes, got 1");
  CHECK_THROWS_AS(fit_linear_classifier(data.x, data.labels, 2), std::invalid_argument);
  CHECK_THROWS_AS(fit_linear_classifier(data.x.topRows(59), data.labels, 3), std::invalid_argument);
  CHECK_THROWS_AS(fit_linear_classifier(MatrixXd(60, 0), data.labels, 3), std::invalid_argument);
  LinearClassifierOptions negative;
  negative.l2 = -1;
  CHECK_THROWS_AS(fit_linear_classifier(data.x, data.labels, 3, negative), std::invalid_argument);
  LinearClassifierOptions no_steps;
  no_steps.max_iterations = 0;
  CHECK_THROWS_AS(fit_linear_classifier(data.x, data.labels, 3, no_steps), std::invalid_argument);
  MatrixXd broken = data.x;
  broken(0, 0) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(fit_linear_classifier(broken, data.labels, 3), std::invalid_argument);
  const LinearClassifier fitted = fit_linear_classifier(data.x, data.labels, 3);
  CHECK_THROWS_WITH(fitted.probabilities(data.x.leftCols(4)),
                    "[linear_classifier] expected 5 features, got 4");
}
