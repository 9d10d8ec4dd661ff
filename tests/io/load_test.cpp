#include "dermis/io/load.hpp"

#include <torch/types.h>

#include <catch2/catch.hpp>

#include "dermis/models/vit.hpp"
#include "train/fixtures.hpp"

using namespace dermis;
using namespace dermis::test::training;
using Catch::Matchers::Contains;

namespace {

using Names = std::vector<std::string>;

ViT vit_of(std::int64_t image_size, std::int64_t classes, std::uint64_t seed) {
  return ViT(ViTOptions{.image_size = image_size,
                        .patch_size = 4,
                        .dim = 8,
                        .depth = 1,
                        .heads = 2,
                        .num_classes = classes},
             ParameterOptions{.generator = at::detail::createCPUGenerator(seed)});
}

at::Tensor value_of(const StateDict& tensors, const std::string& name) {
  for (const auto& [key, tensor] : tensors) {
    if (key == name) return tensor;
  }
  FAIL("no tensor " << name);
  return {};
}

/// `tensors` but for one.
StateDict without(const StateDict& tensors, const std::string& name) {
  StateDict result;
  for (const auto& entry : tensors) {
    if (entry.first != name) result.push_back(entry);
  }
  return result;
}

}  // namespace

TEST_CASE("load: everything, and the report says so") {
  TinyModule source(1), target(2);
  const LoadReport report = load(target, snapshot(source), "source");
  CHECK(equal(state_dict(target), state_dict(source)));
  CHECK(report.loaded == Names{"weight1", "bias1", "weight2", "bias2", "frozen", "calls"});
  CHECK((report.missing.empty() && report.unexpected.empty() && report.mismatched.empty() &&
         report.kept.empty() && report.adapted.empty()));
  CHECK(report.text() == "6 tensors loaded");
  CHECK(target.weight1.requires_grad());
}

TEST_CASE("load: strict refuses what partial reports") {
  TinyModule source(1), target(2);
  const StateDict before = snapshot(target);
  StateDict values = without(snapshot(source), "weight2");
  values.emplace_back("ema.decay", at::ones({}));
  CHECK_THROWS_WITH(load(target, values, "file"),
                    "[load] file: 1 missing key (weight2); 1 unexpected key (ema.decay)");
  CHECK(equal(state_dict(target), before));

  const LoadReport report = load(target, values, "file", {.strict = false});
  CHECK(report.loaded == Names{"weight1", "bias1", "bias2", "frozen", "calls"});
  CHECK(report.missing == Names{"weight2"});
  CHECK(report.unexpected == Names{"ema.decay"});
  CHECK(report.text() == "5 tensors loaded; 1 missing key (weight2); 1 unexpected key (ema.decay)");
  CHECK(at::equal(target.weight1, source.weight1));
  CHECK(at::equal(target.weight2, value_of(before, "weight2")));
}

TEST_CASE("load: another shape or kind of type is an error, partial or not, and changes nothing") {
  TinyModule target(2);
  const StateDict before = snapshot(target);
  for (const at::Tensor& wrong : {at::ones({9, 4}), at::ones({8, 4}, at::kLong)}) {
    StateDict values = snapshot(TinyModule(1));
    values[0].second = wrong;
    for (const bool strict : {true, false}) {
      CHECK_THROWS_WITH(load(target, values, "file", {.strict = strict}),
                        Contains("1 mismatched key (weight1: expected Float [8, 4], got "));
      CHECK(equal(state_dict(target), before));
    }
  }
}

TEST_CASE("load: what matches nothing is an error even if it may be partial") {
  TinyModule target(2);
  StateDict values;
  append(values, snapshot(TinyModule(1)), "module.");
  CHECK_THROWS_WITH(load(target, values, "file", {.strict = false}),
                    "[load] file: nothing matches, expected names such as weight1, got "
                    "module.weight1");
  CHECK_THROWS_WITH(load(target, {}, "file", {.strict = false}), Contains("nothing matches"));
  CHECK_THROWS_WITH(load(StateDict(), values, "file", {.strict = false}),
                    Contains("expected names such as none"));
  CHECK(load(StateDict(), {}, "file").loaded.empty());  // nothing wanted, nothing given
}

TEST_CASE("load: a name twice and an undefined value are refused") {
  const StateDict targets{{"x", at::zeros({2})}};
  CHECK_THROWS_WITH(load(targets, {{"x", at::ones({2})}, {"x", at::zeros({2})}}, "file"),
                    "[load] file: key 'x' appears twice");
  CHECK_THROWS_WITH(load(targets, {{"x", at::Tensor()}}, "file"),
                    Contains("defined tensor for 'x'"));
}

TEST_CASE("load: a head of other classes keeps its initial values when asked to") {
  ViT source = vit_of(16, 8, 1), target = vit_of(16, 3, 2);
  const StateDict before = snapshot(*target);
  CHECK_THROWS_WITH(load(*target, snapshot(*source), "file"),
                    "[load] file: 2 mismatched keys (head.weight: expected Float [3, 8], got "
                    "Float [8, 8], head.bias: expected Float [3], got Float [8])");
  const LoadReport report = load(*target, snapshot(*source), "file", {.keep = {"head"}});
  CHECK(report.kept == Names{"head.weight", "head.bias"});
  CHECK(report.mismatched.size() == 2);
  CHECK(report.loaded.size() == before.size() - 2);
  CHECK_THAT(report.text(), Contains("2 kept keys (head.weight, head.bias)"));
  CHECK(at::equal(target->head->weight, value_of(before, "head.weight")));
  CHECK(at::equal(target->blocks->named_parameters()["0.attn.qkv.weight"],
                  source->blocks->named_parameters()["0.attn.qkv.weight"]));
}

TEST_CASE("load: a head that the weights lack, or only half fit, is kept as a whole") {
  ViT encoder = vit_of(16, 0, 1), source = vit_of(16, 3, 1), target = vit_of(16, 3, 2);
  const StateDict before = snapshot(*target);
  const LoadReport lacking = load(*target, snapshot(*encoder), "file", {.keep = {"head"}});
  CHECK(lacking.missing == Names{"head.weight", "head.bias"});
  CHECK(lacking.kept == lacking.missing);

  const LoadReport half =
      load(*target, without(snapshot(*source), "head.weight"), "file", {.keep = {"head"}});
  CHECK(half.kept == Names{"head.weight", "head.bias"});
  CHECK(at::equal(target->head->bias, value_of(before, "head.bias")));

  // A head that fits is loaded.
  const LoadReport whole = load(*target, snapshot(*source), "file", {.keep = {"head"}});
  CHECK(whole.kept.empty());
  CHECK(equal(state_dict(*target), state_dict(*source)));
  CHECK_THROWS_WITH(load(*target, snapshot(*source), "file", {.keep = {"hea"}}),
                    "[load] expected names of the module in keep, got 'hea'");
}

TEST_CASE("load: a position table of another image size is resampled by the caller's function") {
  ViT source = vit_of(16, 3, 1), target = vit_of(32, 3, 2);
  LoadOptions options;
  CHECK_THROWS_WITH(load(*target, snapshot(*source), "file", options),
                    Contains("pos_embed: expected Float [1, 65, 8], got Float [1, 17, 8]"));
  Names asked;
  options.adapt = [&](const std::string& name, const at::Tensor& value, const at::Tensor& table) {
    asked.push_back(name);
    CHECK(table.sizes() == target->pos_embed.sizes());
    return name == "pos_embed" ? resample_position(value, target->options.grid(), 1) : at::Tensor();
  };
  const LoadReport report = load(*target, snapshot(*source), "file", options);
  CHECK(asked == Names{"pos_embed"});
  CHECK(report.adapted == Names{"pos_embed"});
  CHECK(report.loaded.size() == state_dict(*target).size());
  CHECK_THAT(report.text(), Contains("; 1 adapted key (pos_embed)"));
  CHECK(at::equal(target->pos_embed, resample_position(source->pos_embed, 8, 1)));

  // One that knows no answer leaves the error; one that gives what does not fit is at fault.
  options.adapt = [](auto&, auto&, auto&) { return at::Tensor(); };
  CHECK_THROWS_AS(load(*target, snapshot(*source), "file", options), std::runtime_error);
  options.adapt = [](auto&, const at::Tensor& value, auto&) { return value; };
  CHECK_THROWS_AS(load(*target, snapshot(*source), "file", options), std::invalid_argument);
}

TEST_CASE("load: from shards and from mapped pages") {
  const ScratchFolder folder;
  ViT source = vit_of(16, 3, 1), target = vit_of(16, 3, 2);
  write_tensor_shards(folder.path(), state_dict(*source), {.max_bytes = 1000});
  load(*target, map_tensors(folder.path()).tensors, folder.path().string());
  CHECK(equal(state_dict(*target), state_dict(*source)));
}
