#include "dermis/io/safetensors.hpp"

#include <sys/resource.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <numeric>
#include <stdexcept>

#include "core/support.hpp"
#include "dermis/core/file.hpp"
#include "io/safetensors_fixtures.hpp"

namespace dermis {
namespace {

using test::entry;
using test::little_endian;
using test::mentions;
using test::message_of;
using test::ScratchFolder;
using test::values_of;
using test::view_of;

TEST_CASE("safetensors: what is written reads back, every type, aligned") {
  const ScratchFolder folder;
  const std::vector<float> floats{1.5f, -2.0f, 0.0f, 3e38f, 1e-40f, 7.0f};
  const std::vector<double> doubles{1.0 / 3};
  const std::vector<std::uint8_t> bytes{1, 2, 3};
  const std::vector<std::int64_t> longs{-1, INT64_MIN};
  const std::vector<std::int32_t> ints{-5};
  const std::vector<std::uint16_t> halves{0x3C00, 0x7BFF, 0x8000};
  const std::vector<float> none;
  write_safetensors(folder / "a.safetensors",
                    {{"bytes", view_of(TensorType::U8, bytes, {3})},
                     {"floats", view_of(TensorType::F32, floats, {2, 3})},
                     {"flags", view_of(TensorType::Bool, bytes, {1, 3})},
                     {"small", view_of(TensorType::I8, bytes, {3, 1})},
                     {"half", view_of(TensorType::F16, halves, {3})},
                     {"brain", view_of(TensorType::BF16, halves, {3})},
                     {"short", view_of(TensorType::I16, halves, {3})},
                     {"int", view_of(TensorType::I32, ints, {})},
                     {"double", view_of(TensorType::F64, doubles, {1})},
                     {"long \"\u00e4\"", view_of(TensorType::I64, longs, {2})},
                     {"none", view_of(TensorType::F32, none, {4, 0})}},
                    {{"format", "pt"}, {"note", "line\nbreak"}});
  SafetensorsFile opened(folder / "a.safetensors");
  const SafetensorsFile file = std::move(opened);  // views survive a move
  CHECK(file.names() == std::vector<std::string>{"bytes", "floats", "flags", "small", "half",
                                                 "brain", "short", "int", "double",
                                                 "long \"\u00e4\"", "none"});
  CHECK(file.metadata() ==
        std::map<std::string, std::string>{{"format", "pt"}, {"note", "line\nbreak"}});
  CHECK(file.at("floats").type == TensorType::F32);
  CHECK(file.at("floats").shape == std::vector<std::int64_t>{2, 3});
  CHECK(values_of<float>(file.at("floats")) == floats);
  CHECK(values_of<double>(file.at("double")) == doubles);
  CHECK(values_of<std::int64_t>(file.at("long \"\u00e4\"")) == longs);
  CHECK(values_of<std::int32_t>(file.at("int")) == ints);
  CHECK(file.at("int").shape.empty());
  CHECK(values_of<std::uint8_t>(file.at("flags")) == bytes);
  CHECK(values_of<std::uint8_t>(file.at("bytes")) == bytes);
  CHECK(values_of<std::uint16_t>(file.at("brain")) == halves);
  CHECK(file.at("brain").type == TensorType::BF16);
  CHECK(file.at("none").bytes == 0);
  for (const std::string& name : file.names()) {
    const TensorView& view = file.at(name);
    CHECK(reinterpret_cast<std::uintptr_t>(view.data) % element_size(view.type) == 0);
  }
  CHECK(file.contains("floats"));
  CHECK_FALSE(file.contains("__metadata__"));
  CHECK(mentions(message_of<std::runtime_error>([&] { file.at("weight"); }),
                 {"a.safetensors", "'weight'"}));
}

TEST_CASE("safetensors: the bytes are those of the format") {
  const ScratchFolder folder;
  const std::vector<std::uint8_t> bytes{7};
  const std::vector<std::int16_t> words{0x0201};
  write_safetensors(
      folder / "a",
      {{"b", view_of(TensorType::U8, bytes, {1})}, {"w", view_of(TensorType::I16, words, {1})}},
      {{"k", "v"}});
  const std::string content = read_file(folder / "a");
  std::string header = "{\"__metadata__\":{\"k\":\"v\"}," + entry("b", "U8", "[1]", "[2,3]") + "," +
                       entry("w", "I16", "[1]", "[0,2]") + "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  CHECK(content == little_endian(header.size()) + header + "\x01\x02\x07");
  write_safetensors(folder / "empty", {});
  CHECK(SafetensorsFile(folder / "empty").names().empty());
}

TEST_CASE("safetensors: reads a file of the Python library") {
  // safetensors.numpy.save({"b": uint8 [1, 2], "a": float32 [[1, 2]]}, {"format": "np"}),
  // safetensors 0.8.0
  const ScratchFolder folder;
  const std::string header =
      "{\"__metadata__\":{\"format\":\"np\"},\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_"
      "offsets\":[0,8]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[8,10]}}    ";
  write_atomically(folder / "py", little_endian(header.size()) + header +
                                      std::string("\0\0\x80\x3F\0\0\0\x40\x01\x02", 10));
  const SafetensorsFile file(folder / "py");
  CHECK(values_of<float>(file.at("a")) == std::vector<float>{1, 2});
  CHECK(file.at("a").shape == std::vector<std::int64_t>{1, 2});
  CHECK(values_of<std::uint8_t>(file.at("b")) == std::vector<std::uint8_t>{1, 2});
  CHECK(file.metadata().at("format") == "np");
}

TEST_CASE("safetensors: reads and writes the rarer types as the Python library does") {
  // safetensors.serialize of numpy and ml_dtypes arrays, safetensors 0.8.0: 2^64 - 2; 1.5 - 2i;
  // 2^32 - 1; 1, 65535; then five 8-bit types of 1, 2 or 1, their largest.
  const std::string header =
      R"({"u64":{"dtype":"U64","shape":[1],"data_offsets":[0,8]},)"
      R"("c64":{"dtype":"C64","shape":[1],"data_offsets":[8,16]},)"
      R"("u32":{"dtype":"U32","shape":[1],"data_offsets":[16,20]},)"
      R"("u16":{"dtype":"U16","shape":[2],"data_offsets":[20,24]},)"
      R"("e5m2fnuz":{"dtype":"F8_E5M2FNUZ","shape":[2],"data_offsets":[24,26]},)"
      R"("e4m3fnuz":{"dtype":"F8_E4M3FNUZ","shape":[2],"data_offsets":[26,28]},)"
      R"("e8m0fnu":{"dtype":"F8_E8M0","shape":[2],"data_offsets":[28,30]},)"
      R"("e4m3":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[30,32]},)"
      R"("e5m2":{"dtype":"F8_E5M2","shape":[2],"data_offsets":[32,34]}}     )";
  const std::string data(
      "\xfe\xff\xff\xff\xff\xff\xff\xff\0\0\xc0\x3f\0\0\0\xc0\xff\xff\xff\xff\1\0\xff\xff"
      "\x40\x44\x40\x48\x7f\x80\x38\x7e\x3c\xfb",
      34);
  const ScratchFolder folder;
  const std::string bytes = little_endian(560) + header + data;
  write_atomically(folder / "py", bytes);
  const SafetensorsFile file(folder / "py");
  CHECK(values_of<std::uint64_t>(file.at("u64")) == std::vector<std::uint64_t>{UINT64_MAX - 1});
  CHECK(values_of<float>(file.at("c64")) == std::vector<float>{1.5f, -2});
  CHECK(file.at("c64").shape == std::vector<std::int64_t>{1});
  CHECK(values_of<std::uint32_t>(file.at("u32")) == std::vector<std::uint32_t>{UINT32_MAX});
  CHECK(values_of<std::uint16_t>(file.at("u16")) == std::vector<std::uint16_t>{1, 65535});
  CHECK(values_of<std::uint8_t>(file.at("e4m3")) == std::vector<std::uint8_t>{0x38, 0x7E});
  CHECK(file.at("e5m2").type == TensorType::F8_E5M2);

  std::vector<std::pair<std::string, TensorView>> tensors;
  for (const std::string& name : file.names()) tensors.emplace_back(name, file.at(name));
  write_safetensors(folder / "own", tensors);
  CHECK(read_file(folder / "own") == bytes);
}

TEST_CASE("safetensors: views outlive a replaced file") {
  const ScratchFolder folder;
  const std::vector<float> one(5000, 1.0f), two(10, 2.0f);
  write_safetensors(folder / "a", {{"x", view_of(TensorType::F32, one, {5000})}});
  const SafetensorsFile file(folder / "a");
  write_safetensors(folder / "a", {{"x", view_of(TensorType::F32, two, {10})}});
  CHECK(values_of<float>(file.at("x")) == one);
  CHECK(values_of<float>(SafetensorsFile(folder / "a").at("x")) == two);
}

TEST_CASE("safetensors: what is no file") {
  const ScratchFolder folder;
  const auto error = [](const std::filesystem::path& path) {
    return message_of<std::runtime_error>([&] { SafetensorsFile file(path); });
  };
  CHECK(mentions(error(folder / "none"),
                 {"[safetensors] cannot read " + (folder / "none").string(), "No such file"}));
  CHECK(mentions(error(folder / ""), {"Is a directory"}));
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(mentions(error(folder / "pipe"), {"at least 8 bytes"}));  // and does not wait for a writer
}

TEST_CASE("safetensors: the writer refuses what it could not read") {
  const ScratchFolder folder;
  const std::vector<float> floats(6);
  const auto error = [&](const std::vector<std::pair<std::string, TensorView>>& tensors) {
    return message_of<std::invalid_argument>([&] { write_safetensors(folder / "a", tensors); });
  };
  const TensorView good = view_of(TensorType::F32, floats, {2, 3});
  CHECK(mentions(error({{"x", good}, {"x", good}}), {"'x' twice"}));
  CHECK(mentions(error({{"__metadata__", good}}), {"__metadata__"}));
  CHECK(mentions(error({{"x", view_of(TensorType::F32, floats, {2, 2})}}),
                 {"F32 [2,2]", "'x'", "24"}));
  CHECK(mentions(error({{"x", view_of(TensorType::F64, floats, {2, 3})}}), {"F64 [2,3]"}));
  CHECK(mentions(error({{"x", view_of(TensorType::F32, floats, {-2, -3})}}), {"[-2,-3]"}));
  CHECK(mentions(error({{"x", {TensorType::F32, {1}, nullptr, 4}}}), {"'x'"}));
  CHECK(mentions(error({{std::string(4097, 'x'), good}}), {"names of at most 4096 bytes"}));
  CHECK(mentions(error({{"x\n", good}}), {"names without control characters"}));
  CHECK(mentions(error({{"x", view_of(TensorType::F32, floats, {1, 1, 1, 1, 1, 1, 1, 2, 3})}}),
                 {"at most 8 dimensions", "'x'", "got 9"}));
  CHECK(folder.names().empty());
}

TEST_CASE("safetensors: a full disk leaves the old file and no rest") {
  const ScratchFolder folder;
  const std::vector<float> small(10, 1.0f), large(1 << 18, 2.0f);
  write_safetensors(folder / "a", {{"x", view_of(TensorType::F32, small, {10})}});
  const std::string before = read_file(folder / "a");
  struct rlimit old {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
  struct rlimit limit = old;
  limit.rlim_cur = 100000;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  const std::string error = message_of<std::runtime_error>([&] {
    write_safetensors(folder / "a", {{"x", view_of(TensorType::F32, large, {1 << 18})}});
  });
  ::setrlimit(RLIMIT_FSIZE, &old);
  CHECK(mentions(error, {(folder / "a").string(), "File too large"}));
  CHECK(read_file(folder / "a") == before);
  CHECK(folder.names() == std::vector<std::string>{"a"});
  CHECK(mentions(message_of<std::runtime_error>([&] { write_safetensors(folder / "a/b", {}); }),
                 {"Not a directory"}));
}

}  // namespace
}  // namespace dermis
