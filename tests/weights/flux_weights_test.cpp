#include "dermis/core/file.hpp"
#include "dermis/core/options.hpp"
#include "dermis/weights/flux.hpp"
#include "dermis/weights/row_map.hpp"
#include "folder.hpp"
#include "support.hpp"

using namespace dermis;
using Catch::Contains;
using dermis::test::difference;
using dermis::test::randn;

namespace {

FluxOptions options_of(std::int64_t doubles, std::int64_t singles, bool guidance = true) {
  auto options = flux_tiny();
  options.double_blocks = doubles;
  options.single_blocks = singles;
  options.guidance = guidance;
  return options;
}

Flux random_flux(const FluxOptions& options) {
  return Flux(options, ParameterOptions{.generator = test::generator(3)});
}

bool same(const StateDict& a, const StateDict& b) {
  const std::map<std::string, at::Tensor> other(b.begin(), b.end());
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a)
    if (other.count(name) == 0 || !at::equal(other.at(name), tensor)) return false;
  return true;
}

const at::Tensor& find(const StateDict& tensors, const std::string& name) {
  for (const auto& [key, tensor] : tensors)
    if (key == name) return tensor;
  FAIL("no tensor " << name);
  throw;
}

}  // namespace

TEST_CASE("flux weights: to diffusers' names and back, with other numbers of blocks") {
  for (const auto& options : {options_of(1, 1), options_of(2, 3, false), options_of(12, 0)}) {
    const auto ours = state_dict(*random_flux(options));
    const auto theirs = flux_to_diffusers(ours, options);
    CHECK(same(flux_from_diffusers(theirs, options), ours));
    CHECK(is_diffusers_flux(theirs));
    CHECK_FALSE(is_diffusers_flux(ours));
  }
}

TEST_CASE("flux weights: fused layers and the last modulation's halves go to their places") {
  const auto options = options_of(1, 1);
  const auto ours = state_dict(*random_flux(options));
  const auto theirs = flux_to_diffusers(ours, options);
  const auto d = options.dim;
  CHECK(at::equal(find(theirs, "transformer_blocks.0.attn.add_k_proj.weight"),
                  find(ours, "double_blocks.0.txt_attn.qkv.weight").slice(0, d, 2 * d)));
  CHECK(at::equal(find(theirs, "single_transformer_blocks.0.proj_mlp.bias"),
                  find(ours, "single_blocks.0.linear1.bias").slice(0, 3 * d)));
  // diffusers: scale, shift; ours: shift, scale.
  CHECK(at::equal(find(theirs, "norm_out.linear.weight").slice(0, 0, d),
                  find(ours, "final_layer.adaLN_modulation.1.weight").slice(0, d)));
}

TEST_CASE("flux weights: options follow from the tensors of either library") {
  for (const auto& options : {options_of(1, 1), options_of(3, 2, false)}) {
    const auto ours = state_dict(*random_flux(options));
    const auto expected = options_to_json(options);
    CHECK(options_to_json(flux_options_from_tensors(ours, "file")) == expected);
    CHECK(options_to_json(flux_options_from_tensors(flux_to_diffusers(ours, options), "file")) ==
          expected);
    CHECK(options_to_json(flux_options_from_diffusers(flux_options_to_diffusers(options))) ==
          expected);
  }
  const Flux dev(flux_dev(), ParameterOptions{.device = at::kMeta});
  CHECK(options_to_json(flux_options_from_tensors(state_dict(*dev), "dev")) ==
        options_to_json(flux_dev()));
}

TEST_CASE(
    "flux weights: a file of either library, a folder and a pipeline load as the same model") {
  const test::ScratchFolder folder;
  const auto options = options_of(2, 1);
  const auto flux = random_flux(options);
  const auto ours = state_dict(*flux);
  write_tensors(folder / "bfl.safetensors", ours);
  write_tensors(folder / "diffusers.safetensors", flux_to_diffusers(ours, options));
  save_diffusers_flux(folder / "pipeline/transformer", flux);
  for (const auto* name :
       {"bfl.safetensors", "diffusers.safetensors", "pipeline/transformer", "pipeline"})
    CHECK(same(state_dict(*load_flux(folder / name)), ours));
  const auto half = load_flux(folder / "bfl.safetensors", {.dtype = at::kBFloat16});
  CHECK(half.ptr()->img_in->weight.scalar_type() == at::kBFloat16);
  CHECK(difference(half.ptr()->img_in->weight, flux.ptr()->img_in->weight) < 1e-2);
}

TEST_CASE("flux weights: damaged and foreign files are refused by what is wrong with them") {
  const test::ScratchFolder folder;
  const auto options = options_of(1, 1);
  const auto ours = state_dict(*random_flux(options));
  const auto refused = [&](const StateDict& tensors) {
    write_tensors(folder / "x.safetensors", tensors);
    return test::message_of<std::runtime_error>([&] { load_flux(folder / "x.safetensors"); });
  };
  auto without = ours;
  std::erase_if(without, [](const auto& e) { return e.first == "single_blocks.0.linear2.weight"; });
  CHECK_THAT(refused(without), Contains("missing") && Contains("single_blocks.0.linear2.weight"));
  auto theirs = flux_to_diffusers(ours, options);
  std::erase_if(theirs,
                [](const auto& e) { return e.first == "transformer_blocks.0.attn.to_k.weight"; });
  CHECK_THAT(refused(theirs), Contains("expected 'transformer_blocks.0.attn.to_k.weight' beside"));
  theirs.emplace_back("lora_thing", at::zeros({1}));
  CHECK_THAT(refused(theirs), Contains("1 that it does not have: lora_thing"));
  CHECK_THAT(refused({{"blocks.0.attn.qkv.weight", at::zeros({3, 1})}}),
             Contains("expected a Flux with 'img_in.weight', found none"));
  // A download that broke off.
  write_tensors(folder / "whole.safetensors", ours);
  const auto bytes = read_file(folder / "whole.safetensors");
  write_atomically(folder / "half.safetensors", bytes.substr(0, bytes.size() / 2));
  CHECK_THAT(test::message_of<std::runtime_error>([&] { load_flux(folder / "half.safetensors"); }),
             Contains("half.safetensors"));
  auto other = options;
  other.mlp_ratio = 3;
  CHECK_THROWS_WITH(flux_options_to_diffusers(other), Contains("mlp_ratio 4"));
}

TEST_CASE("row maps: rows that are not the rule's are refused") {
  const RowMap map = {{"a", 0, "c", 0, 2}, {"b", 0, "c", 2, 1}};
  const auto a = randn({2, 3}, 1), b = randn({1, 3}, 2);
  CHECK(at::equal(map_rows({{"a", a}, {"b", b}}, map, "x", "f")[0].second, at::cat({a, b})));
  CHECK(map_rows({}, map, "x", "f").empty());
  CHECK_THROWS_WITH(map_rows({{"a", b}, {"b", b}}, map, "x", "f"),
                    Contains("expected 2 rows in 'a', got [1, 3]"));
  CHECK_THROWS_WITH(map_rows({{"a", a}, {"b", randn({1, 4})}}, map, "x", "f"),
                    Contains("parts of 'c' of one width"));
  CHECK_THROWS_WITH(map_rows({{"a", a}}, map, "x", "f"), Contains("expected 'b' beside 'a'"));
}
