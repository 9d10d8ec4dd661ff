#include <catch2/catch.hpp>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/support.hpp"
#include "dermis/metrics/isic_score.hpp"
#include "isic_support.hpp"

// Rules and refusals on a few rows. Expected numbers: isic-challenge-scoring 5.8.0 with
// scikit-learn 1.9.1.

namespace dermis {
namespace {

using test::close_to;
using test::mentions;
using test::message_of;

const std::string two_classes_truth = "image,A,B\ni1,1.0,0.0\ni2,0.0,1.0\ni3,1.0,0.0\ni4,0.0,1.0\n";
const std::string two_classes_prediction =
    "image,A,B\ni1,0.9,0.1\ni2,0.4,0.6\ni3,0.2,0.8\ni4,0.3,0.7\n";

IsicScore score(const std::string& truth, const std::string& prediction,
                IsicTarget target = IsicTarget::BalancedAccuracy) {
  return score_isic(parse_csv(truth, "truth.csv"), parse_csv(prediction, "pred.csv"), target);
}

std::string score_error(const std::string& truth, const std::string& prediction,
                        IsicTarget target = IsicTarget::BalancedAccuracy) {
  return message_of<std::runtime_error>([&] { score(truth, prediction, target); });
}

/// The truth of two classes with a score_weight and a validation_weight a line.
std::string weighted(const std::vector<std::string>& weights) {
  const Table table = parse_csv(two_classes_truth, "truth.csv");
  std::string made = "image,A,B,score_weight,validation_weight\n";
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    made += csv_line(table.rows[r]) + "," + weights[r] + "\n";
  }
  return made;
}

std::string replaced(std::string content, const std::string& from, const std::string& to) {
  const std::size_t at = content.find(from);
  REQUIRE(at != std::string::npos);
  return content.replace(at, from.size(), to);
}

TEST_CASE("isic_score: ties are undecided, 0.5 is negative") {
  const IsicScore made =
      score(two_classes_truth, "image,A,B\ni1,0.5,0.5\ni2,0.4,0.6\ni3,0.5,0.4\ni4,0.0,0.0\n");
  CHECK(made.overall == 0.5);
  const IsicFigures& a = made.per_category[0];
  CHECK(a.accuracy == 0.5);
  CHECK(a.sensitivity == 0);
  CHECK(a.specificity == 1);
  CHECK(a.dice == 0);
  CHECK(a.ppv == 1);  // nothing is called positive
  CHECK(a.npv == 0.5);
  CHECK(a.ap == 1);
  CHECK(made.per_category[1].ap == 0.75);
  CHECK(made.macro_average.npv == close_to(7.0 / 12));
  CHECK(made.macro_average.auc_sens_80 == 0.5);
}

TEST_CASE("isic_score: curves are left out where they are not wanted") {
  const IsicScore two = score(two_classes_truth, two_classes_prediction);
  CHECK_FALSE(to_json(two, false).contains("rocs"));
  CHECK(to_json(two, false).at("aggregate").at("balanced_accuracy").get<double>() == 0.75);
}

TEST_CASE("isic_score: truth rows of several classes or none are undecided") {
  const IsicScore made =
      score("image,A,B\ni1,1,1\ni2,1,0\ni3,0,0\ni4,0,1\n", two_classes_prediction);
  CHECK(made.overall == 0.5);
  CHECK(made.per_category[0].sensitivity == 0.5);
  CHECK(made.per_category[1].auc == 0.25);
  CHECK(made.rocs[1].threshold == std::vector<double>{1, 0.8, 0.7, 0.6, 0.1});
  CHECK(made.rocs[1].fpr == std::vector<double>{0, 0.5, 0.5, 1, 1});
  CHECK(made.rocs[1].tpr == std::vector<double>{0, 0, 0.5, 0.5, 1});
  CHECK(score_error("image,A,B\ni1,1,1\ni2,1,1\ni3,0,0\ni4,0,0\n", two_classes_prediction) ==
        "[isic] truth.csv: expected images of exactly one class, got none");
}

TEST_CASE("isic_score: a class without negatives has no AUC and is left out of its mean") {
  const IsicScore made =
      score("image,A,B\ni1,1.0,0.0\ni2,1.0,1.0\n", "image,A,B\ni1,0.9,0.1\ni2,0.4,0.6\n");
  CHECK(made.overall == 1);
  CHECK(std::isnan(made.per_category[0].auc));
  CHECK(std::isnan(made.per_category[0].auc_sens_80));
  CHECK(made.per_category[0].specificity == 1);
  CHECK(made.per_category[0].npv == 0);
  CHECK(made.per_category[0].ap == 1);
  CHECK(made.macro_average.auc == 1);
  CHECK(made.macro_average.dice == close_to(2.5 / 3));
  CHECK(std::isnan(made.rocs[0].fpr[1]));
  CHECK(made.rocs[0].tpr == std::vector<double>{0, 0.5, 1});
  CHECK(
      mentions(to_json(made).dump(), {R"("auc":{"A":null,"B":1.0})", R"("fpr":[null,null,null])"}));
}

TEST_CASE("isic_score: a class without images of validation weight") {
  const std::string truth = weighted({"1.0,0.0", "1.0,1.0", "1.0,0.0", "1.0,1.0"});
  CHECK(score(truth, two_classes_prediction).validation == 1);
  CHECK(std::isnan(score(truth, two_classes_prediction, IsicTarget::AUC).validation));
  CHECK(score(truth, two_classes_prediction, IsicTarget::AveragePrecision).validation == 0.5);
  CHECK(score(truth, two_classes_prediction, IsicTarget::Dice).validation == 1);

  const std::string none = weighted({"1.0,0.0", "1.0,0.0", "1.0,0.0", "1.0,0.0"});
  for (const IsicTarget target :
       {IsicTarget::BalancedAccuracy, IsicTarget::AUC, IsicTarget::AveragePrecision}) {
    CHECK(score_error(none, two_classes_prediction, target) ==
          "[isic] truth.csv: expected a validation_weight above 0, got none");
  }
  CHECK(score(none, two_classes_prediction, IsicTarget::Dice).validation == 1);
  const IsicBalancedAccuracy alone = isic_balanced_accuracy(
      parse_csv(none, "truth.csv"), parse_csv(two_classes_prediction, "pred.csv"));
  CHECK(alone.overall == 0.75);
  CHECK(std::isnan(alone.validation));
}

TEST_CASE("isic_score: score weights count, ISIC_0035068 does not") {
  const IsicScore made = score(weighted({"2,1", "1,1", "1,1", "1,1"}), two_classes_prediction);
  CHECK(made.overall == close_to(2.5 / 3));
  CHECK(made.validation == 0.75);
  CHECK(made.per_category[0].auc == close_to(2.0 / 3));
  CHECK(made.per_category[0].ap == close_to(2.6 / 3));
  const auto renamed = [](const std::string& content) {
    return replaced(content, "i1", "ISIC_0035068");
  };
  for (const std::string& truth : {two_classes_truth, weighted({"2,1", "1,1", "1,1", "1,1"})}) {
    const IsicScore without = score(renamed(truth), renamed(two_classes_prediction));
    CHECK(without.overall == 0.5);
    CHECK(without.validation == 0.5);
    CHECK(without.per_category[0].ap == close_to(1.0 / 3));
  }
}

TEST_CASE("isic_score: Windows line ends, a byte-order mark, lesion_id, a single class") {
  const auto windows = [](const std::string& content) {
    std::string made = "\xEF\xBB\xBF";
    for (const char c : content) made += c == '\n' ? "\r\n" : std::string(1, c);
    return made;
  };
  const Json expected = to_json(score(two_classes_truth, two_classes_prediction));
  CHECK(to_json(score(windows(two_classes_truth), windows(two_classes_prediction))) == expected);
  CHECK(to_json(score(replaced(two_classes_truth, "image", "lesion_id"), two_classes_prediction)) ==
        expected);
  const IsicScore one = score("image,A\ni1,1.0\ni2,0.0\n", "image,A\ni1,0.3\ni2,0.4\n");
  CHECK(one.overall == 1);
  CHECK(one.per_category[0].auc == 0);
  CHECK(one.per_category[0].ap == 0.5);
}

TEST_CASE("isic_score: predictions are refused as by the package") {
  const std::string& truth = two_classes_truth;
  const std::string& good = two_classes_prediction;
  CHECK(score_error(truth, replaced(good, "i4,0.3,0.7\n", "")) ==
        "[isic] pred.csv: expected the 4 images of truth.csv, got none for 1: i4");
  CHECK(score_error(truth, good + "i5,0.1,0.2\ni7,0.1,0.2\n") ==
        "[isic] pred.csv: expected the 4 images of truth.csv, got 2 others: i5, i7");
  CHECK(score_error(truth, "image,A,B\nb,0.5,0.5\n") ==
        "[isic] pred.csv: expected the 4 images of truth.csv, got none for 4: i1, i2, i3 and 1 "
        "more");
  // Only predictions lose their .jpg.
  CHECK(mentions(score_error(replaced(truth, "i1", "i1.jpg"), replaced(good, "i1", "i1.jpg")),
                 {"got none for 1: i1.jpg"}));
  CHECK(score_error(truth, good + "i1.JPG,0.1,0.2\n") ==
        "[submission] pred.csv:6: expected each image once, got i1 listed already in line 2");
  CHECK(mentions(score_error(truth, replaced(good, "A,B", "A,C")), {"pred.csv: ", "none for B"}));
  CHECK(mentions(score_error(truth, weighted({"1,1", "1,1", "1,1", "1,1"})),
                 {"pred.csv: ", "got also score_weight, validation_weight"}));
  CHECK(mentions(score_error(truth, replaced(good, "0.4", "abc")),
                 {"pred.csv:3: expected a number in column A, got 'abc'"}));
  CHECK(mentions(score_error(truth, replaced(good, "0.4", "1.4")), {"pred.csv:3: ", "column A"}));
  CHECK(mentions(score_error(truth, "image,A,B\ni1,1,0.1\ni2,0,0.1\ni3,0,0.1\ni4,0,0.1\n"),
                 {"pred.csv: ", "column A, got integers alone"}));
}

TEST_CASE("isic_score: truths that cannot be scored are refused") {
  const std::string& truth = two_classes_truth;
  const auto refusal = [](const std::string& content) {
    return score_error(content, two_classes_prediction);
  };
  CHECK(refusal(replaced(truth, "image", "name")) ==
        "[csv] truth.csv: expected a column image or lesion_id, got name, A, B");
  CHECK(refusal("image,A,B\n") == "[isic] truth.csv: expected a row for each image, got none");
  CHECK(refusal("image,score_weight\ni1,1\n") ==
        "[isic] truth.csv: expected class columns, got none");
  CHECK(refusal("image,A,\ni1,1,\n") ==
        "[isic] truth.csv: expected a name for every column, got none for column 3");
  CHECK(refusal(truth + "i1,1.0,0.0\n") ==
        "[isic] truth.csv:6: expected each image once, got i1 a second time");
  CHECK(refusal(truth + ",1.0,0.0\n") == "[isic] truth.csv:6: expected an image name, got none");
  CHECK(refusal(replaced(truth, "i2,0.0", "i2,0.7")) ==
        "[isic] truth.csv:3: expected 0 or 1 in column A, got '0.7'");
  CHECK(refusal(replaced(truth, "i2,0.0", "i2,")) ==
        "[csv] truth.csv:3: expected a number in column A, got ''");
  CHECK(refusal(weighted({"1,1", "-1,1", "1,1", "1,1"})) ==
        "[isic] truth.csv:3: expected a finite weight of at least 0 in column score_weight, got "
        "'-1'");
  CHECK(mentions(refusal(weighted({"1,1", "1,inf", "1,1", "1,1"})),
                 {"truth.csv:3: ", "column validation_weight, got 'inf'"}));
  CHECK(mentions(refusal(weighted({"1,1", "1,", "1,1", "1,1"})),
                 {"truth.csv:3: expected a number in column validation_weight, got ''"}));
  CHECK(refusal(weighted({"0,1", "0,1", "0,1", "0,1"})) ==
        "[isic] truth.csv: expected a score_weight above 0, got none");
  CHECK(
      refusal(weighted({"0,1", "1,1", "0,1", "1,1"})) ==
      "[isic] truth.csv: expected images of every class, got none of A (with a score_weight above "
      "0); balanced accuracy alone needs none");
}

}  // namespace
}  // namespace dermis
