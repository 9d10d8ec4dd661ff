#include "dermis/metrics/group_gaps.hpp"

#include <catch2/catch.hpp>
#include <stdexcept>

#include "core/support.hpp"
#include "dermis/core/random.hpp"

using namespace dermis;
using test::mentions;
using test::message_of;

namespace {

struct Judged {
  std::vector<int> labels;
  Eigen::MatrixXd probabilities;
  std::vector<std::string> groups, lesions;
};

/// Four classes in three groups; a row is right with probability `right` of its group, at a
/// confidence of 0.75. Lesions have two views that are right or wrong together.
Judged judged(std::uint64_t seed, const std::vector<double>& right, int lesions = 600) {
  Judged j;
  j.probabilities = Eigen::MatrixXd::Constant(2 * lesions, 4, 0.25 / 3);
  for (int i = 0; i < lesions; ++i) {
    RandomStream random(seed, "group gaps test", 0, static_cast<std::uint64_t>(i));
    const double u = random.uniform();
    const std::size_t group = u < 0.6 ? 0 : u < 0.85 ? 1 : 2;
    const auto label = static_cast<int>(random.below(4));
    const bool hit = random.chance(right[group]);
    const int predicted = hit ? label : (label + 1 + static_cast<int>(random.below(3))) % 4;
    for (int view = 0; view < 2; ++view) {
      j.probabilities(2 * i + view, predicted) = 0.75;
      j.labels.push_back(label);
      j.groups.push_back(std::vector<std::string>{"dark", "light", "tan"}[group]);
      j.lesions.push_back("L" + std::to_string(i));
    }
  }
  return j;
}

GroupGaps gaps(const Judged& j, std::int64_t resamples = 300, std::int64_t least = 10) {
  GroupGapOptions options;
  options.bootstrap.resamples = resamples;
  options.least_lesions = least;
  return group_gaps(j.labels, j.probabilities, j.groups, j.lesions, options);
}

/// Share of `seeds` data sets in which a gap is found.
double found_share(const std::vector<double>& right, int seeds) {
  int found = 0;
  for (int seed = 0; seed < seeds; ++seed)
    found += gaps(judged(static_cast<std::uint64_t>(seed), right), 200).found;
  return static_cast<double>(found) / seeds;
}

}  // namespace

TEST_CASE("group gaps: figures of each group, counted by hand") {
  Judged j;
  j.labels = {0, 0, 1, 1, 0, 1, 0};
  j.groups = {"a", "a", "a", "a", "b", "b", ""};
  j.lesions = {"1", "1", "2", "3", "4", "5", "6"};
  j.probabilities.resize(7, 2);
  j.probabilities << 0.9, 0.1, 0.2, 0.8, 0.4, 0.6, 0.3, 0.7, 0.9, 0.1, 0.9, 0.1, 1, 0;
  const GroupGaps result = gaps(j, 50);
  REQUIRE(result.groups.size() == 2);
  CHECK(result.unknown == 1);
  CHECK_FALSE(result.found);
  const GroupFigures& a = result.groups[0];
  CHECK(a.group == "a");
  CHECK(a.images == 4);
  CHECK(a.lesions == 3);
  CHECK(a.balanced_accuracy.mean == Approx(0.75));  // recalls 1/2 and 1
  CHECK(a.recall[0].mean == Approx(0.5));
  CHECK(a.recall[1].mean == Approx(1));
  CHECK(a.overconfidence.mean == Approx((0.9 + 0.8 + 0.6 + 0.7) / 4 - 0.75));
  CHECK(a.calibration_error.mean == Approx((0.1 + 0.8 + 0.4 + 0.3) / 4));  // a bin each
  CHECK(mentions(a.note, {"fewer than two classes", "10 lesions"}));
  CHECK(result.gaps.empty());
}

TEST_CASE("group gaps: a gap is the difference of the groups' figures on the classes of both") {
  const Judged j = judged(1, {0.8, 0.8, 0.5});
  const GroupGaps result = gaps(j);
  REQUIRE(result.gaps.size() == 6);  // three pairs, two figures
  CHECK(result.found);
  const GroupGap& widest = result.gaps.front();
  CHECK(widest.found);
  CHECK((widest.first == "tan" || widest.second == "tan"));
  for (const GroupGap& gap : result.gaps) {
    CHECK(gap.classes == std::vector<int>{0, 1, 2, 3});
    CHECK(gap.difference.lo < gap.difference.mean);
    CHECK(gap.found == (gap.difference.lo > 0 || gap.difference.hi < 0));
    if (gap.figure != "balanced accuracy") continue;
    const auto of = [&](const std::string& name) {
      for (const GroupFigures& g : result.groups)
        if (g.group == name) return g.balanced_accuracy.mean;
      return -1.0;
    };
    CHECK(gap.difference.mean == Approx(of(gap.first) - of(gap.second)));
  }
}

TEST_CASE("group gaps: a class that a group hardly has is not compared") {
  Judged j = judged(2, {0.8, 0.8, 0.8}, 300);
  for (std::size_t i = 0; i < j.labels.size(); ++i)
    if (j.groups[i] == "tan" && j.labels[i] == 3) j.groups[i] = "";
  const GroupGaps result = gaps(j, 50, 5);
  REQUIRE(result.gaps.size() == 6);
  for (const GroupGap& gap : result.gaps) {
    const bool tan = gap.first == "tan" || gap.second == "tan";
    CHECK(gap.classes.size() == (tan ? 3u : 4u));
  }
}

TEST_CASE("group gaps: planted gaps are found, equal groups are not accused") {
  CHECK(found_share({0.8, 0.8, 0.8}, 20) <= 0.05);
  CHECK(found_share({0.8, 0.8, 0.5}, 5) >= 0.95);
}

TEST_CASE("group gaps: rates over many data sets", "[.full]") {
  const double false_alarms = found_share({0.8, 0.8, 0.8}, 400);
  const double sure = found_share({0.97, 0.97, 0.97}, 400);
  const double found = found_share({0.8, 0.8, 0.5}, 100);
  WARN("false alarms " << false_alarms << ", at recall 0.97 " << sure << "; found " << found);
  CHECK(false_alarms <= 0.05);
  CHECK(sure <= 0.05);
  CHECK(found >= 0.95);
}

TEST_CASE("group gaps: JSON names groups and classes") {
  const Json json = to_json(gaps(judged(1, {0.8, 0.8, 0.5}), 50), {"A", "B", "C", "D"});
  CHECK(json.at("found").get<bool>());
  CHECK(json.at("groups").elements()[2].at("group").get<std::string>() == "tan");
  CHECK(json.at("groups").elements()[0].at("recall").contains("D"));
  CHECK(json.at("gaps").elements()[0].at("classes").get<std::vector<std::string>>() ==
        std::vector<std::string>{"A", "B", "C", "D"});
  CHECK(mentions(message_of<std::invalid_argument>([] {
                   to_json(gaps(judged(1, {1, 1, 1}), 10), {"A"});
                 }),
                 {"[groups]", "names of 4 classes", "got 1"}));
}

TEST_CASE("group gaps: wrong arguments are named") {
  const Judged j = judged(0, {1, 1, 1}, 20);
  const auto message = [&](const GroupGapOptions& options, Judged changed) {
    return message_of<std::invalid_argument>([&] {
      group_gaps(changed.labels, changed.probabilities, changed.groups, changed.lesions, options);
    });
  };
  GroupGapOptions options;
  options.alpha = 0.5;
  CHECK(mentions(message(options, j), {"[groups]", "alpha between 0 and 0.5", "got 0.5"}));
  options = {};
  options.least_lesions = 1;
  CHECK(mentions(message(options, j), {"[groups]", "least_lesions of at least 2", "got 1"}));
  Judged shorter = j;
  shorter.groups.pop_back();
  CHECK(mentions(message({}, shorter), {"as many groups as the 40 labels", "got 39"}));
  Judged label = j;
  label.labels[3] = 4;
  CHECK(mentions(message({}, label), {"labels in 0 .. 3", "got 4"}));
  Judged unsure = j;
  unsure.probabilities(0, 0) = -0.5;
  CHECK(mentions(message({}, unsure), {"probabilities", "[0, 1]"}));
}
