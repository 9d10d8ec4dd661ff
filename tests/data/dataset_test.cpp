#include "dermis/data/dataset.hpp"

#include <catch2/catch.hpp>
#include <stdexcept>

using namespace dermis;

namespace {

/// Four samples whose only pixel tells which one they are.
Dataset four() {
  return Dataset({"NV", "MEL"},
                 {{.id = "a", .label = 0, .lesion = "L1"},
                  {.id = "b", .label = 1, .patient = "P"},
                  {.id = "c", .label = 0, .lesion = "L1"},
                  {.id = "d", .label = 1, .synthetic = true}},
                 [](int64_t i) { return make_image(1, 1, static_cast<std::uint8_t>(10 + i)); });
}

}  // namespace

TEST_CASE("dataset: tells classes, labels, lesions, patients and counts") {
  const Dataset data = four();
  CHECK(data.size() == 4);
  CHECK(data.labels() == std::vector<int>{0, 1, 0, 1});
  CHECK(data.lesions() == std::vector<std::string>{"L1", "", "L1", ""});
  CHECK(data.patients() == std::vector<std::string>{"", "P", "", ""});
  CHECK(data.class_counts() == std::vector<int64_t>{2, 2});
  CHECK(data.samples()[3].synthetic);
  CHECK(Dataset().size() == 0);
  CHECK(Dataset().class_counts().empty());
}

TEST_CASE("dataset: a subset loads the pixels of its own samples, also a subset of a subset") {
  const Dataset part = four().subset({3, 0, 2});
  CHECK(part.samples()[0].id == "d");
  CHECK(part.load(0).rgb[0] == 13);
  const Dataset inner = part.subset({2, 1});
  CHECK(inner.samples()[0].id == "c");
  CHECK(inner.load(0).rgb[0] == 12);
  CHECK(inner.load(1).rgb[0] == 10);
  CHECK(inner.class_counts() == std::vector<int64_t>{2, 0});
  CHECK(part.subset({}).size() == 0);
}

TEST_CASE("dataset: concatenation keeps both loaders") {
  const Dataset all = four();
  const Dataset both = concatenate(all.subset({2, 1}), all.subset({0, 3}));
  REQUIRE(both.size() == 4);
  CHECK(both.samples()[3].id == "d");
  CHECK(both.load(1).rgb[0] == 11);
  CHECK(both.load(2).rgb[0] == 10);
}

TEST_CASE("dataset: refuses what does not fit") {
  const Dataset data = four();
  CHECK_THROWS_AS(data.load(4), std::invalid_argument);
  CHECK_THROWS_AS(data.load(-1), std::invalid_argument);
  CHECK_THROWS_AS(data.subset({0, 4}), std::invalid_argument);
  CHECK_THROWS_WITH(data.subset({1, 1}), Catch::Contains("b twice"));
  CHECK_THROWS_WITH(concatenate(data, data), Catch::Contains("a twice"));
  const Dataset other({"MEL", "NV"}, {}, [](int64_t) { return Image(); });
  CHECK_THROWS_AS(concatenate(data, other), std::invalid_argument);
  const auto loader = [](int64_t) { return Image(); };
  CHECK_THROWS_WITH(Dataset({"NV"}, {{.id = "x", .label = 1}}, loader),
                    Catch::Contains("label of x"));
  CHECK_THROWS_AS(Dataset({"NV", "NV"}, {}, loader), std::invalid_argument);
  CHECK_THROWS_AS(Dataset({"NV"}, {}, nullptr), std::invalid_argument);
}
