#include "dermis/metrics/isic_score.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/support.hpp"
#include "isic_support.hpp"

// Expected numbers and refusals: isic-challenge-scoring 5.8.0 with scikit-learn 1.9.1, see
// isic/README.md.

namespace dermis {
namespace {

using test::close_to;
using test::mentions;
using test::message_of;

std::filesystem::path fixture(const std::string& name) {
  return std::filesystem::path(__FILE__).parent_path() / "isic" / name;
}

const std::vector<std::pair<std::string, IsicTarget>>& targets() {
  static const std::vector<std::pair<std::string, IsicTarget>> all{
      {"balanced_accuracy", IsicTarget::BalancedAccuracy},
      {"auc", IsicTarget::AUC},
      {"ap", IsicTarget::AveragePrecision},
      {"dice", IsicTarget::Dice}};
  return all;
}

/// Same structure, members in the same order if `ordered`, numbers within 1e-9. Returns how many
/// numbers it saw.
int compare(const Json& actual, const Json& expected, const std::string& at = "",
            bool ordered = true) {
  INFO(at);
  if (expected.is_number()) {
    CHECK(actual.get<double>() == close_to(expected.get<double>()));
    return 1;
  }
  REQUIRE(actual.size() == expected.size());
  int seen = 0;
  if (expected.is_array()) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      seen += compare(actual.elements()[i], expected.elements()[i], text(at, "/", i), ordered);
    }
    return seen;
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto& [key, value] = expected.items()[i];
    if (ordered) CHECK(actual.items()[i].first == key);
    seen += compare(actual.at(key), value, at + "/" + key, ordered);
  }
  return seen;
}

TEST_CASE("isic_score: every figure of the scoring package, with and without weights") {
  for (const std::string variant : {"plain", "weighted"}) {
    const Table truth = read_csv(fixture(variant + "_truth.csv"));
    const Table prediction = read_csv(fixture(variant + "_pred.csv"));
    const Json expected = Json::read(fixture(variant + "_score.json"));
    for (const auto& [name, target] : targets()) {
      CAPTURE(variant, name);
      const IsicScore score = score_isic(truth, prediction, target);
      if (target == IsicTarget::BalancedAccuracy) {
        // 2 + 9 figures of 9 classes and their means + 1, and curves of at least 2 points.
        CHECK(compare(to_json(score), expected.at(name)) > 2 + 90 + 1 + 9 * 3 * 2);
      } else {
        CHECK(score.overall == close_to(expected.at(name).at("overall").get<double>()));
        CHECK(score.validation == close_to(expected.at(name).at("validation").get<double>()));
      }
    }
    const IsicBalancedAccuracy alone = isic_balanced_accuracy(truth, prediction);
    CHECK(alone.overall == close_to(expected.at("balanced_accuracy").at("overall").get<double>()));
    CHECK(alone.validation ==
          close_to(expected.at("balanced_accuracy").at("validation").get<double>()));
  }
}

TEST_CASE(
    "isic_score: the JSON of the parity data (isic-challenge-scoring 5.6.0), field by field") {
  const auto data =
      std::filesystem::path(__FILE__).parent_path().parent_path() / "parity/data/11b_isic_scoring";
  for (const std::string variant : {"plain", "weighted"}) {
    CAPTURE(variant);
    const Table truth = read_csv(data / (variant + "_truth.csv"));
    const Table prediction = read_csv(data / (variant + "_pred.csv"));
    const Json scores = Json::read(data / (variant + "_score.json"));
    REQUIRE(scores.size() == 3);
    for (const auto& [name, target] : targets()) {
      if (!scores.contains(name)) continue;
      const Json& expected = scores.at(name);
      const Json actual = to_json(score_isic(truth, prediction, target), expected.contains("rocs"));
      CHECK(compare(actual, expected, name, /*ordered=*/false) >= 2 + 90 + 1);
    }
  }
  const Table truth = read_csv(data / "nounk_truth.csv");
  const Table prediction = read_csv(data / "nounk_pred.csv");
  CHECK(mentions(message_of<std::runtime_error>([&] { score_isic(truth, prediction); }),
                 {"nounk_truth.csv", "UNK"}));
}

TEST_CASE("isic_score: a class without images has balanced accuracy alone") {
  Table truth = read_csv(fixture("plain_truth.csv"));
  Table prediction = read_csv(fixture("plain_pred.csv"));
  const auto unknown = static_cast<std::size_t>(truth.column("UNK"));
  std::vector<std::string> left_out;
  for (std::size_t r = truth.rows.size(); r-- > 0;) {
    if (truth.rows[r][unknown] != "1.0") continue;
    left_out.push_back(truth.rows[r][0]);
    truth.rows.erase(truth.rows.begin() + static_cast<std::ptrdiff_t>(r));
    truth.lines.erase(truth.lines.begin() + static_cast<std::ptrdiff_t>(r));
  }
  CHECK(left_out.size() == 4);
  for (std::size_t r = prediction.rows.size(); r-- > 0;) {
    const std::string& image = prediction.rows[r][0];
    if (std::count(left_out.begin(), left_out.end(), image) == 0) continue;
    prediction.rows.erase(prediction.rows.begin() + static_cast<std::ptrdiff_t>(r));
    prediction.lines.erase(prediction.lines.begin() + static_cast<std::ptrdiff_t>(r));
  }
  CHECK(isic_balanced_accuracy(truth, prediction).overall == close_to(0.3604286586429443));
  CHECK(mentions(message_of<std::runtime_error>([&] { score_isic(truth, prediction); }),
                 {"[isic] ", "plain_truth.csv: expected images of every class, got none of UNK"}));
}

/// Two classes, `images` rows of four decimals from a linear congruential generator.
std::pair<std::string, std::string> generated(int images) {
  std::uint64_t state = 12345;
  const auto draw = [&] {
    state = (1103515245 * state + 12345) % 2147483648;
    return static_cast<int>((state >> 8) % 10000);
  };
  const auto decimals = [](int value) {
    const std::string digits = std::to_string(value);
    return "0." + std::string(4 - digits.size(), '0') + digits;
  };
  std::string truth = "image,A,B\n", prediction = truth;
  for (int i = 0; i < images; ++i) {
    const int threshold = draw(), value = draw();
    const std::string image = "i" + std::to_string(10000 + i);
    truth += image + (threshold < value ? ",1.0,0.0\n" : ",0.0,1.0\n");
    prediction += image + "," + decimals(value) + "," + decimals(9999 - value) + "\n";
  }
  return {truth, prediction};
}

TEST_CASE("isic_score: a ROC curve of more than 100 points is simplified") {
  const auto [truth, prediction] = generated(3000);
  const IsicScore made =
      score_isic(parse_csv(truth, "truth.csv"), parse_csv(prediction, "pred.csv"));
  const auto sum = [](const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
  };
  REQUIRE(made.rocs.size() == 2);
  const IsicRoc& a = made.rocs[0];
  CHECK(a.threshold.size() == 229);
  CHECK(sum(a.threshold) == close_to(115.92130000000009));
  CHECK(sum(a.fpr) == close_to(68.96099529253527));
  CHECK(sum(a.tpr) == close_to(156.29147389292802));
  CHECK(std::vector<double>(a.threshold.begin(), a.threshold.begin() + 6) ==
        std::vector<double>{1.0, 0.9674, 0.9613, 0.9551, 0.941, 0.9277});
  const IsicRoc& b = made.rocs[1];
  CHECK(b.threshold.size() == 229);
  CHECK(sum(b.threshold) == close_to(113.14639999999994));
  CHECK(sum(b.fpr) == close_to(72.71050892267019));
  CHECK(sum(b.tpr) == close_to(160.03900470746458));
  CHECK(made.per_category[0].auc_sens_80 == close_to(0.6388064259048791));
  CHECK(made.per_category[1].auc_sens_80 == close_to(0.6299061663858788));
  CHECK(made.per_category[0].ap == close_to(0.8192905822305967));
}

/// `generated` with a score_weight of tenths and a validation_weight of thirds, lines rotated.
IsicScore fractional(int rotation, IsicTarget target) {
  const auto [truth, prediction] = generated(400);
  Table table = parse_csv(truth, "truth.csv");
  table.columns.insert(table.columns.end(), {"score_weight", "validation_weight"});
  const std::vector<std::string> thirds{"0.000000", "0.333333", "0.666667", "1.000000"};
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    table.rows[i].push_back("0." + std::to_string(i * 7 % 10));
    table.rows[i].push_back(thirds[i * 3 % 4]);
  }
  std::rotate(table.rows.begin(), table.rows.begin() + rotation, table.rows.end());
  return score_isic(table, parse_csv(prediction, "pred.csv"), target);
}

TEST_CASE("isic_score: fractional weights, and the package's pairing of an unsorted truth") {
  const std::vector<double> sorted{0.7684939084361615, 0.7355903556193344, 0.84677760427842,
                                   0.8125932359395056, 0.8385327942768267, 0.8057348257044912,
                                   0.7684323365177246, 0.7338756297084993};
  const std::vector<double> unsorted{0.7322155234106308, 0.7656546055351446, 0.816478228599703,
                                     0.8506066253021602, 0.8056734815754403, 0.8533035199261382,
                                     0.7308120133481646, 0.7627401746061055};
  for (std::size_t t = 0; t < targets().size(); ++t) {
    CAPTURE(targets()[t].first);
    const IsicScore straight = fractional(0, targets()[t].second);
    CHECK(straight.overall == close_to(sorted[2 * t]));
    CHECK(straight.validation == close_to(sorted[2 * t + 1]));
    const IsicScore rotated = fractional(203, targets()[t].second);
    CHECK(rotated.overall == close_to(unsorted[2 * t]));
    CHECK(rotated.validation == close_to(unsorted[2 * t + 1]));
  }
  const IsicScore straight = fractional(0, IsicTarget::Dice);
  CHECK(straight.rocs[0].fpr.size() == 120);
  CHECK(straight.rocs[1].fpr.size() == 120);
  CHECK(straight.per_category[0].auc_sens_80 == close_to(0.6999066080103786));
  const IsicScore rotated = fractional(203, IsicTarget::Dice);
  CHECK(rotated.rocs[0].fpr.size() == 112);
  CHECK(rotated.rocs[1].fpr.size() == 112);
  CHECK(rotated.per_category[1].auc_sens_80 == close_to(0.6685762154447583));
}

}  // namespace
}  // namespace dermis
