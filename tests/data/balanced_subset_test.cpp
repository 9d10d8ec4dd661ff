#include "dermis/data/balanced_subset.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "train/stripes.hpp"

using namespace dermis;

namespace {

/// Class 0: five lesions of three views; class 1: four of one view and three without a name.
std::vector<Sample> samples() {
  std::vector<Sample> all;
  const auto add = [&](int label, const std::string& lesion) {
    all.push_back({.id = "image" + std::to_string(all.size()), .label = label, .lesion = lesion});
  };
  for (int lesion = 0; lesion < 5; ++lesion)
    for (int view = 0; view < 3; ++view) add(0, "a" + std::to_string(lesion));
  for (int lesion = 0; lesion < 4; ++lesion) add(1, "b" + std::to_string(lesion));
  for (int i = 0; i < 3; ++i) add(1, "");
  return all;
}

std::set<std::string> ids(const std::vector<Sample>& all, const std::vector<std::int64_t>& rows) {
  std::set<std::string> names;
  for (const auto i : rows) names.insert(all[static_cast<std::size_t>(i)].id);
  return names;
}

}  // namespace

TEST_CASE("balanced subset: equally many of each class, lesions whole but one at most") {
  const auto all = samples();
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const auto rows = class_balanced_rows(all, 0, seed);
    CHECK(std::is_sorted(rows.begin(), rows.end()));
    CHECK(ids(all, rows).size() == 14);  // the rarest class has seven
    std::map<int, int> of_class;
    std::map<std::string, int> of_lesion;
    for (const auto i : rows) {
      const auto& sample = all[static_cast<std::size_t>(i)];
      ++of_class[sample.label];
      if (sample.label == 0) ++of_lesion[sample.lesion];
    }
    CHECK(of_class == std::map<int, int>{{0, 7}, {1, 7}});
    CHECK(of_lesion.size() == 3);  // 3 + 3 + 1
    CHECK(std::count_if(of_lesion.begin(), of_lesion.end(),
                        [](const auto& lesion) { return lesion.second < 3; }) == 1);
  }
  CHECK(class_balanced_rows(all, 6, 1).size() == 12);
  CHECK(ids(all, class_balanced_rows(all, 3, 1)) != ids(all, class_balanced_rows(all, 3, 2)));
}

TEST_CASE("balanced subset: the order of the samples does not matter; the images come along") {
  const auto all = samples();
  auto turned = all;
  std::reverse(turned.begin(), turned.end());
  CHECK(ids(all, class_balanced_rows(all, 4, 3)) == ids(turned, class_balanced_rows(turned, 4, 3)));
  const auto set = test::striped(20, 1);
  const auto subset = class_balanced_subset(set, 4, 1);
  CHECK(subset.class_counts() == std::vector<std::int64_t>{4, 4});
  const auto first = class_balanced_rows(set.samples, 4, 1).front();
  CHECK(at::equal(subset.images[0], set.images[first]));
}

TEST_CASE("balanced subset: more than a class has is refused") {
  CHECK_THROWS_WITH(class_balanced_rows(samples(), 8, 0),
                    Catch::Contains("at least 8 images of each class, got 7 of class 1"));
  CHECK_THROWS_WITH(class_balanced_rows(samples(), -1, 0), Catch::Contains("at least 0"));
  CHECK(class_balanced_rows({}, 0, 0).empty());
}
