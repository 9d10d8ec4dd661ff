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
