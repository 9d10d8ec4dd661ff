#include "dermis/experiment/skindistilvit.hpp"

#include <torch/types.h>

#include <catch2/catch.hpp>

#include "train/stripes.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

TEST_CASE("skindistilvit: recipes by preset and variant, as files bring them back") {
  for (const std::string preset : {"quick", "default", "full"})
    for (const std::string variant : {"code", "paper", "fixed"}) {
      const auto recipe = skindistilvit_recipe(preset, variant);
      CHECK_NOTHROW(validate(recipe));
      SkinDistilViTRecipe read;
      options_from_json(read, options_to_json(recipe), "test");
      CHECK(options_to_json(read) == options_to_json(recipe));
    }
  const auto code = skindistilvit_recipe("full", "code");
  CHECK(code.unknown_class);
  CHECK(code.data.fit == Fit::Squash);
  CHECK(code.data.split_by_image);
  CHECK(code.teacher.training.learning_rate == 2e-4);
  CHECK(code.teacher.training.decay == Decay::Linear);
  CHECK(code.fcvit_probs.loss.growth == AgreementGrowth::Published);
  CHECK(skindistilvit_recipe("full", "paper").student.loss.hidden_cosine == 1);
  CHECK(skindistilvit_recipe("quick", "paper").fcvit_probs.loss.agreement == 50);
  CHECK(skindistilvit_recipe("quick", "fixed").fcvit_probs.loss.agreement == 1);
  const auto stages = plan(code, 8);  // published: 85,805,577 and 43,278,345 parameters
  CHECK(stages[0].parameters == 85'805'577);
  CHECK(stages[1].parameters == 43'278'345);
  CHECK(stages[0].steps == 18'001);

  CHECK_THROWS_WITH(skindistilvit_recipe("demo"), Contains("quick, default or full, got demo"));
  CHECK_THROWS_WITH(skindistilvit_recipe("quick", "x"), Contains("code, paper or fixed, got x"));
  auto recipe = skindistilvit_recipe("quick");
  recipe.student_depth = 7;
  CHECK_THROWS_WITH(validate(recipe), Contains("student_depth in 1 .. 6, got 7"));
  recipe.student_depth = 3;
  recipe.student_layers = LayerChoice::List;
  CHECK_THROWS_WITH(validate(recipe), Contains("expected student.layers"));
  recipe.teacher.model.mean_pooling = true;
  CHECK_THROWS_WITH(validate(recipe), Contains("class-token pooling"));
}

TEST_CASE("skindistilvit: which layers a student starts from") {
  auto recipe = skindistilvit_recipe("full");
  const auto layers = [&](LayerChoice choice) {
    recipe.student_layers = choice;
    return student_layers(recipe);
  };
  using Layers = std::vector<std::int64_t>;
  CHECK(layers(LayerChoice::First) == Layers{0, 1, 2, 3, 4, 5});
  CHECK(layers(LayerChoice::Alternate) == Layers{0, 2, 4, 6, 8, 10});
  CHECK(layers(LayerChoice::Spread) == Layers{0, 2, 4, 7, 9, 11});
  recipe.student.layers = {1, 5};
  CHECK(layers(LayerChoice::List) == Layers{1, 5});
  recipe.student_depth = 7;
  CHECK_THROWS_WITH(layers(LayerChoice::Alternate), Contains("at most 6"));
}

TEST_CASE("skindistilvit: each term of the loss is switched once") {
  const auto arms = loss_ablation(skindistilvit_loss());
  REQUIRE(arms.size() == 5);
  CHECK(arms[0].first == "without_kl");
  CHECK(arms[0].second.kl == 0);
  CHECK(arms[0].second.logit_mse == 0.25);
  CHECK(arms[2].second.logit_mse == 0);
  CHECK(arms[3].first == "with_hidden_cosine");
  CHECK(arms[3].second.hidden_cosine == 1);
  CHECK(arms[4].first == "with_labels_only");
  CHECK(arms[4].second.kl + arms[4].second.logit_mse + arms[4].second.hidden_cosine == 0);
  CHECK(loss_ablation(skindistilvit_text_loss())[2].first == "with_logit_mse");
}

TEST_CASE("skindistilvit: cancer against the rest by the sum of its classes") {
  Evaluation e;
  e.classes = {"NV", "MEL", "SCC"};
  e.labels = {0, 0, 1, 2};
  e.probabilities.resize(4, 3);
  e.probabilities << .7, .2, .1, .4, .3, .3, .4, .3, .3, .1, .1, .8;
  const auto found = cancer_against_rest(e);
  REQUIRE(found.has_value());
  CHECK(found->sensitivity == 1);  // .6 and .9
  CHECK(found->specificity == 0.5);
  CHECK(found->auc == 0.875);  // a tie of .6 and .6 among four pairs
  e.classes = {"a", "b", "c"};
  CHECK_FALSE(cancer_against_rest(e).has_value());
}

TEST_CASE(
    "skindistilvit: figures are means over seeds, a precision that is undefined counts as 0") {
  auto set = striped(8, 1);
  const auto parts = with_unknown_class({.train = set, .validation = set, .test = set});
  CHECK(parts.test.classes == std::vector<std::string>{"plain", "striped", "UNK"});
  const auto run = [&](double first) {  // all plain, or all right
    Eigen::MatrixXd p = Eigen::MatrixXd::Zero(8, 3);
    for (int i = 0; i < 8; ++i) p(i, first > 0 ? 0 : i % 2) = 1;
    return DepthRun{"teacher", 1, evaluate(p, parts.test)};
  };
  SkinDistilViTResults r{.recipe = skindistilvit_recipe("quick"),
                         .data = "stripes",
                         .split = "none",
                         .classes = parts.test.classes,
                         .labels = labels_of(parts.test),
                         .lesions = lesions_of(parts.test),
                         .cost = {},
                         .seeds = {{.seed = 0, .runs = {run(1)}, .early_exit = {}},
                                   {.seed = 1, .runs = {run(0)}, .early_exit = {}}}};
  const auto json = to_json(r).at("teacher");
  CHECK(json.at("balanced_accuracy").at("mean").get<double>() == Approx(0.75));
  CHECK(json.at("balanced_accuracy").at("by_seed").get<std::vector<double>>() ==
        std::vector<double>{0.5, 1});
  CHECK(json.at("precision").at("macro").get<double>() == Approx((0.25 + 1) / 2));
  CHECK(json.at("f1").at("weighted").get<double>() == Approx((1.0 / 3 + 1) / 2));
  CHECK(json.at("cancer").is_null());
  CHECK(json.at("recall_by_class").at("UNK").dump() == "null");
  CHECK(to_json(r).at("early_exit").size() == 0);
  CHECK_THROWS_WITH(r.balanced_accuracy("cascade", 1), Contains("no cascade of depth 1"));
}
