#include "dermis/metrics/decision.hpp"

#include <algorithm>
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

constexpr double missing = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

/// Scores of class 2 of the fixtures, coarse ones with many ties.
std::vector<double> scores(bool coarse) {
  Eigen::VectorXd column = fixtures::probabilities().col(2);
  if (coarse) column = (column * 8).array().rint() / 8;
  return {column.data(), column.data() + column.size()};
}

std::vector<int> positives() {
  std::vector<int> positive = fixtures::labels();
  for (int& label : positive) label = label == 2;
  return positive;
}

void check_point(const OperatingPoint& point, double threshold, double sensitivity,
                 double specificity) {
  CHECK(point.threshold == Approx(threshold));
  CHECK(point.sensitivity == Approx(sensitivity));
  CHECK(point.specificity == Approx(specificity));
}

/// Probabilities of 3 classes whose model is right more or less often, labels drawn with them.
struct Drawn {
  MatrixXd probabilities;
  std::vector<int> labels;
};
Drawn draw(int rows, const char* purpose) {
  RandomStream stream(3, purpose);
  Drawn drawn{MatrixXd(rows, 3), {}};
  for (int i = 0; i < rows; ++i) {
    const int label = i % 10 < 6 ? 0 : i % 10 < 9 ? 1 : 2;
    for (int c = 0; c < 3; ++c) drawn.probabilities(i, c) = std::exp(stream.normal());
    drawn.probabilities(i, label) *= label == 2 ? 1.5 : 6;
    drawn.probabilities.row(i) /= drawn.probabilities.row(i).sum();
    drawn.labels.push_back(label);
  }
  return drawn;
}

}  // namespace

TEST_CASE("decision: the ROC curve agrees with scikit-learn, ties are one step") {
  // roc_curve(positive, scores, drop_intermediate=False)
  const std::vector<OperatingPoint> fine = roc_curve(scores(false), positives());
  REQUIRE(fine.size() == 25);
  CHECK(std::isinf(fine[0].threshold));
  CHECK(fine[0].sensitivity == 0);
  CHECK(fine[0].specificity == 1);
  check_point(fine[1], 0.8642283234314194, 0.125, 1);
  check_point(fine[6], 0.35834912225360377, 0.375, 0.8125);
  check_point(fine[12], 0.1470266349422436, 0.625, 0.5625);
  check_point(fine[24], 0.041109743340682944, 1, 0);

  const std::vector<OperatingPoint> coarse = roc_curve(scores(true), positives());
  const std::vector<double> thresholds{infinity, 0.875, 0.75, 0.5, 0.375, 0.25, 0.125, 0};
  const std::vector<double> sensitivity{0, 0.125, 0.125, 0.25, 0.375, 0.5, 1, 1};
  const std::vector<double> specificity{1, 1, 0.9375, 0.875, 0.75, 0.625, 0.3125, 0};
  REQUIRE(coarse.size() == 8);
  for (std::size_t k = 0; k < 8; ++k) {
    CAPTURE(k);
    CHECK(coarse[k].threshold == thresholds[k]);
    CHECK(coarse[k].sensitivity == sensitivity[k]);
    CHECK(coarse[k].specificity == specificity[k]);
    const OperatingPoint counted = point_at(thresholds[k], scores(true), positives());
    CHECK(counted.sensitivity == sensitivity[k]);
    CHECK(counted.specificity == specificity[k]);
  }
}

TEST_CASE("decision: operating points by sensitivity and by specificity agree with scikit-learn") {
  const std::vector<int> y = positives();
  check_point(operating_point(scores(false), y, 0.5), 0.2689452234601903, 0.5, 0.75);
  check_point(operating_point(scores(false), y, 0.8), 0.11225219114128934, 0.875, 0.5);
  check_point(operating_point(scores(false), y, 1), 0.07270146810390779, 1, 0.3125);
  check_point(operating_point(scores(true), y, 0.5), 0.25, 0.5, 0.625);
  check_point(operating_point(scores(true), y, 0.6), 0.125, 1, 0.3125);
  check_point(point_at_specificity(scores(false), y, 0.5), 0.11225219114128934, 0.875, 0.5);
  check_point(point_at_specificity(scores(false), y, 0.9), 0.7491952379195377, 0.125, 0.9375);
  check_point(point_at_specificity(scores(true), y, 1), 0.875, 0.125, 1);
  check_point(point_at_specificity(scores(true), y, 0), 0, 1, 0);
  // No score is that specific: nothing is called.
  CHECK(std::isinf(point_at_specificity({.1, .9}, {1, 0}, 1).threshold));
  CHECK(point_at_specificity({.1, .9}, {1, 0}, 1).sensitivity == 0);
  CHECK(std::isnan(operating_point({.5, .6}, {1, 1}, 1).specificity));
}

TEST_CASE("decision: a point applied to other rows has intervals by lesion") {
  const OperatingPoint point = operating_point({.2, .6, .7, .9}, {0, 1, 0, 1}, 1);
  CHECK(point.threshold == 0.6);
  std::vector<double> other;
  std::vector<int> positive;
  std::vector<std::string> lesions, one_lesion;
  for (int i = 0; i < 400; ++i) {
    positive.push_back(i % 2);
    other.push_back(i % 2 == 1 ? (i % 10 < 8 ? 0.6 : 0.5) : (i % 10 < 6 ? 0.1 : 0.8));
    lesions.push_back("lesion" + std::to_string(i / 20));  // every lesion has the same shares
    one_lesion.push_back("");
  }
  const AppliedPoint applied = apply(point, other, positive, one_lesion);
  CHECK(applied.sensitivity.mean == Approx(0.8));
  CHECK(applied.specificity.mean == Approx(0.6));
  // 1.96 sqrt(p (1 - p) / 200)
  CHECK(applied.sensitivity.hi - applied.sensitivity.lo == Approx(2 * 0.0554).epsilon(0.15));
  CHECK(applied.specificity.hi - applied.specificity.lo == Approx(2 * 0.0679).epsilon(0.15));
  const AppliedPoint by_lesion = apply(point, other, positive, lesions);
  CHECK(by_lesion.sensitivity.lo == Approx(0.8));
  CHECK(by_lesion.specificity.hi == Approx(0.6));
  CHECK_THROWS_WITH(apply(point, other, positive, {"a"}),
                    "[metrics] expected as many lesions as the 400 labels, got 1");
}

TEST_CASE("decision: partial AUC is that of ISIC 2024") {
  // roc_auc_score(1 - y, -scores, max_fpr=1 - s), McClish's standardisation undone
  const std::vector<int> y = positives();
  CHECK(partial_auc(scores(false), y) == Approx(0.0765625));
  CHECK(partial_auc(scores(false), y, 0.5) == Approx(0.234375));
  CHECK(partial_auc(scores(false), y, 0.25) == Approx(0.4296875));
  CHECK(partial_auc(scores(true), y) == Approx(0.075));
  CHECK(partial_auc(scores(true), y, 0.25) == Approx(0.421875));
  CHECK(partial_auc(scores(true), y, 0) == Approx(0.66015625));  // roc_auc_score
  CHECK(partial_auc({.1, .2, .8, .9}, {0, 0, 1, 1}) == Approx(0.2));
  CHECK(partial_auc({.1, .2, .8, .9}, {1, 1, 0, 0}) == 0);
  CHECK(partial_auc({.5, .5, .5}, {1, 0, 0}) == Approx(0.02));
  CHECK(std::isnan(partial_auc({.5, .6}, {1, 1})));
  CHECK(std::isnan(partial_auc({.5, .6}, {0, 0})));
  CHECK(std::isnan(partial_auc({}, {})));
}

TEST_CASE("decision: bad scores and thresholds are refused") {
  CHECK_THROWS_WITH(roc_curve({.5, missing}, {1, 0}),
                    "[metrics] expected finite scores, got nan in row 1");
  CHECK_THROWS_AS(partial_auc({.5, infinity}, {1, 0}), std::invalid_argument);
  CHECK_THROWS_AS(roc_curve({.5}, {1, 0}), std::invalid_argument);
  CHECK_THROWS_WITH(operating_point({.5, .6}, {0, 0}, 0.9),
                    "[decision] expected positives to choose a threshold, got 2 rows without one");
  CHECK_THROWS_WITH(operating_point({.5}, {1}, 0),
                    "[decision] expected a sensitivity above 0 and at most 1, got 0");
  CHECK_THROWS_WITH(point_at_specificity({.5}, {1}, 0.9),
                    "[decision] expected negatives to choose a threshold, got 1 rows without one");
  CHECK_THROWS_WITH(point_at_specificity({.5}, {0}, 1.1),
                    "[decision] expected a specificity between 0 and 1, got 1.1");
  CHECK_THROWS_WITH(point_at(missing, {.5}, {1}), "[decision] expected a threshold, got NaN");
  CHECK_THROWS_WITH(partial_auc({.5, .6}, {0, 1}, 1),
                    "[decision] expected a smallest sensitivity of at least 0 and below 1, got 1");
}

TEST_CASE("decision: conformal quantiles and sets agree with numpy") {
  const MatrixXd p = fixtures::probabilities();
  const std::vector<int> labels = fixtures::labels();
  // numpy.quantile(1 - p[label], ceil((n + 1)(1 - alpha)) / n, method='inverted_cdf') by class
  const ConformalSets fitted = fit_conformal(p, labels, 0.25);
  CHECK(fitted.calibration_rows == std::vector<std::int64_t>{8, 4, 8, 4});
  CHECK(fitted.quantiles[0] == Approx(0.881027367727635));
  CHECK(fitted.quantiles[1] == Approx(0.6956070147913886));
  CHECK(fitted.quantiles[2] == Approx(0.8877478088587106));
  CHECK(fitted.quantiles[3] == Approx(0.7317421863965988));
  const SetFigures figures = set_figures(prediction_sets(fitted, p), labels, 4);
  CHECK(figures.mean_size == Approx(2.0833333333333335));
  CHECK(figures.coverage == std::vector<double>{0.875, 1, 0.875, 1});
  const SetFigures small =
      set_figures(prediction_sets(fit_conformal(p, labels, 0.4), p), labels, 4);
  CHECK(small.mean_size == Approx(1.6666666666666667));
  CHECK(small.coverage == std::vector<double>{0.75, 0.75, 0.75, 0.75});
}

TEST_CASE("decision: the rank of a conformal quantile is exact") {
  // 100 * (1 - 0.45) is a little above 55 in double precision; the 55th score is 0.55.
  MatrixXd p(99, 2);
  for (int i = 0; i < 99; ++i) p.row(i) << 1 - (i + 1) / 100.0, (i + 1) / 100.0;
  CHECK(fit_conformal(p, std::vector<int>(99, 0), 0.45).quantiles[0] == Approx(0.55));
  CHECK(fit_conformal(p, std::vector<int>(99, 0), 0.1).quantiles[0] == Approx(0.9));
}

TEST_CASE("decision: a class with too few calibration rows is in every set") {
  // alpha 0.05 needs 19 rows: class 0 has them, class 1 has 18, class 2 none.
  const MatrixXd p = MatrixXd::Constant(37, 3, 1.0 / 3);
  std::vector<int> labels(37, 1);
  std::fill_n(labels.begin(), 19, 0);
  const ConformalSets fitted = fit_conformal(p, labels, 0.05);
  CHECK(fitted.quantiles[0] == Approx(2.0 / 3));
  CHECK(std::isinf(fitted.quantiles[1]));
  CHECK(std::isinf(fitted.quantiles[2]));
  MatrixXd rows(2, 3);
  rows << 0.2, 0, 0.8, 0.4, 0.6, 0;
  CHECK(prediction_sets(fitted, rows) == std::vector<std::vector<int>>{{1, 2}, {0, 1, 2}});
  const SetFigures figures = set_figures({{1, 2}, {}}, {1, 1}, 3);
  CHECK(std::isnan(figures.coverage[0]));
  CHECK(figures.coverage[1] == 0.5);
  CHECK(figures.mean_size == 1);
  CHECK(std::isnan(set_figures({}, {}, 2).mean_size));
}

TEST_CASE(
    "decision: prediction sets cover new rows of every class, also of the hard and rare one") {
  const Drawn calibration = draw(3000, "calibration");
  const Drawn fresh = draw(6000, "fresh");
  const ConformalSets fitted = fit_conformal(calibration.probabilities, calibration.labels, 0.1);
  const SetFigures figures =
      set_figures(prediction_sets(fitted, fresh.probabilities), fresh.labels, 3);
  for (const double coverage : figures.coverage) CHECK(coverage == Approx(0.9).margin(0.04));
  // The most probable class alone is far from covering the hard one.
  CHECK(per_class(fresh.labels, argmax(fresh.probabilities), 3).recall[2] < 0.6);
}

TEST_CASE("decision: bad arguments of the sets are refused") {
  const MatrixXd p = fixtures::probabilities();
  CHECK_THROWS_WITH(fit_conformal(p, fixtures::labels(), 0),
                    "[decision] expected alpha between 0 and 1, got 0");
  CHECK_THROWS_AS(fit_conformal(p, {0, 1}, 0.1), std::invalid_argument);
  const ConformalSets fitted = fit_conformal(p, fixtures::labels());
  CHECK_THROWS_WITH(prediction_sets(fitted, p.leftCols(3)),
                    "[decision] expected probabilities of 4 classes, got 3");
  CHECK_THROWS_AS(prediction_sets(fitted, MatrixXd::Constant(1, 4, missing)),
                  std::invalid_argument);
  CHECK_THROWS_WITH(set_figures({{0}}, {0, 1}, 2),
                    "[metrics] expected as many sets as the 2 labels, got 1");
}

TEST_CASE("decision: the risk-coverage curve agrees with numpy and scikit-learn") {
  const MatrixXd p = fixtures::probabilities();
  const std::vector<int> labels = fixtures::labels();
  const RiskCoverage plain = risk_coverage(p, labels);
  REQUIRE(plain.coverage.size() == 24);
  CHECK(plain.coverage[5] == Approx(0.25));
  CHECK(plain.coverage[23] == 1);
  CHECK(plain.accuracy[0] == 1);
  CHECK(plain.accuracy[5] == Approx(1.0 / 3));
  CHECK(plain.accuracy[11] == Approx(5.0 / 12));
  CHECK(plain.accuracy[23] == Approx(accuracy(labels, predict_labels(p))));
  CHECK(plain.area == Approx(0.5391126526935098));
  const RiskCoverage balanced = risk_coverage(p, labels, true);
  CHECK(balanced.accuracy[11] == Approx(0.43333333333333335));
  CHECK(balanced.accuracy[23] == Approx(0.59375));
  CHECK(balanced.area == Approx(0.4944320436507937));
}

TEST_CASE("decision: rows of equal confidence are decided together") {
  MatrixXd p(4, 2);
  p << .9, .1, .6, .4, .4, .6, .5, .5;
  const RiskCoverage curve = risk_coverage(p, {0, 1, 1, 0});
  CHECK(curve.coverage == std::vector<double>{0.25, 0.75, 1});
  CHECK(curve.accuracy[1] == Approx(2.0 / 3));
  CHECK(curve.accuracy[2] == 0.5);  // a tie for the maximum is wrong
  CHECK(curve.area == Approx((0 + 1.0 / 3 + 1.0 / 3 + 0.5) / 4));
  CHECK(std::isnan(risk_coverage(MatrixXd(0, 2), {}).area));
  CHECK(risk_coverage(MatrixXd(0, 2), {}).coverage.empty());
  CHECK_THROWS_AS(risk_coverage(p, {0, 1}), std::invalid_argument);
  CHECK_THROWS_AS(risk_coverage(p, {0, 1, 1, 2}), std::invalid_argument);
}

TEST_CASE("decision: doubtful rows are withheld, and the unknown column says so") {
  MatrixXd p(4, 3);
  p << .3, .3, .4, .2, .7, .1, .3, .6, .1, .3, .65, .05;
  CHECK(decide(p, 0.5) == std::vector<int>{undecided, 1, 1, 1});
  CHECK(decide(p, 0.6) == std::vector<int>{undecided, 1, 1, 1});
  CHECK(decide(p, 0) == predict_labels(p));
  // The larger of UNK and the rest makes the same decision, exactly at the threshold as well.
  for (const double threshold : {0.1, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.9}) {
    CAPTURE(threshold);
    const MatrixXd extended = append_unknown(p, threshold);
    CHECK(extended.leftCols(3) == p);
    CHECK(extended.minCoeff() >= 0);
    CHECK(extended.maxCoeff() <= 1);
    std::vector<int> expected = decide(p, threshold);
    std::replace(expected.begin(), expected.end(), undecided, 3);
    CHECK(predict_labels(extended) == expected);
  }
  for (int percent = 1; percent < 100; ++percent) {  // also a rounding error below the threshold
    MatrixXd row(1, 2);
    row << percent / 100.0, percent / 200.0;
    CAPTURE(percent);
    CHECK(argmax(append_unknown(row, std::nextafter(row(0, 0), 1.0)))[0] == 2);
    CHECK(argmax(append_unknown(row, row(0, 0)))[0] == 0);
  }
  const Eigen::VectorXd unknown = append_unknown(p, 0.5).col(3);
  CHECK(unknown(0) == Approx(0.6));
  CHECK(unknown(1) == Approx(0.3));
  CHECK(append_unknown(p, 0.8)(1, 3) == 1);  // 0.3 * 0.8 / 0.2 is capped
  CHECK(append_unknown(MatrixXd(0, 3), 0.5).cols() == 4);
  CHECK_THROWS_WITH(append_unknown(p, 1), "[decision] expected a threshold between 0 and 1, got 1");
  CHECK_THROWS_WITH(append_unknown(2 * p, 0.5),
                    "[decision] expected probabilities in [0, 1], got 0.2 .. 1.4 in row 1");
  CHECK_THROWS_AS(append_unknown(MatrixXd::Constant(1, 2, missing), 0.5), std::invalid_argument);
  CHECK_THROWS_WITH(append_unknown(MatrixXd(2, 0), 0.5),
                    "[decision] expected at least 1 class, got none");
  CHECK_THROWS_WITH(decide(p, missing), "[decision] expected a threshold, got NaN");
}

TEST_CASE("decision: the precision-recall curve is scikit-learn's, backwards") {
  const auto curve = precision_recall_curve({0.9, 0.9, 0.5, 0.2, 0.2}, {1, 0, 1, 1, 0});
  REQUIRE(curve.size() == 4);
  const double expected[4][3] = {{std::numeric_limits<double>::infinity(), 1, 0},
                                 {0.9, 0.5, 1.0 / 3},
                                 {0.5, 2.0 / 3, 2.0 / 3},
                                 {0.2, 0.6, 1}};
  for (std::size_t k = 0; k < 4; ++k) {
    CHECK(curve[k].threshold == expected[k][0]);
    CHECK(curve[k].precision == Approx(expected[k][1]));
    CHECK(curve[k].recall == Approx(expected[k][2]));
  }
  CHECK(std::isnan(precision_recall_curve({0.5}, {0}).back().recall));
  CHECK_THROWS_WITH(precision_recall_curve({0.5}, {0, 1}), Catch::Contains("scores"));
}
