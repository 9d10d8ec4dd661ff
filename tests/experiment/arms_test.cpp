#include "dermis/experiment/arms.hpp"

#include <catch2/catch.hpp>

#include "folder.hpp"

using namespace dermis;

namespace {

Experiment read(const std::string& json) {
  const test::ScratchFolder folder;
  test::write_text(folder / "mine.json", json);
  return read_experiment(folder / "mine.json");
}

}  // namespace

TEST_CASE("experiment: a file says arms, comparisons and sweeps") {
  const auto experiment = read(R"({
    "title": "mine", "judge": "real", "recipe": {"synthetic_minimum": 7},
    "arms": [{"name": "real", "synthetic": false},
             {"name": "mae", "start": "pretrained", "recipe": {"teacher": {"training": {"steps": 9}}}},
             {"name": "small", "start": "distilled", "teacher": "mae"}],
    "comparisons": [{"first": "mae", "second": "real"}],
    "sweeps": [{"title": "t", "setting": "s", "points": [{"value": 0.5, "arm": "mae"}]}]})");
  REQUIRE(experiment.arms.size() == 3);
  CHECK(experiment.arms[1].start == ArmStart::Pretrained);
  CHECK(experiment.arms[2].teacher == "mae");
  CHECK(experiment.comparisons[0].second == "real");
  CHECK(experiment.sweeps[0].points[0].value == 0.5);

  const auto recipe = recipe_of(experiment, experiment.arms[1], dermae_recipe("demo"));
  CHECK(recipe.synthetic_minimum == 7);
  CHECK(recipe.teacher.training.steps == 9);
  CHECK(recipe.student.training.steps == dermae_recipe("demo").student.training.steps);
}

TEST_CASE("experiment: what cannot be is refused with the file and the reason") {
  const auto refused = [](const std::string& json, const std::string& reason) {
    CHECK_THROWS_WITH(read(json), Catch::Contains("mine.json") && Catch::Contains(reason));
  };
  refused(R"({"title": "x"})", "expected arms, got none");
  refused(R"({"arms": [{"name": "a"}, {"name": "a"}]})", "two arms are called a");
  refused(R"({"arms": [{"name": "a/b"}]})", "expected an arm's name of letters");
  refused(R"({"arms": [{"name": "a", "start": "sideways"}]})", "got sideways");
  refused(R"({"arms": [{"name": "a"}, {"name": "b", "colour": 1}]})",
          "arms[1]: unknown key 'colour'");
  refused(R"({"arms": {"name": "a"}})", "key 'arms': expected an array");
  refused(R"({"arms": [{"name": "a", "start": "distilled"}]})", "needs a teacher");
  refused(R"({"arms": [{"name": "a", "teacher": "b"}]})", "must start as distilled");
  refused(R"({"arms": [{"name": "a", "start": "distilled", "teacher": "b"}, {"name": "b"}]})",
          "the teacher of arm a, b, is no arm before it");
  refused(R"({"arms": [{"name": "a"}], "judge": "b"})", "judge names arm 'b'");
  refused(R"({"arms": [{"name": "a"}], "judge": "a"})", "must be trained on real images alone");
  refused(R"({"arms": [{"name": "a"}], "comparisons": [{"first": "a", "second": "c"}]})",
          "a comparison names arm 'c'");
  refused(R"({"arms": [{"name": "a"}],
              "sweeps": [{"title": "t", "setting": "s", "points": [{"value": 1, "arm": "c"}]}]})",
          "a sweep names arm 'c'");

  const auto experiment =
      read(R"({"arms": [{"name": "a", "recipe": {"teacher": {"model": {"patch_size": 7}}}}]})");
  CHECK_THROWS_WITH(recipe_of(experiment, experiment.arms[0], dermae_recipe("demo")),
                    Catch::Contains("arm a"));
}

TEST_CASE("experiment: means and intervals over seeds and lesions") {
  ExperimentResults results;
  results.experiment.arms = {{.name = "good"}, {.name = "bad"}};
  results.classes = {"A", "B"};
  for (int i = 0; i < 40; ++i) {
    results.labels.push_back(i % 2);
    results.lesions.push_back(text("lesion ", i));
  }
  auto wrong = results.labels;
  for (std::size_t i = 0; i < 20; ++i) wrong[i] = 1 - wrong[i];  // 10 of each class
  results.runs = {{{.predictions = results.labels}, {.predictions = wrong}},
                  {{.predictions = wrong}, {.predictions = wrong}}};
  const auto good = results.balanced_accuracy("good"), bad = results.balanced_accuracy("bad");
  CHECK(good.mean == Approx(0.75));
  CHECK(bad.mean == Approx(0.5));
  CHECK(good.lo < 0.6);  // resamples that draw the bad seed twice
  const auto difference = results.difference("good", "bad");
  CHECK(difference.mean == Approx(0.25));
  CHECK(difference.lo == Approx(0));
  CHECK_THROWS_WITH(results.of("ugly"), Catch::Contains("no arm called ugly"));
}
