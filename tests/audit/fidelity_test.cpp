#include "dermis/audit/fidelity.hpp"

#include <torch/types.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "sets.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

namespace {

/// Learns stripes from real images.
Classifier trained_judge() {
  const auto real = striped(128, 1);
  return train_classifier(real, measure_normalization(real),
                          {.model = small, .training = steps(250)}, quiet(), "judge");
}

}  // namespace

TEST_CASE("fidelity: images of another class than they should be are counted in their class") {
  const auto judge = trained_judge();
  auto synthetic = as_synthetic(striped(80, 2));
  // Half of the striped images are drawn plain.
  const auto plain = striped(80, 3);
  for (std::int64_t i = 1; i < 80; i += 4) synthetic.images[i].copy_(plain.images[i - 1]);
  const auto found = class_fidelity(judge, synthetic);
  REQUIRE(found.accuracy.size() == 2);
  CHECK(found.accuracy[0].mean > 0.95);
  CHECK(found.accuracy[1].mean == Approx(0.5).margin(0.03));
  CHECK(found.accuracy[1].lo > 0.3);
  CHECK(found.accuracy[1].lo < 0.45);
  CHECK(found.accuracy[1].hi > 0.55);
  CHECK(found.accuracy[1].hi < 0.7);
  CHECK(found.accuracy[1].mean == found.evaluation.per_class.recall[1]);
  CHECK(found.intended[0] > 0.9);
  CHECK(found.intended[1] == Approx(0.5).margin(0.1));
  CHECK(found.confidence > 0.9);

  const auto json = to_json(found);
  CHECK(json.at("images").at("striped") == Json(40));
  CHECK(json.at("accuracy_by_class").at("plain").at("lo").is_number());
  CHECK(json.at("confusion").elements()[1].elements()[0].get<int>() ==
        Approx(20).margin(1));  // striped taken for plain
  CHECK(json.at("intended_probability").at("striped").get<double>() == found.intended[1]);
  CHECK(json.at("mean_confidence").get<double>() == found.confidence);

  // A class without images has no figure.
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < 80; i += 2) rows.push_back(i);
  const auto one_class = class_fidelity(judge, synthetic.subset(rows), {.resamples = 10});
  CHECK(one_class.accuracy[0].mean > 0.95);
  CHECK(std::isnan(one_class.accuracy[1].mean));
  CHECK(std::isnan(one_class.intended[1]));
  CHECK(to_json(one_class).at("intended_probability").at("striped").dump() == "null");

  CHECK_THROWS_WITH(class_fidelity(judge, synthetic.subset({})),
                    "[fidelity] expected images, got none");
  synthetic.classes = {"striped", "plain"};
  CHECK_THROWS_WITH(class_fidelity(judge, synthetic),
                    Contains("a judge with the images' classes in the same order"));
}
