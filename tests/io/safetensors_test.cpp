#include "dermis/io/safetensors.hpp"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <numeric>
#include <stdexcept>

#include "core/support.hpp"
#include "dermis/core/file.hpp"

namespace dermis {
namespace {

using test::mentions;
using test::message_of;
using test::ScratchFolder;

template <class T>
TensorView view_of(TensorType type, const std::vector<T>& values, std::vector<std::int64_t> shape) {
  return {type, std::move(shape), reinterpret_cast<const std::byte*>(values.data()),
          values.size() * sizeof(T)};
}

template <class T>
std::vector<T> values_of(const TensorView& view) {
  std::vector<T> values(view.bytes / sizeof(T));
  if (view.bytes > 0) std::memcpy(values.data(), view.data, view.bytes);
  return values;
}

std::string little_endian(std::uint64_t value) {
  std::string text;
  for (int i = 0; i < 8; ++i) text += static_cast<char>(value >> (8 * i) & 0xFF);
  return text;
}

std::string file_of(const std::string& header, std::size_t data_bytes) {
  return little_endian(header.size()) + header + std::string(data_bytes, 'd');
}

/// What is said about a file with these bytes.
std::string open_error(const std::string& bytes) {
  const ScratchFolder folder;
  write_atomically(folder / "bad.safetensors", bytes);
  return message_of<std::runtime_error>([&] { SafetensorsFile file(folder / "bad.safetensors"); });
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

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

TEST_CASE("safetensors: views outlive a replaced file") {
  const ScratchFolder folder;
  const std::vector<float> one(5000, 1.0f), two(10, 2.0f);
  write_safetensors(folder / "a", {{"x", view_of(TensorType::F32, one, {5000})}});
  const SafetensorsFile file(folder / "a");
  write_safetensors(folder / "a", {{"x", view_of(TensorType::F32, two, {10})}});
  CHECK(values_of<float>(file.at("x")) == one);
  CHECK(values_of<float>(SafetensorsFile(folder / "a").at("x")) == two);
}

TEST_CASE("safetensors: a distrusted header") {
  const std::string good =
      "{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("b", "U8", "[3]", "[8,11]") + "}";
  REQUIRE(open_error(file_of(good, 11)).empty());
  REQUIRE(open_error(file_of(good + "   ", 11)).empty());
  const auto error_of = [](const std::string& entries, std::size_t bytes) {
    return open_error(file_of("{" + entries + "}", bytes));
  };

  CHECK(mentions(open_error(""), {"bad.safetensors", "at least 8 bytes, got 0"}));
  CHECK(mentions(open_error("1234567"), {"bad.safetensors", "at least 8 bytes, got 7"}));
  CHECK(mentions(open_error(little_endian(3) + "{}"), {"header of 3 bytes", "file of 10 bytes"}));
  CHECK(mentions(open_error(little_endian(UINT64_MAX) + "{}"),
                 {"header of 18446744073709551615 bytes"}));
  CHECK(mentions(open_error(file_of("", 0)), {"starts with '{'"}));
  CHECK(mentions(open_error(file_of("[]", 0)), {"starts with '{'"}));
  CHECK(mentions(open_error(file_of("{\"a\":", 0)), {"bad.safetensors (header):1:6"}));
  CHECK(mentions(open_error(file_of("{\"a\":1}", 0)), {"tensor 'a'", "object"}));
  CHECK(mentions(open_error(file_of(good, 11).substr(0, 20)), {"truncated"}));

  CHECK(mentions(error_of(entry("a", "F8_E4M3", "[2]", "[0,2]"), 2),
                 {"tensor 'a'", "dtype", "'F8_E4M3'"}));
  CHECK(mentions(error_of("\"a\":{\"dtype\":\"U8\",\"shape\":[2]}", 2),
                 {"tensor 'a'", "data_offsets"}));
  CHECK(mentions(error_of("\"a\":{\"shape\":[2],\"data_offsets\":[0,2]}", 2),
                 {"tensor 'a'", "dtype"}));
  CHECK(
      mentions(error_of(entry("a", "U8", "[-2]", "[0,2]"), 2), {"tensor 'a'", "negative", "[-2]"}));
  CHECK(mentions(error_of(entry("a", "U8", "[2.5]", "[0,2]"), 2),
                 {"tensor 'a'", "expected an integer", "2.5"}));
  CHECK(mentions(error_of(entry("a", "U8", "2", "[0,2]"), 2), {"tensor 'a'", "expected an array"}));
  CHECK(mentions(error_of(entry("a", "F32", "[4294967296,4294967296]", "[0,0]"), 0),
                 {"tensor 'a'", "overflows"}));
  CHECK(mentions(error_of(entry("a", "F32", "[4611686018427387904]", "[0,0]"), 0),
                 {"tensor 'a'", "overflows"}));
  CHECK(mentions(error_of(entry("a", "F32", "[3]", "[0,8]"), 8),
                 {"tensor 'a'", "12 bytes for F32 [3], got 8"}));
  CHECK(mentions(error_of(entry("a", "U8", "[2]", "[2,0]"), 2),
                 {"tensor 'a'", "[begin, end], got [2,0]"}));
  CHECK(mentions(error_of(entry("a", "U8", "[2]", "[0,2,4]"), 2), {"tensor 'a'", "[begin, end]"}));
  CHECK(mentions(error_of(entry("a", "U8", "[2]", "[-2,0]"), 2), {"tensor 'a'", "[begin, end]"}));
  CHECK(mentions(error_of(entry("a", "U8", "[3]", "[0,3]"), 2),
                 {"tensor 'a'", "beyond the 2 bytes", "truncated"}));
  CHECK(mentions(error_of(entry("a", "U8", "[1]", "[0,18446744073709551615]"), 2), {"tensor 'a'"}));

  const std::string first = entry("a", "U8", "[4]", "[0,4]") + ",";
  CHECK(mentions(error_of(first + entry("b", "U8", "[4]", "[3,7]"), 7), {"'a' and 'b' overlap"}));
  CHECK(mentions(error_of(first + entry("b", "U8", "[4]", "[0,4]"), 4), {"overlap"}));
  CHECK(mentions(error_of(first + entry("b", "U8", "[1]", "[1,2]"), 4), {"'a' and 'b' overlap"}));
  CHECK(mentions(error_of(first + entry("b", "U8", "[4]", "[6,10]"), 10),
                 {"hole of 2 bytes before tensor 'b'"}));
  CHECK(mentions(error_of(entry("a", "U8", "[4]", "[1,5]"), 5),
                 {"hole of 1 bytes before tensor 'a'"}));
  CHECK(mentions(error_of(first + entry("b", "U8", "[4]", "[4,8]"), 9), {"1 trailing bytes"}));
  CHECK(mentions(open_error(file_of("{}", 3)), {"3 trailing bytes"}));
  CHECK(mentions(error_of(first + entry("a", "U8", "[4]", "[4,8]"), 8),
                 {"bad.safetensors", "'a' appears twice"}));
  CHECK(mentions(error_of("\"__metadata__\":{\"k\":1}", 0), {"__metadata__", "expected a string"}));
  CHECK(error_of(first + entry("z", "F32", "[0]", "[4,4]") + "," + entry("b", "U8", "[1]", "[4,5]"),
                 5)
            .empty());
}

TEST_CASE("safetensors: what is no file") {
  const ScratchFolder folder;
  const auto error = [](const std::filesystem::path& path) {
    return message_of<std::runtime_error>([&] { SafetensorsFile file(path); });
  };
  CHECK(mentions(error(folder / "none"),
                 {"[safetensors] cannot read " + (folder / "none").string(), "No such file"}));
  CHECK(mentions(error(folder / ""), {"Is a directory"}));
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
