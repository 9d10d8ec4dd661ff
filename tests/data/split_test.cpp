#include "dermis/data/split.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <set>
#include <stdexcept>

#include "dermis/core/random.hpp"

using namespace dermis;

namespace {

Dataset dataset_of(std::vector<Sample> samples, std::vector<std::string> classes) {
  return Dataset(std::move(classes), std::move(samples), [](int64_t) { return make_image(1, 1); });
}

/// Class c has sizes[c] images; lesions have one to four views, every fifth image has no lesion id.
Dataset lesions(const std::vector<int>& sizes) {
  std::vector<Sample> samples;
  std::vector<std::string> classes;
  for (std::size_t c = 0; c < sizes.size(); ++c) {
    classes.push_back("class" + std::to_string(c));
    int lesion = 0, views = 0;
    for (int i = 0; i < sizes[c]; ++i) {
      if (views == 0) views = 1 + ++lesion % 4;
      --views;
      const std::string id = classes[c] + "_" + std::to_string(i);
      samples.push_back({.id = id,
                         .label = static_cast<int>(c),
                         .lesion = i % 5 == 4 ? "" : classes[c] + "L" + std::to_string(lesion)});
    }
  }
  return dataset_of(std::move(samples), std::move(classes));
}

std::set<std::string> ids(const Dataset& data, const std::vector<int64_t>& part) {
  std::set<std::string> result;
  for (const int64_t i : part) result.insert(data.samples()[static_cast<std::size_t>(i)].id);
  return result;
}

}  // namespace

TEST_CASE("split: every sample is in one part, no lesion in two") {
  const Dataset data = lesions({100, 100, 37, 12});
  const Split split = grouped_stratified_split(data, {.seed = 3});
  const std::vector<std::string> lesion_of = data.lesions();
  std::map<std::string, int> part_of;
  std::vector<int64_t> all;
  int part = 0;
  for (const auto* indices : {&split.train, &split.validation, &split.test}) {
    CHECK(std::is_sorted(indices->begin(), indices->end()));
    all.insert(all.end(), indices->begin(), indices->end());
    for (const int64_t i : *indices) {
      const std::string& lesion = lesion_of[static_cast<std::size_t>(i)];
      if (lesion.empty()) continue;
      CHECK(part_of.emplace(lesion, part).first->second == part);
    }
    ++part;
  }
  std::sort(all.begin(), all.end());
  REQUIRE(static_cast<int64_t>(all.size()) == data.size());
  for (std::size_t i = 0; i < all.size(); ++i) CHECK(all[i] == static_cast<int64_t>(i));
}

TEST_CASE("split: shares hold class by class, for a hundred images a class too") {
  for (const std::uint64_t seed : {0, 1, 2}) {
    const Dataset data = lesions({100, 100, 400, 1000});
    const Split split =
        grouped_stratified_split(data, {.validation = 0.2, .test = 0.1, .seed = seed});
    const auto validation = data.subset(split.validation).class_counts();
    const auto test = data.subset(split.test).class_counts();
    for (std::size_t c = 0; c < 4; ++c) {
      const auto count = static_cast<double>(data.class_counts()[c]);
      CHECK(std::abs(static_cast<double>(validation[c]) - 0.2 * count) <=
            4);  // at most one lesion off
      CHECK(std::abs(static_cast<double>(test[c]) - 0.1 * count) <= 4);
    }
  }
}

TEST_CASE("split: single lesions round to the nearest share") {
  for (const auto& [count, expected] : {std::pair{100, 15}, {31, 5}, {53, 8}, {9, 1}}) {
    std::vector<Sample> samples;
    for (int i = 0; i < 2 * count; ++i) {
      samples.push_back({.id = std::to_string(i), .label = i % 2});
    }
    const Dataset data = dataset_of(samples, {"NV", "DF"});
    const Split split = grouped_stratified_split(data);
    for (const auto* part : {&split.validation, &split.test}) {
      CHECK(data.subset(*part).class_counts() == std::vector<int64_t>{expected, expected});
    }
  }
}

TEST_CASE("split: lesions with many views are in every part") {
  const Dataset data = lesions({400, 400});
  const Split split = grouped_stratified_split(data);
  for (const auto* part : {&split.train, &split.validation, &split.test}) {
    std::map<std::string, int> views;
    for (const std::string& lesion : data.subset(*part).lesions()) ++views[lesion];
    views.erase("");
    const auto many =
        std::count_if(views.begin(), views.end(), [](const auto& v) { return v.second >= 3; });
    CHECK(static_cast<double>(many) > 0.2 * static_cast<double>(views.size()));
  }
}

TEST_CASE("split: depends on the seed, not on the order of samples or classes") {
  const Dataset data = lesions({60, 60});
  const Split split = grouped_stratified_split(data, {.seed = 5});
  CHECK(split.test == grouped_stratified_split(data, {.seed = 5}).test);
  CHECK(split.test != grouped_stratified_split(data, {.seed = 6}).test);

  const Dataset shuffled = data.subset(RandomStream(1, "order").permutation(data.size()));
  CHECK(ids(shuffled, grouped_stratified_split(shuffled, {.seed = 5}).test) ==
        ids(data, split.test));

  std::vector<Sample> samples = data.samples();
  for (Sample& sample : samples) sample.label = 1 - sample.label;
  const Dataset reversed = dataset_of(samples, {"class1", "class0"});
  CHECK(grouped_stratified_split(reversed, {.seed = 5}).test == split.test);
}

TEST_CASE("split: three lesions are enough for one in each part") {
  std::vector<Sample> samples;
  for (int i = 0; i < 9; ++i) {  // one lesion has seven of the nine images
    samples.push_back({.id = std::to_string(i), .label = 0, .lesion = i < 7 ? "big" : ""});
  }
  for (int i = 9; i < 12; ++i) samples.push_back({.id = std::to_string(i), .label = 1});
  const Dataset data = dataset_of(samples, {"NV", "DF"});
  const Split split = grouped_stratified_split(data);
  CHECK(data.subset(split.train).class_counts() == std::vector<int64_t>{7, 1});
  CHECK(data.subset(split.validation).class_counts() == std::vector<int64_t>{1, 1});
  CHECK(data.subset(split.test).class_counts() == std::vector<int64_t>{1, 1});
}

TEST_CASE("split: a part of share 0 is empty and needs no lesion") {
  std::vector<Sample> samples;
  for (int i = 0; i < 4; ++i) samples.push_back({.id = std::to_string(i), .label = i % 2});
  const Dataset data = dataset_of(samples, {"NV", "DF"});
  const Split split = grouped_stratified_split(data, {.validation = 0, .test = 0.4});
  CHECK(split.validation.empty());
  CHECK(split.train.size() == 2);
  CHECK(split.test.size() == 2);
  CHECK(grouped_stratified_split(data, {.validation = 0, .test = 0}).train.size() == 4);
}

TEST_CASE("split: an image without lesion id may be called like a lesion") {
  std::vector<Sample> samples = {{.id = "X", .label = 0}, {.id = "1", .label = 1, .lesion = "X"}};
  for (int i = 0; i < 6; ++i) samples.push_back({.id = "s" + std::to_string(i), .label = i % 2});
  CHECK_NOTHROW(grouped_stratified_split(dataset_of(samples, {"NV", "DF"})));
}

TEST_CASE("split: names what makes it impossible") {
  const Dataset few = lesions({30, 30});
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < 30; ++i) indices.push_back(i);
  CHECK_THROWS_WITH(grouped_stratified_split(few.subset(indices)),
                    Catch::Contains("class1") && Catch::Contains("got 0"));
  indices.insert(indices.end(), {34, 39});
  CHECK_THROWS_WITH(
      grouped_stratified_split(few.subset(indices)),
      Catch::Contains("at least 3 lesions of class class1") && Catch::Contains("got 2"));

  const Dataset torn =
      dataset_of({{.id = "a", .label = 0, .lesion = "L7"}, {.id = "b", .label = 1, .lesion = "L7"}},
                 {"NV", "DF"});
  CHECK_THROWS_AS(grouped_stratified_split(torn), std::runtime_error);
  CHECK_THROWS_WITH(grouped_stratified_split(torn), Catch::Contains("L7") &&
                                                        Catch::Contains("NV (a)") &&
                                                        Catch::Contains("DF (b)"));

  CHECK_THROWS_AS(grouped_stratified_split(few, {.validation = 0.5, .test = 0.5}),
                  std::invalid_argument);
  CHECK_THROWS_AS(grouped_stratified_split(few, {.validation = -0.1}), std::invalid_argument);
  const Dataset synthetic = dataset_of({{.id = "fake", .label = 0, .synthetic = true}}, {"NV"});
  CHECK_THROWS_WITH(grouped_stratified_split(synthetic), Catch::Contains("fake"));
}

namespace {

/// Patients with one to five lesions of one image or two; every fourth has a melanoma among them.
Dataset patients(int count) {
  std::vector<Sample> samples;
  for (int p = 0; p < count; ++p) {
    for (int l = 0; l < 1 + p % 5; ++l) {
      for (int view = 0; view < 1 + (p + l) % 2; ++view) {
        samples.push_back({.id = "i" + std::to_string(samples.size()),
                           .label = p % 4 == 0 && l == 0 ? 1 : 0,
                           .lesion = "L" + std::to_string(10 * p + l),
                           .patient = "P" + std::to_string(p)});
      }
    }
  }
  return dataset_of(std::move(samples), {"benign", "malignant"});
}

/// Checks that the parts cover every sample once and that no group is in two.
void check_parts(const Dataset& data, const std::vector<std::vector<int64_t>>& parts,
                 const std::vector<IndexPair>& together = {}) {
  const std::vector<int64_t> group_of = joined_groups(data.samples(), together);
  std::map<int64_t, std::size_t> part_of;
  std::set<int64_t> all;
  std::size_t count = 0;
  for (std::size_t part = 0; part < parts.size(); ++part) {
    CHECK(std::is_sorted(parts[part].begin(), parts[part].end()));
    count += parts[part].size();
    all.insert(parts[part].begin(), parts[part].end());
    for (const int64_t i : parts[part]) {
      const int64_t group = group_of[static_cast<std::size_t>(i)];
      CHECK(part_of.emplace(group, part).first->second == part);
    }
  }
  CHECK(count == all.size());
  CHECK(static_cast<int64_t>(all.size()) == data.size());
}

}  // namespace

TEST_CASE("split: patients stay whole, and a rare class keeps its shares") {
  const Dataset data = patients(200);
  for (const std::uint64_t seed : {0, 1, 2}) {
    const Split split =
        grouped_stratified_split(data, {.validation = 0.2, .test = 0.1, .seed = seed});
    check_parts(data, {split.train, split.validation, split.test});
    for (const auto& [part, share] : {std::pair{&split.validation, 0.2}, {&split.test, 0.1}}) {
      const auto counts = data.subset(*part).class_counts();
      for (std::size_t c = 0; c < 2; ++c) {  // a patient has at most eight images
        const double expected = share * static_cast<double>(data.class_counts()[c]);
        CHECK(std::abs(static_cast<double>(counts[c]) - expected) <= 8);
      }
      CHECK(std::abs(static_cast<double>(counts[1]) -
                     share * static_cast<double>(data.class_counts()[1])) <= 2);
    }
  }
}

TEST_CASE("split: pairs are kept together, also across classes") {
  const Dataset data = lesions({60, 60});
  const std::vector<IndexPair> pairs = {{4, 64}, {4, 9}, {70, 71}};
  const Split split = grouped_stratified_split(data, {.seed = 1, .together = pairs});
  check_parts(data, {split.train, split.validation, split.test}, pairs);
  CHECK_THROWS_AS(grouped_stratified_split(data, {.together = {{0, 120}}}), std::invalid_argument);
}

TEST_CASE("split: folds cover everything, hold every class evenly and do not depend on order") {
  for (const Dataset& data : {lesions({100, 53, 21}), patients(200)}) {
    const auto folds = grouped_stratified_folds(data, 5, 3);
    REQUIRE(folds.size() == 5);
    check_parts(data, folds);
    for (const auto& fold : folds) {
      const auto counts = data.subset(fold).class_counts();
      for (std::size_t c = 0; c < counts.size(); ++c) {
        CHECK(counts[c] > 0);
        CHECK(std::abs(static_cast<double>(counts[c]) -
                       static_cast<double>(data.class_counts()[c]) / 5) <= 8);
      }
    }
    CHECK(folds == grouped_stratified_folds(data, 5, 3));
    CHECK(folds != grouped_stratified_folds(data, 5, 4));
    const Dataset shuffled = data.subset(RandomStream(1, "order").permutation(data.size()));
    const auto again = grouped_stratified_folds(shuffled, 5, 3);
    for (std::size_t f = 0; f < 5; ++f) CHECK(ids(shuffled, again[f]) == ids(data, folds[f]));
    std::vector<Sample> samples = data.samples();
    std::vector<std::string> classes = data.classes();
    std::reverse(classes.begin(), classes.end());
    for (Sample& sample : samples)
      sample.label = static_cast<int>(classes.size()) - 1 - sample.label;
    CHECK(grouped_stratified_folds(dataset_of(samples, classes), 5, 3) == folds);
  }
}

TEST_CASE("split: left-over single lesions spread over the folds, class by class") {
  std::vector<Sample> samples;  // eight classes of six: one left over in each
  std::vector<std::string> classes;
  for (int c = 0; c < 8; ++c) {
    classes.push_back("class" + std::to_string(c));
    for (int i = 0; i < 6; ++i)
      samples.push_back({.id = std::to_string(samples.size()), .label = c});
  }
  for (const auto& fold : grouped_stratified_folds(dataset_of(samples, classes), 5))
    CHECK((fold.size() == 9 || fold.size() == 10));
}

TEST_CASE("split: folds that are impossible are named") {
  const Dataset few = dataset_of({{.id = "a", .label = 0},
                                  {.id = "b", .label = 0},
                                  {.id = "c", .label = 0},
                                  {.id = "d", .label = 1},
                                  {.id = "e", .label = 2}},
                                 {"NV", "DF", "VASC"});
  CHECK_THROWS_AS(grouped_stratified_folds(few, 3), std::runtime_error);
  CHECK_THROWS_WITH(grouped_stratified_folds(few, 3),
                    Catch::Contains("at least 3 lesions of class DF, one for each fold, got 1") &&
                        Catch::Contains("and 1 of class VASC"));
  CHECK_THROWS_WITH(grouped_stratified_folds(patients(8), 3),
                    Catch::Contains("at least 3 groups") && Catch::Contains("class malignant") &&
                        Catch::Contains("got 2"));
  CHECK_THROWS_AS(grouped_stratified_folds(few, 1), std::invalid_argument);
  // as few groups as folds still work when each holds both classes
  const Dataset torn = dataset_of({{.id = "a", .label = 0, .patient = "P1"},
                                   {.id = "b", .label = 1, .patient = "P1"},
                                   {.id = "c", .label = 0, .patient = "P2"},
                                   {.id = "d", .label = 1, .patient = "P2"}},
                                  {"NV", "MEL"});
  check_parts(torn, grouped_stratified_folds(torn, 2));
  // each class has two patients, but of any two folds one lacks a class
  const Dataset ring = dataset_of({{.id = "a", .label = 0, .patient = "P1"},
                                   {.id = "b", .label = 1, .patient = "P1"},
                                   {.id = "c", .label = 1, .patient = "P2"},
                                   {.id = "d", .label = 2, .patient = "P2"},
                                   {.id = "e", .label = 0, .patient = "P3"},
                                   {.id = "f", .label = 2, .patient = "P3"}},
                                  {"NV", "MEL", "DF"});
  CHECK_THROWS_WITH(grouped_stratified_folds(ring, 2),
                    Catch::Contains("cannot give each of the parts a group of class"));
}
