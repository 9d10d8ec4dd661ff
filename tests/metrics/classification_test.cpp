#include "dermis/metrics/classification.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "fixtures.hpp"

using namespace dermis;

namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

Eigen::MatrixXd rows(std::initializer_list<std::initializer_list<double>> values) {
  Eigen::MatrixXd matrix(static_cast<Eigen::Index>(values.size()),
                         static_cast<Eigen::Index>(values.begin()->size()));
  Eigen::Index i = 0;
  for (const auto& row : values) {
    Eigen::Index j = 0;
    for (const double value : row) matrix(i, j++) = value;
    ++i;
  }
  return matrix;
}

void check_close(const std::vector<double>& actual, const std::vector<double>& expected) {
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    if (std::isnan(expected[i])) {
      CHECK(std::isnan(actual[i]));
    } else {
      CHECK(actual[i] == Approx(expected[i]).margin(1e-11));
    }
  }
}

}  // namespace

TEST_CASE("classification: argmax takes the first of equal maxima, the ISIC rule takes none") {
  const Eigen::MatrixXd p = rows({{.2, .5, .3}, {.4, .4, .2}, {.1, .45, .45}, {0, 0, 0}});
  CHECK(argmax(p) == std::vector<int>{1, 0, 1, 0});
  CHECK(predict_labels(p) == std::vector<int>{1, undecided, undecided, undecided});
  CHECK(argmax(Eigen::MatrixXd(0, 3)).empty());
}

TEST_CASE("classification: probabilities with NaN or without classes are refused") {
  Eigen::MatrixXd p = rows({{.2, .8}, {.5, .5}});
  p(1, 0) = missing;
  CHECK_THROWS_WITH(argmax(p),
                    "[metrics] expected probabilities without NaN, got NaN in row 1, "
                    "column 0");
  CHECK_THROWS_AS(predict_labels(p), std::invalid_argument);
  CHECK_THROWS_AS(argmax(Eigen::MatrixXd(2, 0)), std::invalid_argument);
}

TEST_CASE("classification: balanced accuracy follows the ISIC scoring package") {
  // truth A A B C, predicted A tie B B; class D has no truth rows: (1/2 + 1 + 0) / 3.
  const Eigen::MatrixXd p =
      rows({{.7, .1, .1, .1}, {.4, .4, .1, .1}, {.1, .6, .2, .1}, {.2, .5, .3, 0}});
  CHECK(balanced_accuracy({0, 0, 1, 2}, p) == Approx(0.5));
  // argmax would have given the tie to A, which is right by luck.
  CHECK(balanced_accuracy(std::vector<int>{0, 0, 1, 2}, argmax(p)) == Approx(2.0 / 3));
  CHECK(accuracy({0, 0, 1, 2}, predict_labels(p)) == Approx(0.5));
  CHECK(std::isnan(accuracy({}, {})));
  CHECK(std::isnan(balanced_accuracy(std::vector<int>{}, std::vector<int>{})));
}

TEST_CASE("classification: confusion matrix and per-class figures agree with scikit-learn") {
  const std::vector<int> labels = fixtures::labels();
  const std::vector<int> predictions = argmax(fixtures::probabilities());
  Eigen::MatrixXi expected(4, 4);
  expected << 4, 0, 2, 2, 1, 3, 0, 0, 2, 2, 3, 1, 0, 0, 1, 3;
  CHECK(confusion_matrix(labels, predictions, 4) == expected);
  CHECK(accuracy(labels, predictions) == Approx(0.541666666667));
  CHECK(balanced_accuracy(labels, predictions) == Approx(0.59375));
  const PerClass figures = per_class(labels, predictions, 4);
  check_close(figures.precision, {4.0 / 7, 0.6, 0.5, 0.5});
  check_close(figures.recall, {0.5, 0.75, 0.375, 0.75});
  check_close(figures.f1, {8.0 / 15, 2.0 / 3, 3.0 / 7, 0.6});
  CHECK(figures.support == std::vector<std::int64_t>{8, 4, 8, 4});
  CHECK(mean_defined(figures.f1) == Approx(0.557142857143));
}

TEST_CASE("classification: undefined figures are NaN and left out of means") {
  // Class 1 is never predicted, class 2 has no truth, class 3 has neither.
  const PerClass figures = per_class({0, 0, 1, 1}, {0, 2, 0, undecided}, 4);
  check_close(figures.recall, {0.5, 0, missing, missing});
  check_close(figures.precision, {0.5, missing, 0, missing});
  check_close(figures.f1, {0.5, 0, 0, missing});
  CHECK(mean_defined(figures.recall) == Approx(0.25));
  CHECK(std::isnan(mean_defined({missing, missing})));
  CHECK(confusion_matrix({0, 0, 1, 1}, {0, 2, 0, undecided}, 4).sum() == 3);
}

TEST_CASE("classification: labels out of range and unequal lengths are refused") {
  CHECK_THROWS_WITH(confusion_matrix({0, 3}, {0, 1}, 3),
                    "[metrics] expected labels in 0 .. 2, got 3 in row 1");
  CHECK_THROWS_AS(confusion_matrix({0, -1}, {0, 1}, 3), std::invalid_argument);
  CHECK_THROWS_WITH(confusion_matrix({0, 2}, {0, 3}, 3),
                    Catch::Contains("expected predictions in 0 .. 2 or -1"));
  CHECK_THROWS_AS(confusion_matrix({0, 2}, {0, -2}, 3), std::invalid_argument);
  CHECK_THROWS_AS(confusion_matrix({}, {}, 0), std::invalid_argument);
  CHECK_THROWS_WITH(accuracy({0, 1}, {0}),
                    "[metrics] expected as many predictions as the 2 labels, got 1");
  CHECK_THROWS_AS(per_class({0}, {0, 0}, 1), std::invalid_argument);
  CHECK_THROWS_AS(balanced_accuracy({0, 2}, rows({{.5, .4}, {.3, .7}})), std::invalid_argument);
  CHECK_THROWS_AS(macro_auc({0}, rows({{.5, .4}, {.3, .7}})), std::invalid_argument);
}

TEST_CASE("classification: AUC agrees with scikit-learn, with and without ties") {
  const std::vector<int> labels = fixtures::labels();
  const Eigen::MatrixXd p = fixtures::probabilities();
  check_close(auc_one_vs_rest(labels, p), {0.65625, 0.8625, 0.6640625, 0.8375});
  CHECK(macro_auc(labels, p) == Approx(0.755078125));
  const Eigen::MatrixXd coarse = (p * 4).array().rint() / 4;  // many equal scores
  check_close(auc_one_vs_rest(labels, coarse), {0.67578125, 0.8125, 0.62109375, 0.81875});
}

TEST_CASE("classification: AUC of closed forms") {
  CHECK(auc({.1, .2, .8, .9}, {0, 0, 1, 1}) == 1);
  CHECK(auc({.1, .2, .8, .9}, {1, 1, 0, 0}) == 0);
  CHECK(auc({.5, .5, .5}, {1, 0, 0}) == 0.5);
  CHECK(std::isnan(auc({.5, .6}, {1, 1})));
  CHECK(std::isnan(auc({}, {})));
  // The third class is absent: undefined, and not part of the mean.
  CHECK(macro_auc({0, 1}, rows({{.8, .1, .1}, {.2, .7, .1}})) == 1);
  CHECK_THROWS_AS(auc({.5, missing}, {1, 0}), std::invalid_argument);
  CHECK_THROWS_AS(auc({.5}, {1, 0}), std::invalid_argument);
}

TEST_CASE(
    "classification: kappa, MCC, top-k, one-vs-one AUC and average precision of scikit-learn") {
  const auto labels = fixtures::labels();
  const auto p = fixtures::probabilities();
  const auto counts = confusion_matrix(labels, argmax(p), 4);
  CHECK(cohen_kappa(counts) == Approx(0.383177570093458));
  CHECK(cohen_kappa(counts, KappaWeights::Linear) == Approx(0.37362637362637363));
  CHECK(cohen_kappa(counts, KappaWeights::Quadratic) == Approx(0.3675675675675676));
  CHECK(matthews_correlation(counts) == Approx(0.38775995377698635));
  CHECK(top_k_accuracy(labels, p, 1) == Approx(13.0 / 24));
  CHECK(top_k_accuracy(labels, p, 2) == Approx(16.0 / 24));
  CHECK(top_k_accuracy(labels, p, 3) == Approx(23.0 / 24));
  CHECK(auc_one_vs_one(labels, p) == Approx(0.76171875));
  check_close(average_precision_one_vs_rest(labels, p),
              {0.5485977564102564, 0.46944444444444444, 0.5291196741854636, 0.43333333333333335});
  CHECK(mean_by_support(auc_one_vs_rest(labels, p), per_class(labels, argmax(p), 4).support) ==
        Approx(0.7234375));
  CHECK(average_precision({0.9, 0.9, 0.5, 0.2, 0.2}, {1, 0, 1, 1, 0}) ==
        Approx(0.5888888888888889));
}

TEST_CASE("classification: where these figures are undefined, and what they refuse") {
  CHECK(std::isnan(average_precision({0.1, 0.2}, {0, 0})));
  CHECK(std::isnan(mean_by_support({missing}, {3})));
  CHECK(mean_by_support({missing, 0.5}, {3, 1}) == 0.5);
  Eigen::MatrixXi one(2, 2);
  one << 5, 0, 0, 0;
  CHECK(std::isnan(cohen_kappa(one)));
  CHECK(matthews_correlation(one) == 0);
  const auto tied = rows({{0.4, 0.4, 0.2}});
  CHECK(top_k_accuracy({1}, tied, 1) == 1);  // the later class goes first
  CHECK(top_k_accuracy({0}, tied, 1) == 0);
  CHECK_THROWS_WITH(top_k_accuracy({0}, tied, 4), Catch::Contains("k in 1 .. 3, got 4"));
  CHECK_THROWS_WITH(mean_by_support({1, 2}, {1}), Catch::Contains("each of 2 values, got 1"));
  CHECK_THROWS_WITH(cohen_kappa(Eigen::MatrixXi::Zero(2, 2)), Catch::Contains("sum 0"));
  CHECK_THROWS_WITH(matthews_correlation(Eigen::MatrixXi::Ones(2, 3)), Catch::Contains("2 x 3"));
  CHECK_THROWS_WITH(average_precision({missing}, {1}), Catch::Contains("NaN in row 0"));
  CHECK_THROWS_WITH(auc_one_vs_one({0, 1}, tied), Catch::Contains("rows of probabilities"));
}
