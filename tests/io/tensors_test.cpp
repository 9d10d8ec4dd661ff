#include "dermis/io/tensors.hpp"

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "dermis/core/file.hpp"
#include "train/fixtures.hpp"

using namespace dermis;
using namespace dermis::test::training;
using Catch::Matchers::Contains;
using Catch::Matchers::Equals;

TEST_CASE("tensors: every type comes back bit for bit, in order, with metadata") {
  const ScratchFolder folder;
  StateDict tensors;
  for (const at::ScalarType type :
       {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort,
        at::kChar, at::kByte, at::kBool, at::kUInt64, at::kUInt32, at::kUInt16, at::kComplexFloat,
        at::kFloat8_e4m3fn, at::kFloat8_e5m2, at::kFloat8_e4m3fnuz, at::kFloat8_e5m2fnuz,
        at::kFloat8_e8m0fnu}) {
    tensors.emplace_back(c10::toString(type), (normal({3, 5}, 1) * 50).abs().to(type));
  }
  tensors.emplace_back("scalar", at::scalar_tensor(3.5));
  tensors.emplace_back("empty", at::empty({0, 4}));
  tensors.emplace_back("transposed", normal({4, 6}, 2).t());
  write_tensors(folder / "all.safetensors", tensors, {{"purpose", "test"}});
  const TensorFile file = read_tensors(folder / "all.safetensors");
  CHECK(file.metadata == std::map<std::string, std::string>{{"purpose", "test"}});
  REQUIRE(file.tensors.size() == tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const at::Tensor &read = file.tensors[i].second, written = tensors[i].second.contiguous();
    INFO(tensors[i].first);
    CHECK(file.tensors[i].first == tensors[i].first);
    CHECK(read.scalar_type() == written.scalar_type());
    CHECK(read.sizes() == written.sizes());  // and the bytes: few operations know every type
    CHECK(std::memcmp(read.const_data_ptr(), written.const_data_ptr(), written.nbytes()) == 0);
  }
  write_tensors(folder / "none.safetensors", {});
  CHECK(read_tensors(folder / "none.safetensors").tensors.empty());
}

TEST_CASE("tensors: what is read does not depend on the file any more") {
  const ScratchFolder folder;
  write_tensors(folder / "a.safetensors", {{"x", at::ones({4})}});
  const TensorFile file = read_tensors(folder / "a.safetensors");
  file.tensors[0].second.add_(1);  // memory of its own, writable
  write_tensors(folder / "a.safetensors", {{"x", at::zeros({4})}});
  CHECK(at::equal(file.tensors[0].second, at::full({4}, 2.0)));
}

const std::byte* address(const at::Tensor& tensor) {
  return static_cast<const std::byte*>(tensor.const_data_ptr());
}

TEST_CASE("tensors: mapped tensors share one file, keep it, and never write to it") {
  const ScratchFolder folder;
  const auto path = folder / "a.safetensors";
  write_tensors(path, {{"x", at::arange(4, at::kFloat)},
                       {"y", at::arange(3, at::kByte)},
                       {"none", at::empty({0})}});
  const std::string bytes = read_file(path);
  TensorFile file = map_tensors(path);
  CHECK(equal(file.tensors, read_tensors(path).tensors));
  CHECK(address(file.tensors[1].second) == address(file.tensors[0].second) + 16);  // as in the file
  file.tensors[0].second.add_(1);
  CHECK(read_file(path) == bytes);
  CHECK(equal(map_tensors(path).tensors, read_tensors(path).tensors));

  const at::Tensor kept = file.tensors[1].second;
  file = {};
  std::filesystem::remove(path);
  CHECK(at::equal(kept, at::arange(3, at::kByte)));
}

TEST_CASE("tensors: mapping copies what is not aligned") {
  const ScratchFolder folder;
  // y begins one byte into the data, which begins at a multiple of 8.
  std::string header = R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                       R"("y":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::string length{static_cast<char>(header.size()), 0, 0, 0, 0, 0, 0, 0};
  write_text(folder / "a", length + header + std::string("\1\0\0\x80\x3F\0\0\0\x40", 9));
  const TensorFile file = map_tensors(folder / "a");
  CHECK(reinterpret_cast<std::uintptr_t>(address(file.tensors[1].second)) % 4 == 0);
  CHECK(at::equal(file.tensors[1].second, at::arange(1, 3).to(at::kFloat)));
  CHECK(address(file.tensors[1].second) != address(file.tensors[0].second) + 1);
}

TEST_CASE("tensors: a bool that is neither 0 nor 1 is refused") {
  const ScratchFolder folder;
  write_tensors(folder / "good", {{"flag", at::arange(2).eq(0)}});
  std::string bytes = read_file(folder / "good");
  CHECK(equal(read_tensors(folder / "good").tensors, {{"flag", at::arange(2).eq(0)}}));
  bytes.back() = 2;
  write_text(folder / "bad", bytes);
  for (const auto& read : {read_tensors, map_tensors}) {
    CHECK_THROWS_WITH(read(folder / "bad"),
                      Contains("bad: expected zeros and ones in BOOL tensor 'flag'"));
  }
}

TEST_CASE("tensors: shards read as one file does") {
  const ScratchFolder folder;
  const StateDict tensors{{"b", normal({5}, 1)}, {"a", normal({3, 4}, 2)}, {"c", at::ones({2})}};
  write_tensor_shards(folder.path(), tensors, {.max_bytes = 56}, {{"format", "pt"}});
  CHECK(folder.names().size() == 3);
  for (const auto& read : {read_tensors, map_tensors}) {
    const TensorFile file = read(folder.path());
    CHECK(equal(file.tensors, tensors));
    CHECK(file.metadata == std::map<std::string, std::string>{{"format", "pt"}});
  }
  CHECK_THROWS_AS(write_tensor_shards(folder.path(), {{"u", at::Tensor()}}), std::invalid_argument);
}

TEST_CASE("tensors: what cannot be written is refused") {
  const ScratchFolder folder;
  const auto path = folder / "x.safetensors";
  CHECK_THROWS_WITH(write_tensors(path, {{"z", at::zeros({2}, at::kComplexDouble)}}),
                    Contains("[tensors]") && Contains("ComplexDouble") && Contains("'z'"));
  CHECK_THROWS_WITH(write_tensors(path, {{"u", at::Tensor()}}), Contains("'u'"));
  CHECK_THROWS_AS(write_tensors(path, {{"a", at::zeros({2})}, {"a", at::zeros({2})}}),
                  std::invalid_argument);
  CHECK_FALSE(std::filesystem::exists(path));
  write_text(folder / "file", "x");
  CHECK_THROWS_AS(write_tensors(folder / "file" / "x.safetensors", {}), std::runtime_error);
  CHECK_THROWS_AS(read_tensors(folder / "absent.safetensors"), std::runtime_error);
}

TEST_CASE("tensors: a full disk leaves the old file") {
  const ScratchFolder folder;
  const auto path = folder / "x.safetensors";
  const StateDict old{{"x", at::ones({4})}};
  write_tensors(path, old);
  {
    const FileSizeLimit limit(4096);
    CHECK_THROWS_WITH(write_tensors(path, {{"x", at::zeros({100000})}}), Contains(path.string()));
  }
  CHECK(equal(read_tensors(path).tensors, old));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("state dict: parameters, then buffers, with torch's names; loading restores them") {
  torch::nn::Sequential source(torch::nn::Linear(3, 4), torch::nn::BatchNorm1d(4));
  source->forward(normal({8, 3}, 3));
  const StateDict saved = snapshot(*source);
  std::vector<std::string> names;
  for (const auto& [name, tensor] : saved) names.push_back(name);
  CHECK_THAT(names, Equals(std::vector<std::string>{"0.weight", "0.bias", "1.weight", "1.bias",
                                                    "1.running_mean", "1.running_var",
                                                    "1.num_batches_tracked"}));
  torch::nn::Sequential target(torch::nn::Linear(3, 4), torch::nn::BatchNorm1d(4));
  REQUIRE_FALSE(equal(state_dict(*target), saved));
  load_state_dict(*target, saved, "source");
  CHECK(equal(state_dict(*target), saved));
  CHECK(target->parameters()[0].requires_grad());
}

TEST_CASE("state dict: floating types convert, other types do not") {
  const at::Tensor target = at::zeros({2});
  copy_tensors({{"x", target}}, {{"x", at::full({2}, 1.5, at::kBFloat16)}}, "file");
  CHECK(at::equal(target, at::full({2}, 1.5)));
  CHECK_THROWS_WITH(copy_tensors({{"x", target}}, {{"x", at::ones({2}, at::kLong)}}, "file"),
                    Contains("x: expected Float [2], got Long [2]"));
}

TEST_CASE("state dict: one error lists every key at fault, and nothing is changed") {
  TinyModule module(1);
  const StateDict before = snapshot(module);
  StateDict values = snapshot(module);
  values[0].second = at::ones({9, 4});  // weight1
  values[1].second = at::ones({8});     // bias1 would fit
  values[2].first = "surprise";         // weight2 missing
  try {
    load_state_dict(module, values, "weights.safetensors");
    FAIL("expected an error");
  } catch (const std::runtime_error& error) {
    CHECK(std::string(error.what()) ==
          "[load] weights.safetensors: 1 missing key (weight2); 1 unexpected key (surprise); "
          "1 mismatched key (weight1: expected Float [8, 4], got Float [9, 4])");
  }
  CHECK(equal(state_dict(module), before));
}

TEST_CASE("state dict: a long list of faults is shortened") {
  StateDict targets;
  for (int i = 0; i < 25; ++i) targets.emplace_back("key" + std::to_string(i), at::zeros({1}));
  CHECK_THROWS_WITH(copy_tensors(targets, {}, "file"), Contains("25 missing keys (key0, ") &&
                                                           Contains("key9, ... and 15 more)") &&
                                                           !Contains("key10"));
}

TEST_CASE("tensors: prefixes split a state dict and the fingerprint sees every change") {
  StateDict all;
  append(all, {{"x", at::ones({2})}}, "model.");
  append(all, {{"x", at::zeros({2})}}, "ema.");
  CHECK(all[1].first == "ema.x");
  CHECK(equal(without_prefix(all, "ema."), {{"x", at::zeros({2})}}));
  CHECK(without_prefix(all, "optimizer.").empty());
  const std::string mark = fingerprint(all);
  CHECK(mark.size() == 16);
  CHECK(fingerprint(all) == mark);
  CHECK(fingerprint(StateDict{{"x", at::zeros({2})}}) !=
        fingerprint(StateDict{{"y", at::zeros({2})}}));
  CHECK(fingerprint(StateDict{{"x", at::zeros({2})}}) !=
        fingerprint(StateDict{{"x", at::zeros({1, 2})}}));
  CHECK(fingerprint(StateDict{{"x", at::zeros({2})}}) !=
        fingerprint(StateDict{{"x", at::zeros({2}, at::kInt)}}));
  all[0].second[1] = 1.0000001;
  CHECK(fingerprint(all) != mark);
}

TEST_CASE("model file: architecture, options, extra and weights come back") {
  const ScratchFolder folder;
  const auto path = folder / "tiny.safetensors";
  TinyModule module(4);
  const Json options = Json::object({{"dim", 8}, {"name", "tiny \"quoted\""}});
  save_model(path, module, "tiny", options, Json::object({{"classes", Json::array({"a", "b"})}}));
  const ModelFile file = read_model_file(path, "tiny");
  CHECK(file.architecture == "tiny");
  CHECK(file.options == options);
  CHECK(file.extra.at("classes").elements().size() == 2);
  TinyModule other(5);
  load_state_dict(other, file.tensors, path.string());
  CHECK(equal(state_dict(other), state_dict(module)));
  CHECK(read_model_file(path, "").architecture == "tiny");
}

TEST_CASE("model file: another architecture or a plain safetensors file is one clear error") {
  const ScratchFolder folder;
  save_model(folder / "vae.safetensors", TinyModule(1), "kl_vae", Json::object(), Json::object());
  CHECK_THROWS_WITH(read_model_file(folder / "vae.safetensors", "vit"),
                    Equals("[load] " + (folder / "vae.safetensors").string() +
                           ": expected architecture vit, got kl_vae"));
  write_tensors(folder / "plain.safetensors", {{"x", at::ones({1})}});
  CHECK_THROWS_WITH(read_model_file(folder / "plain.safetensors", "vit"),
                    Contains("plain.safetensors") && Contains("dermis.architecture"));
  write_tensors(folder / "bad.safetensors", {}, {{"dermis.architecture", "vit\""}});
  CHECK_THROWS_WITH(read_model_file(folder / "bad.safetensors", "vit"),
                    Contains("bad.safetensors"));
}
