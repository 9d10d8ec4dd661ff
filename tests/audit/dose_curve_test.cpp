#include "dermis/audit/dose_curve.hpp"

#include <torch/types.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>

#include "../folder.hpp"
#include "sets.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

namespace {

DoseOptions three_steps() {
  return {.classifier = {.model = small, .training = steps(3)},
          .doses = {0, 1},
          .real_shares = {0.5, 1},
          .seeds = 2,
          .bootstrap = {.resamples = 50}};
}

/// When each stage below `folder` was finished.
std::map<std::string, std::filesystem::file_time_type> finished(const ScratchFolder& folder) {
  std::map<std::string, std::filesystem::file_time_type> times;
  for (const auto& name : folder.names())
    times[name] =
        std::filesystem::last_write_time(folder / name / "classifier/checkpoint/checkpoint.json");
  return times;
}

}  // namespace

TEST_CASE("dose curve: a plan has equally many images of each class") {
  CHECK(dose_plan(100, 4, 0.5) == std::vector<std::int64_t>{13, 13, 12, 12});
  CHECK(dose_plan(100, 3, 0) == std::vector<std::int64_t>{0, 0, 0});
  CHECK(dose_plan(7, 2, 2) == std::vector<std::int64_t>{7, 7});
  CHECK_THROWS_WITH(dose_plan(7, 0, 2), Contains("[dose_curve] expected real images and a dose"));
}

TEST_CASE("dose curve: shares hold whole lesions of every class, smaller within larger") {
  auto set = striped(120, 1);
  for (std::size_t i = 0; i < set.samples.size(); ++i)  // lesions of 1 to 3 views
    set.samples[i].lesion = text("lesion", i % 2, "_", (i / 2) % 30);
  std::vector<std::int64_t> larger;
  for (const double share : {1.0, 0.5, 0.25, 0.125, 0.001}) {
    INFO(share);
    const auto rows = real_subset(set, share, 7);
    const auto part = set.subset(rows);
    for (const auto count : part.class_counts()) {
      CHECK(static_cast<double>(count) >= share * 60);
      CHECK(static_cast<double>(count) < share * 60 + 2);  // at most the rest of one lesion
    }
    for (const auto i : rows)  // with an image come all views of its lesion
      for (std::int64_t k = 0; k < set.size(); ++k)
        if (set.samples[static_cast<std::size_t>(k)].lesion ==
            set.samples[static_cast<std::size_t>(i)].lesion)
          CHECK(std::find(rows.begin(), rows.end(), k) != rows.end());
    CHECK(std::is_sorted(rows.begin(), rows.end()));
    if (!larger.empty())
      CHECK(std::includes(larger.begin(), larger.end(), rows.begin(), rows.end()));
    larger = rows;
  }
  CHECK(real_subset(set, 0.5, 7) != real_subset(set, 0.5, 8));
  CHECK_THROWS_WITH(real_subset(set, 0, 7), "[dose_curve] expected real shares in (0, 1], got 0");
}

TEST_CASE("dose curve: every training is a stage of its own, and finished ones are loaded") {
  const ScratchFolder folder;
  const auto training = striped(32, 1), test = striped(40, 2);
  const auto pool = as_synthetic(striped(40, 3));
  const auto options = three_steps();
  auto context = quiet(folder.path());
  const auto curve = dose_curve(training, pool, {}, test, options, context);
  CHECK(dose_name(0.125, 0.5, 1) == "dose_r0125_s050_seed1");
  auto names = folder.names();
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"dose_r0500_s000_seed1", "dose_r0500_s000_seed2",
                                          "dose_r0500_s100_seed1", "dose_r0500_s100_seed2",
                                          "dose_r1000_s000_seed1", "dose_r1000_s000_seed2",
                                          "dose_r1000_s100_seed1", "dose_r1000_s100_seed2"});
  REQUIRE(curve.points.size() == 8);
  const auto& point = curve.points[3];
  CHECK(point.real_share == 0.5);
  CHECK(point.dose == 1);
  CHECK(point.seed == 2);
  CHECK(point.real_images == 16);
  CHECK(point.synthetic_images == 16);
  CHECK(point.learning_rate == 2e-3);
  CHECK(point.evaluation.labels.size() == 40);
  CHECK(curve.points[0].synthetic_images == 0);
  CHECK(curve.points[7].synthetic_images == 32);

  // An interrupted study: one training is gone, the others are only loaded.
  const auto before = finished(folder);
  std::filesystem::remove_all(folder / "dose_r0500_s100_seed2");
  context.resume = true;
  const auto again = dose_curve(training, pool, {}, test, options, context);
  for (const auto& [name, time] : finished(folder)) {
    INFO(name);
    CHECK((time == before.at(name)) == (name != "dose_r0500_s100_seed2"));
  }
  for (std::size_t i = 0; i < 8; ++i)
    CHECK(again.points[i].evaluation.probabilities == curve.points[i].evaluation.probabilities);
  CHECK(to_json(again) == to_json(curve));

  const auto json = to_json(curve);
  CHECK(json.at("points").elements()[3].at("synthetic_images") == Json(16));
  CHECK(json.at("points").elements()[3].at("evaluation").contains("confusion"));
  CHECK(json.at("effects").elements()[1].at("dose") == Json(1.0));
  CHECK(json.at("effects").elements()[1].at("gain").contains("hi"));
}

TEST_CASE("dose curve: several pools share the trainings without synthetic images") {
  const ScratchFolder folder;
  const auto training = striped(32, 1), test = striped(40, 2);
  auto options = three_steps();
  options.real_shares = {1};
  options.seeds = 1;
  auto context = quiet(folder.path());
  context.resume = true;
  options.pool = "flow";
  const auto flow = dose_curve(training, as_synthetic(striped(40, 3)), {}, test, options, context);
  const auto shared = folder / dose_name(1, 0, 1) / "classifier/checkpoint/checkpoint.json";
  const auto before = std::filesystem::last_write_time(shared);
  options.pool = "diffusion";
  const auto other = dose_curve(training, as_synthetic(striped(40, 4)), {}, test, options, context);
  CHECK(std::filesystem::last_write_time(shared) == before);
  CHECK(std::filesystem::exists(folder / "flow" / dose_name(1, 1, 1)));
  CHECK(std::filesystem::exists(folder / "diffusion" / dose_name(1, 1, 1)));
  const auto& p = flow.points;
  CHECK(p[0].evaluation.probabilities == other.points[0].evaluation.probabilities);
  CHECK_FALSE(p[1].evaluation.probabilities == other.points[1].evaluation.probabilities);
}

TEST_CASE("dose curve: with one seed the intervals are those by lesion") {
  auto options = three_steps();
  options.classifier.training = steps(40);
  options.real_shares = {1};
  options.seeds = 1;
  options.bootstrap = {.resamples = 200, .seed = 5};
  auto test = striped(40, 2);
  for (std::size_t i = 0; i < 40; ++i) test.samples[i].lesion = text("lesion", i / 4);
  const auto curve =
      dose_curve(striped(24, 1), as_synthetic(striped(40, 3)), {}, test, options, quiet());
  REQUIRE(curve.effects.size() == 2);
  const auto &none = curve.points[0].evaluation, &some = curve.points[1].evaluation;
  const auto alone =
      balanced_accuracy_interval(some.labels, some.predictions, some.lesions, options.bootstrap);
  const auto gain = balanced_accuracy_difference(some.labels, some.predictions, none.predictions,
                                                 some.lesions, options.bootstrap);
  CHECK(curve.effects[1].balanced_accuracy.mean == Approx(alone.mean));
  CHECK(curve.effects[1].balanced_accuracy.lo == Approx(alone.lo));
  CHECK(curve.effects[1].balanced_accuracy.hi == Approx(alone.hi));
  CHECK(curve.effects[1].gain.mean == Approx(gain.mean));
  CHECK(curve.effects[1].gain.lo == Approx(gain.lo));
  CHECK(curve.effects[1].gain.hi == Approx(gain.hi));
  CHECK(curve.effects[0].gain.lo == 0);
  CHECK(curve.effects[0].gain.hi == 0);
}

TEST_CASE("dose curve: synthetic images of the wrong class are seen to harm") {
  auto options = three_steps();
  options.classifier.training = steps(200);
  options.classifier.real_share = 0;
  options.doses = {0, 3};
  options.real_shares = {1};
  auto pool = as_synthetic(striped(200, 3));
  for (auto& sample : pool.samples) sample.label = 1 - sample.label;
  pool.labels = 1 - pool.labels;
  const auto curve = dose_curve(striped(64, 1), pool, {}, striped(60, 2), options, quiet());
  const auto& harm = curve.effects[1];
  CHECK(curve.effects[0].balanced_accuracy.mean > 0.7);
  CHECK(harm.gain.hi < 0);
  CHECK(harm.gain.mean ==
        Approx(harm.balanced_accuracy.mean - curve.effects[0].balanced_accuracy.mean));
  double mean = 0;
  for (std::size_t i = 2; i < 4; ++i) mean += curve.points[i].evaluation.balanced_accuracy.mean / 2;
  CHECK(harm.balanced_accuracy.mean == Approx(mean));
}

TEST_CASE("dose curve: the learning rate is the one that does best on the validation part") {
  const ScratchFolder folder;
  auto options = three_steps();
  options.classifier.training = steps(150);
  options.doses = {0};
  options.real_shares = {1};
  options.seeds = 1;
  options.learning_rates = {1e-9, 2e-3};
  const auto training = striped(64, 1), validation = striped(40, 4), test = striped(40, 2);
  const auto pool = as_synthetic(striped(4, 3));
  const auto curve = dose_curve(training, pool, validation, test, options, quiet(folder.path()));
  CHECK(curve.points[0].learning_rate == 2e-3);
  CHECK(curve.points[0].evaluation.balanced_accuracy.mean > 0.7);
  auto names = folder.names();
  std::sort(names.begin(), names.end());
  CHECK(names ==
        std::vector<std::string>{"dose_r1000_s000_seed1_lr0.002", "dose_r1000_s000_seed1_lr1e-09"});
  CHECK_THROWS_WITH(dose_curve(training, pool, {}, test, options, quiet()),
                    Contains("a validation part with the training part's classes to choose among "
                             "2 learning rates on"));
}

TEST_CASE("dose curve: a pool that is too small says how many images are missing") {
  const ScratchFolder folder;
  auto options = three_steps();
  options.doses = {0, 2};
  const auto pool = as_synthetic(striped(50, 3).subset({0, 2, 4, 6, 8, 1, 3, 5, 7, 9, 11, 13}));
  CHECK_THROWS_WITH(
      dose_curve(striped(12, 1), pool, {}, striped(8, 2), options, quiet(folder.path())),
      "[dose_curve] expected enough synthetic images for dose 2 of 12 real ones, 12 are missing: "
      "7 of plain (12 wanted, 5 there), 5 of striped (12 wanted, 7 there)");
  CHECK(folder.names().empty());  // nothing was trained before the error
}

TEST_CASE("dose curve: options and sets that make no sense are refused") {
  const auto training = striped(8, 1), test = striped(4, 2), pool = as_synthetic(striped(20, 3));
  const auto with = [&](const std::function<void(DoseOptions&)>& change) {
    auto options = three_steps();
    change(options);
    dose_curve(training, pool, {}, test, options, quiet());
  };
  CHECK_THROWS_WITH(with([](auto& o) { o.seeds = 0; }), Contains("1 seed, got 2 and 0"));
  CHECK_THROWS_WITH(with([](auto& o) { o.doses = {0.5, 1}; }), Contains("dose 0 among the doses"));
  CHECK_THROWS_WITH(with([](auto& o) { o.doses = {0, -1}; }), Contains("at least 0, got -1"));
  CHECK_THROWS_WITH(with([](auto& o) { o.real_shares = {1.5}; }),
                    Contains("real shares in (0, 1], got 1.5"));
  CHECK_THROWS_WITH(with([](auto& o) {
                      o.doses = {0, 0.001};
                    }),
                    Contains("got two called dose_r0500_s000_seed1"));
  CHECK_THROWS_WITH(with([](auto& o) { o.learning_rates = {0}; }),
                    Contains("learning rates above 0, got 0"));
  const auto options = three_steps();
  CHECK_THROWS_WITH(dose_curve(pool, pool, {}, test, options, quiet()),
                    Contains("a training part of real images only, got synthetic"));
  CHECK_THROWS_WITH(dose_curve(training, training, {}, test, options, quiet()),
                    Contains("a pool of synthetic images only, got real image1_0"));
  CHECK_THROWS_WITH(dose_curve(training, pool, {}, pool, options, quiet()),
                    Contains("a test part of real images only"));
  auto other = test;
  other.classes = {"plain", "spotted"};
  CHECK_THROWS_WITH(dose_curve(training, pool, {}, other, options, quiet()),
                    Contains("the same classes in the same order"));
}
