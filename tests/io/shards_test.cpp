#include "dermis/io/shards.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "core/support.hpp"
#include "dermis/core/file.hpp"
#include "dermis/core/json.hpp"
#include "io/safetensors_fixtures.hpp"

namespace dermis {
namespace {

using test::mentions;
using test::message_of;
using test::ScratchFolder;
using test::values_of;
using test::view_of;

const std::vector<float> two{1, 2}, three{3, 4, 5};
const std::vector<std::uint8_t> byte{6};

std::vector<std::pair<std::string, TensorView>> some_tensors() {
  return {{"b", view_of(TensorType::F32, two, {2})},
          {"a", view_of(TensorType::F32, three, {3, 1})},
          {"c", view_of(TensorType::U8, byte, {})}};
}

std::vector<std::string> sorted_names(const ScratchFolder& folder) {
  std::vector<std::string> names = folder.names();
  std::sort(names.begin(), names.end());
  return names;
}

std::string open_error(const std::filesystem::path& path) {
  const std::string error = message_of<std::runtime_error>([&] { open_safetensors(path); });
  CHECK(error.find('\n') == std::string::npos);
  return error;
}

TEST_CASE("shards: files of limited size and their index, as transformers lays them out") {
  const ScratchFolder folder;
  write_safetensors_shards(folder.path(), some_tensors(), {13}, {{"format", "pt"}});
  const std::string first = "model-00001-of-00002.safetensors",
                    second = "model-00002-of-00002.safetensors";
  CHECK(sorted_names(folder) ==
        std::vector<std::string>{first, second, "model.safetensors.index.json"});
  CHECK(read_file(folder / "model.safetensors.index.json") ==
        "{\n  \"metadata\": {\n    \"total_size\": 21\n  },\n  \"weight_map\": {\n    \"b\": \"" +
            first + "\",\n    \"a\": \"" + second + "\",\n    \"c\": \"" + second + "\"\n  }\n}\n");
  for (const auto& path : {folder.path(), folder / "model.safetensors.index.json"}) {
    const auto files = open_safetensors(path);
    REQUIRE(files.size() == 2);
    CHECK(files[0].names() == std::vector<std::string>{"b"});
    CHECK(files[1].names() == std::vector<std::string>{"a", "c"});
    CHECK(values_of<float>(files[1].at("a")) == three);
    CHECK(files[0].metadata().at("format") == "pt");
    CHECK(files[1].metadata().at("format") == "pt");
  }
}

TEST_CASE("shards: a tensor above the limit lies alone; what fits one shard is one file") {
  const ScratchFolder alone, exact, whole;
  write_safetensors_shards(alone.path(), some_tensors(), {1, "diffusion_pytorch_model"});
  CHECK(sorted_names(alone) ==
        std::vector<std::string>{"diffusion_pytorch_model-00001-of-00003.safetensors",
                                 "diffusion_pytorch_model-00002-of-00003.safetensors",
                                 "diffusion_pytorch_model-00003-of-00003.safetensors",
                                 "diffusion_pytorch_model.safetensors.index.json"});
  CHECK(open_safetensors(alone.path()).size() == 3);
  write_safetensors_shards(exact.path(), some_tensors(), {20});
  CHECK(open_safetensors(exact.path())[0].names() == std::vector<std::string>{"b", "a"});
  write_safetensors_shards(whole.path(), some_tensors(), {21});
  CHECK(sorted_names(whole) == std::vector<std::string>{"model.safetensors"});
  CHECK(open_safetensors(whole.path())[0].names() == std::vector<std::string>{"b", "a", "c"});
  CHECK(open_safetensors(whole / "model.safetensors").size() == 1);
}

TEST_CASE("shards: the writer refuses before it writes") {
  const ScratchFolder folder;
  const auto error = [&](std::vector<std::pair<std::string, TensorView>> tensors,
                         const ShardOptions& options) {
    return message_of<std::invalid_argument>(
        [&] { write_safetensors_shards(folder.path(), tensors, options); });
  };
  CHECK(mentions(error(some_tensors(), {0}), {"max_bytes above 0"}));
  CHECK(mentions(error(some_tensors(), {5, "../up"}), {"stem", "'../up'"}));
  auto twice = some_tensors();
  twice.push_back(twice[0]);  // would lie in another shard
  CHECK(mentions(error(twice, {13}), {"'b' twice"}));
  CHECK(folder.names().empty());

  write_safetensors_shards(folder.path(), some_tensors(), {13});
  for (const std::uint64_t size : {13, 100}) {
    CHECK(mentions(message_of<std::runtime_error>(
                       [&] { write_safetensors_shards(folder.path(), some_tensors(), {size}); }),
                   {folder.path().string(), "without a model", "model.safetensors.index.json"}));
  }
  CHECK(mentions(message_of<std::runtime_error>(
                     [&] { write_safetensors_shards(folder / "none", some_tensors(), {13}); }),
                 {"none", "No such file"}));
}

TEST_CASE("shards: a folder holds one model that can be read") {
  const ScratchFolder folder;
  CHECK(mentions(open_error(folder.path()), {folder.path().string(), "model.safetensors", "none"}));
  write_atomically(folder / "pytorch_model.bin", "PK\3\4");
  CHECK(mentions(open_error(folder.path()),
                 {"got pytorch_model.bin", "safetensors.torch.save_file, see docs/weights.md"}));
  write_safetensors(folder / "model.safetensors", some_tensors());
  CHECK(open_error(folder.path()).empty());
  write_atomically(folder / "model.safetensors.index.json", "{}");
  CHECK(mentions(open_error(folder.path()),
                 {"expected one of", "model.safetensors and model.safetensors.index.json"}));
  CHECK(
      mentions(open_error(folder / "absent.safetensors"), {"absent.safetensors", "No such file"}));
  CHECK(mentions(open_error(folder / "x.index.json"), {"x.index.json", "No such file"}));
}

TEST_CASE("shards: an index is distrusted") {
  const ScratchFolder folder;
  const auto index_path = folder / "model.safetensors.index.json";
  write_safetensors(folder / "one.safetensors", {{"b", view_of(TensorType::F32, two, {2})}});
  write_safetensors(folder / "two.safetensors", {{"a", view_of(TensorType::F32, three, {3})}});
  write_safetensors(folder / "both.safetensors", some_tensors());
  const auto error = [&](const std::string& index) {
    write_atomically(index_path, index);
    const std::string message = open_error(folder.path());
    if (!message.empty()) CHECK(mentions(message, {index_path.string()}));
    return message;
  };
  const auto map_error = [&](const std::string& map) {
    return error("{\"weight_map\":{" + map + "}}");
  };
  const std::string good = R"("b":"one.safetensors","a":"two.safetensors")";
  CHECK(map_error(good).empty());
  CHECK(error(R"({"metadata":{"total_size":20},"weight_map":{)" + good + "}}").empty());
  CHECK(map_error(R"("a":"both.safetensors")").empty());  // and b, c, which nobody listed
  CHECK(open_safetensors(folder.path())[0].names().size() == 3);

  CHECK(mentions(error(R"({"metadata":{"total_size":21},"weight_map":{)" + good + "}}"),
                 {"expected total_size 20, got 21"}));
  CHECK(mentions(error(R"({"metadata":{"total_size":"20"},"weight_map":{)" + good + "}}"),
                 {"expected total_size 20, got \"20\""}));
  CHECK(mentions(map_error(R"("b":"one.safetensors","a":"three.safetensors")"),
                 {"shard three.safetensors is missing"}));
  CHECK(mentions(map_error(R"("b":"two.safetensors","a":"two.safetensors")"),
                 {"expected tensor 'b' in shard two.safetensors"}));
  CHECK(mentions(map_error(R"("b":"one.safetensors","c":"both.safetensors")"),
                 {"'b' is in shard both.safetensors and in one.safetensors"}));
  CHECK(
      mentions(map_error(R"("b":"one.safetensors","b":"two.safetensors")"), {"'b' appears twice"}));
  for (const std::string index : {"[]", "{}", R"({"weight_map":3})", R"({"weight_map":{}})"})
    CHECK(mentions(error(index), {"expected an object with weight_map"}));
  CHECK(mentions(error("{"), {":1:2"}));
  CHECK(mentions(error("{\"weight_map\":{" + good + "}}" + std::string(1, '\0') + "x"), {"NUL"}));
  CHECK(mentions(map_error("\"b\":" + std::string(1000, '[')), {"levels"}));
}

TEST_CASE("shards: an index cannot name what lies outside its folder") {
  const ScratchFolder folder;
  make_directories(folder / "model");
  const auto index = folder / "model/model.safetensors.index.json";
  write_safetensors(folder / "secret.safetensors", some_tensors());
  write_safetensors(folder / "model/secret.safetensors", some_tensors());
  const auto error = [&](const std::string& shard) {
    write_atomically(index,
                     Json::object({{"weight_map", Json::object({{"a", Json(shard)}})}}).dump());
    return open_error(folder / "model");
  };
  CHECK(error("secret.safetensors").empty());
  const std::string absolute = (folder / "secret.safetensors").string();
  for (const std::string& shard :
       {std::string("../secret.safetensors"), absolute, std::string("x/../../secret.safetensors"),
        std::string("./secret.safetensors"), std::string("..\\secret.safetensors"),
        std::string("secret.safetensors\0.safetensors", 31), std::string("secret.pth"),
        std::string("..")}) {
    CHECK(
        mentions(error(shard), {index.string(), "same folder for tensor 'a'", Json(shard).dump()}));
  }
  write_atomically(index, R"({"weight_map":{"a":["secret.safetensors"]}})");
  CHECK(mentions(open_error(index), {"same folder for tensor 'a'"}));
}

}  // namespace
}  // namespace dermis
