#include "dermis/report/card.hpp"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <limits>
#include <stdexcept>

#include "dermis/report/html.hpp"
#include "markup_check.hpp"

using namespace dermis;
using Catch::Contains;

namespace {

/// The metrics.json of the demo that docs/results shows.
Json stored_demo() {
  const auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
  return Json::read(root / "docs/results/demo/metrics.json");
}

/// A figure as a card writes it: three digits.
std::string digits(const Json& value) {
  return fmt::format("{:#.3g}", value.get<double>());
}

/// The row of a card's table that shows `figures`, a number or an interval, after `name`.
std::string row(const std::string& name, const Json& figures) {
  if (!figures.is_object()) return "| " + name + " | " + digits(figures) + " |";
  return "| " + name + " | " + digits(figures.at("mean")) + " (" + digits(figures.at("lo")) +
         " to " + digits(figures.at("hi")) + ") |";
}

Json interval(double mean, double lo, double hi) {
  return Json::object({{"mean", mean}, {"lo", lo}, {"hi", hi}});
}

const CardField& field(const Card& card, const std::string& name) {
  for (const auto& section : card.sections)
    for (const auto& candidate : section.fields)
      if (candidate.name == name) return candidate;
  throw std::out_of_range("no field " + name);
}

std::string html(const Card& card) {
  HtmlReport report("r");
  add_card(report, card);
  return report.html();
}

/// A table's columns in a line of Markdown: bars that are not escaped, less one.
int columns(const std::string& line) {
  int bars = 0;
  for (std::size_t i = 0; i < line.size(); ++i)
    bars += line[i] == '|' && (i == 0 || line[i - 1] != '\\') ? 1 : 0;
  return bars - 1;
}

}  // namespace

TEST_CASE("card: a model card of the stored demo") {
  const auto metrics = stored_demo();
  const auto page = to_markdown(model_card(metrics));
  const auto& teacher = metrics.at("arms").at("teacher");
  CHECK_THAT(page, Contains(row("Balanced accuracy", teacher.at("balanced_accuracy"))));
  CHECK_THAT(page, Contains(row("Macro AUC", teacher.at("macro_auc"))));
  CHECK_THAT(page, Contains(row("Expected calibration error", teacher.at("calibration_error"))));
  CHECK_THAT(page, Contains("| Parameters | 1 224 072 |"));
  CHECK_THAT(page, Contains("| Steps | 800 |"));
  CHECK_THAT(page, Contains("| Image passes, pre-training included | 51 200 |"));
  CHECK_THAT(page, Contains("| MEL | " + digits(teacher.at("per_class_recall").at("MEL")) + " | " +
                            digits(teacher.at("per_class_precision").at("MEL")) + " | " +
                            digits(teacher.at("per_class_f1").at("MEL")) + " |"));
  CHECK_THAT(page, Contains("| DF | 40 | 210 | 40 | 200 |"));
  const auto& colours = metrics.at("baselines").at("colour_histogram");
  CHECK_THAT(page, Contains(row("colour\\_histogram", colours.at("balanced_accuracy")) + " " +
                            digits(colours.at("accuracy")) + " | " +
                            digits(colours.at("macro_auc")) + " |"));
  CHECK_THAT(page, Contains(row("Teacher less the best baseline",
                                metrics.at("teacher_minus_best_baseline"))));
  CHECK_THAT(page, Contains("| Checks of the run | 6 of 6 passed |"));
  CHECK_THAT(page,
             Contains("vision transformer, patches of 8 pixels, width 128, depth 6, 4 heads"));
  CHECK_THAT(page, Contains("| Skin tone | not measured |"));
  CHECK_THAT(page, Contains("not a medical device") && Contains("not photographs of patients"));
  const auto student = to_markdown(model_card(metrics, Json::object(), "student"));
  CHECK_THAT(student, Contains("| Parameters | 473 192 |") && Contains("width 96, depth 4"));
  // A recipe of another version may lack keys.
  const auto partly = Json::parse(R"({"recipe": {"teacher": {"model": {"dim": 128}}}})", "partly");
  CHECK(field(model_card(partly), "Architecture").value.is_null());
  // A run on photographs must not say that its images are drawings, and tells what failed.
  auto photographs = metrics;
  photographs["data"]["source"] = "photos";
  photographs["checks"] =
      Json::array({Json::object({{"name", "first"}, {"passed", true}}),
                   Json::object({{"name", "second"}, {"passed", false}, {"found", "x"}})});
  const auto of_photographs = to_markdown(model_card(photographs));
  CHECK(of_photographs.find("drawings") == std::string::npos);
  CHECK_THAT(of_photographs, Contains("1 of 2 passed; failed: second"));
}

TEST_CASE("card: a synthetic-data card of the stored demo") {
  const auto metrics = stored_demo();
  const auto page = to_markdown(synthetic_data_card(metrics));
  const auto& generation = metrics.at("generation");
  CHECK_THAT(page, Contains(row("KID", generation.at("kid"))));
  CHECK_THAT(page, Contains(row("KID, floor", generation.at("kid_real"))));
  CHECK_THAT(page, Contains(row("FID", generation.at("fid"))));
  CHECK_THAT(page, Contains(row("FID, floor", generation.at("fid_real"))));
  CHECK_THAT(page,
             Contains("| Synthetic images | 1 204 |"));  // 4 x 100 + 183 + 210 + 210 + 201
  CHECK_THAT(page, Contains("| AK | 183 | 67 |"));
  const auto& arms = metrics.at("arms");
  CHECK_THAT(page, Contains(row("Trained on real images alone",
                                arms.at("real_balanced").at("balanced_accuracy"))));
  CHECK_THAT(page, Contains(row("Trained on real and synthetic images",
                                arms.at("real_synthetic").at("balanced_accuracy"))));
  CHECK_THAT(page, Contains("channels (32, 64, 96), layers per block 1"));
  CHECK_THAT(page, Contains("| Provenance marks | not measured |"));
}

TEST_CASE("card: what was not measured says so and is counted") {
  for (const auto& card : {model_card(stored_demo()), synthetic_data_card(stored_demo()),
                           model_card(Json::object()), synthetic_data_card(Json::object())}) {
    const auto page = to_markdown(card);
    const auto missing = card.field_count() - card.measured_count();
    CHECK(missing > 0);
    CHECK(fixtures::count(page, "| not measured |") == missing);
    CHECK(fixtures::count(html(card), ">not measured</td>") == missing);
    CHECK(fixtures::count(to_json(card).dump(), "\"value\":\"not measured\"") == missing);
    CHECK_THAT(page, Contains(text("\n\n", card.measured_count(), " of ", card.field_count(),
                                   " fields measured.\n\n")));
    CHECK(to_json(card).at("measured") == Json(card.measured_count()));
    CHECK(to_json(card).at("fields") == Json(card.field_count()));
  }
  CHECK(model_card(Json::object()).measured_count() == 0);
  CHECK(synthetic_data_card(Json::object()).measured_count() == 0);
  CHECK(model_card(stored_demo()).field_count() == model_card(Json::object()).field_count());
}

TEST_CASE("card: what holds nothing is not measured") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto value_of = [](const Json& tone) {
    return field(model_card(Json::object(), Json::object({{"skin_tone", tone}})), "Skin tone")
        .value;
  };
  for (const auto& empty :
       {Json(nan), Json(""), Json(), Json::object(), Json::array(), interval(nan, nan, nan),
        interval(nan, 0.1, 0.2), Json::object({{"gap", interval(nan, nan, nan)}, {"n", Json()}})})
    CHECK(value_of(empty).is_null());
  CHECK(value_of(0) == Json(0));
  CHECK(value_of(false) == Json(false));
  CHECK(value_of(Json::object({{"gap", nan}, {"n", 3}})) == Json::object({{"n", 3}}));
}

TEST_CASE("card: the audit's findings are shown whatever their shape") {
  const auto figures = [](double kid) {
    return Json::object(
        {{"n", 1234}, {"synthetic", Json::object({{"kid", interval(kid, 0.1, 0.3)}})}});
  };
  const auto flips = [](const char* artefact, const char* name, double share) {
    return Json::object({{"artefact", artefact}, {"class", name}, {"flips", share}});
  };
  const auto audit = Json::object(
      {{"distribution",
        Json::object({{"feature_width", 128},
                      {"all", Json::object({{"fid", 12.345}, {"exact", true}})},
                      {"classes", Json::object({{"MEL", figures(0.2)},
                                                {"N_V", figures(0.25)},
                                                {"DF", Json::object({{"n", 4}})}})}})},
       {"dose", Json::array({Json::object({{"share", 0.5}, {"accuracy", interval(0.7, 0.6, 0.8)}}),
                             Json::object({{"share", 1.0}})})},
       {"memorisation", interval(0.01, 0.0, 0.02)},
       {"skin_tone", "lighter than the training images"},
       {"shortcuts",
        Json::object(
            {{"probe", Json::object({{"artefacts", Json::array({flips("hair", "MEL", 0.1),
                                                                flips("hair", "NV", 0.2),
                                                                flips("hair", "NV", 0.3)})},
                                     {"found", false}})}})},
       {"provenance", Json::object({{"generator", "0123abcd"}})}});
  const auto card = synthetic_data_card(stored_demo(), audit);
  const auto page = to_markdown(card);
  const std::string distribution = "KID, FID, precision, recall, density and coverage by class";
  CHECK_THAT(page, Contains("| " + distribution + ": feature width | 128 |\n"));
  CHECK_THAT(page, Contains("| " + distribution + ": all | fid 12.3, exact yes |\n"));
  CHECK_THAT(page, Contains("**" + distribution +
                            ": classes**\n\n|  | n | synthetic kid |\n|---|---|---|\n"
                            "| MEL | 1 234 | 0.200 (0.100 to 0.300) |\n"
                            "| N\\_V | 1 234 | 0.250 (0.100 to 0.300) |\n| DF | 4 | – |\n"));
  CHECK_THAT(page, Contains("**Dose**\n\n|  | share | accuracy |\n|---|---|---|\n"
                            "| 1 | 0.500 | 0.700 (0.600 to 0.800) |\n| 2 | 1.00 | – |\n"));
  CHECK_THAT(page, Contains("| Memorisation of training images | 0.0100 (0 to 0.0200) |"));
  CHECK_THAT(page, Contains("| Skin tone | lighter than the training images |"));
  CHECK_THAT(page, Contains("**Artefacts tied to a class: probe: artefacts**\n\n|  | flips |\n"
                            "|---|---|\n| hair, MEL | 0.100 |\n| hair, NV | 0.200 |\n"
                            "| 3 | 0.300 |\n"));
  CHECK_THAT(page, Contains("| Artefacts tied to a class: probe: found | no |"));
  CHECK_THAT(page, Contains("| Hash of the generator | 0123abcd |"));
  CHECK(card.measured_count() == synthetic_data_card(stored_demo()).measured_count() + 6);
  CHECK_THAT(html(card), Contains("<th scope=\"row\">N_V</th>"));
}

TEST_CASE("card: a wide table is turned") {
  Json figures = Json::object();
  for (int i = 0; i < 13; ++i) figures[text("f", i)] = i;
  const auto audit =
      Json::object({{"utility", Json::object({{"real", figures}, {"synthetic", figures}})}});
  CHECK_THAT(to_markdown(synthetic_data_card(Json::object(), audit)),
             Contains("|  | real | synthetic |\n|---|---|---|\n| f0 | 0 | 0 |\n| f1 | 1 | 1 |\n"));
}

TEST_CASE("card: names that people gave are shown, never read as markup") {
  const std::string name = "a|b <img src=x> *c* _d_ `e` [f](g) \\ #h\n| i & ~j~";
  Json counts = Json::object();
  counts[name] = 3;
  const auto metrics = Json::object({{"data", Json::object({{"source", name}, {"train", counts}})},
                                     {"synthetic_training_images", counts}});
  const auto plain =
      Json::object({{"data", Json::object({{"source", "x"}, {"train", Json::object({{"x", 3}})}})},
                    {"synthetic_training_images", Json::object({{"x", 3}})}});
  const std::string escaped =
      "a\\|b &lt;img src=x&gt; \\*c\\* \\_d\\_ \\`e\\` \\[f\\](g) \\\\ \\#h \\| i &amp; \\~j\\~";
  for (const auto& make : {+[](const Json& m) { return model_card(m); },
                           +[](const Json& m) { return synthetic_data_card(m); }}) {
    const auto page = to_markdown(make(metrics));
    CHECK(page.find(name) == std::string::npos);
    CHECK(page.find("<img") == std::string::npos);
    const auto at = page.find("\n| " + escaped + " |");
    REQUIRE(at != std::string::npos);
    CHECK(columns(page.substr(at + 1, page.find('\n', at + 1) - at - 1)) == 3);
    CHECK(fixtures::elements(html(make(metrics))) == fixtures::elements(html(make(plain))));
  }
  CHECK_THAT(to_markdown(model_card(metrics)), Contains("| Source | a\\|b &lt;img"));
}

TEST_CASE("card: nobody's name and no path gets into a card") {
  auto metrics = stored_demo();
  metrics["data"]["source"] = "/home/anna/secret/photos";
  metrics["recipe"]["generator"]["model"]["weights"] = "C:\\secret\\w.safetensors";
  const auto audit = Json::object(
      {{"memorisation",
        Json::object({{"share", 0.25},
                      {"nearest", "secret_1.png"},
                      {"copies", Json::array({"secret_2", "secret_3"})},
                      {"pairs", Json::array({Json::object({{"synthetic", "secret_4"},
                                                           {"training", "secret_5"},
                                                           {"distance", 0.5}})})},
                      {"images", Json::object({{"first", "secret_6"}, {"checked", 40}})}})},
       {"leakage",
        Json::object({{"patients", Json::array({"secret_7"})},
                      {"by_patient", Json::object({{"secret_8", 0.5}})},
                      {"per_lesion_rate", Json::object({{"secret_9", 0.5}})},
                      {"Lesion_ID", "secret_10"},
                      {"lesions", 12},
                      {"shared", Json::array({Json::object({{"name", "secret_13"}, {"n", 2}})})}})},
       {"skin_tone", "from ./secret/tones.csv and 'secret/b.csv', 1/8 of them"},
       {"group_gaps", Json::array({1, "secret_11"})},
       {"provenance", Json::object({{"quarantined", "secret_12.png"}})},
       {"shortcuts", Json(std::vector<double>(300, 0.123456))}});
  const auto model = model_card(metrics, audit), data = synthetic_data_card(metrics, audit);
  for (const auto& page : {to_markdown(model), to_markdown(data), html(model), html(data),
                           to_json(model).dump(), to_json(data).dump()}) {
    CHECK(page.find("secret") == std::string::npos);
    CHECK(page.find("anna") == std::string::npos);
    CHECK(page.find("123456") == std::string::npos);
  }
  const auto page = to_markdown(model);
  CHECK_THAT(page, Contains("| Source | (path) |"));
  CHECK_THAT(page, Contains("| Skin tone | from (path) and '(path)', 1/8 of them |"));
  CHECK_THAT(page, Contains("| Gaps between groups | not measured |"));
  CHECK_THAT(page, Contains("| Leakage across the split | lesions 12 |"));
  CHECK_THAT(page, Contains("share | 0.250 |") && Contains("images | checked 40 |"));
  CHECK_THAT(page, Contains("| 1 | 0.500 |"));  // the distance of the pair
  const auto counted = Json::object({{"provenance", Json::object({{"quarantined", 3}})}});
  CHECK(field(synthetic_data_card(metrics, counted), "Set aside as copies").value == Json(3));
}

TEST_CASE("card: JSON reads back equal, and the same run gives the same card") {
  const auto audit = Json::object(
      {{"skin_tone", Json::object({{"ita", interval(31.25, 30, 32)}, {"unknown", Json()}})}});
  const auto json = to_json(model_card(stored_demo(), audit));
  CHECK(Json::parse(json.dump(2), "card") == json);
  CHECK(json.dump() == to_json(model_card(stored_demo(), audit)).dump());
  CHECK(to_markdown(model_card(stored_demo())) == to_markdown(model_card(stored_demo())));
  const auto& sections = json.at("sections").elements();
  CHECK(sections[0].at("title") == Json("Intended use"));
  CHECK(sections[1].at("title") == Json("Not intended for"));
  CHECK(sections[2].at("title") == Json("Training data"));
  CHECK(field(model_card(stored_demo(), audit), "Skin tone").value ==
        Json::object({{"ita", interval(31.25, 30, 32)}}));
}

TEST_CASE("card: arguments that are none are refused") {
  CHECK_THROWS_WITH(model_card(Json::array()), "[card] expected metrics as an object, got []");
  CHECK_THROWS_WITH(model_card(Json::object(), 3), "[card] expected an audit as an object, got 3");
  CHECK_THROWS_WITH(model_card(stored_demo(), Json::object(), "pupil"),
                    "[card] expected an arm of the run, got pupil");
  CHECK_THROWS_AS(synthetic_data_card("x"), std::invalid_argument);
  CHECK_THROWS_WITH(synthetic_data_card(Json::object(), Json()),
                    "[card] expected an audit as an object, got null");
}
