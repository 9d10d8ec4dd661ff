#include <catch2/catch.hpp>

#include "../explain/planted.hpp"
#include "dermis/core/file.hpp"
#include "dermis/report/explain_report.hpp"
#include "folder.hpp"
#include "markup_check.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

TEST_CASE("explain: page and figures of two models") {
  const ScratchFolder folder;
  auto data = corner_set({240, 30, 240, 30, 250}, 20);
  data.set.samples[3].label = 1;  // answered wrongly
  data.set.labels[3] = 1;
  const ExplainOptions options{.occlusion = {.size = 4, .stride = 4}, .tolerance = 1};
  const std::vector<Explanation> found = {explain("vit", corner_vit(), data, options),
                                          explain("resnet", red_resnet(), data, options)};
  write_explanations(folder / "out", data, found, options, "planted");
  const auto html = read_file(folder / "out" / "explain.html");
  const auto elements = fixtures::elements(html);
  // Four right and one wrong, each as image, two models and occlusion, then by four methods.
  CHECK(std::count(elements.begin(), elements.end(), "img") == 5 * (4 + 5));
  CHECK_THAT(html, Contains("vit, rollout") && Contains("resnet, Grad-CAM") && Contains("planted"));
  CHECK_THAT(html, !Contains("nan"));
  const auto json = Json::read(folder / "out" / "explain.json");
  CHECK(json.at("images").get<std::int64_t>() == 5);
  CHECK(json.at("models").elements().size() == 2);
  CHECK(json.at("occlusion").at("fill").get<std::string>() == "mean");
  CHECK_THROWS_WITH(write_explanations(folder / "out", data, {}, options, ""),
                    Contains("got none"));
  CHECK_THROWS_WITH(write_explanations(folder / "out", data.subset({0}), found, options, ""),
                    Contains("maps of 1 images from vit, got 5"));
}
