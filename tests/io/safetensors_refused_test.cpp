#include <catch2/catch.hpp>

#include "core/support.hpp"
#include "dermis/core/file.hpp"
#include "dermis/io/safetensors.hpp"
#include "io/safetensors_fixtures.hpp"

namespace dermis {
namespace {

using test::entry;
using test::file_of;
using test::little_endian;
using test::mentions;
using test::message_of;
using test::ScratchFolder;

/// What is said about a file with these bytes.
std::string open_error(const std::string& bytes, const std::string& name = "bad.safetensors") {
  const ScratchFolder folder;
  write_atomically(folder / name, bytes);
  const std::string error =
      message_of<std::runtime_error>([&] { SafetensorsFile file(folder / name); });
  if (!error.empty()) CHECK(mentions(error, {"[safetensors] " + (folder / name).string() + ": "}));
  CHECK(error.find('\n') == std::string::npos);
  return error;
}

/// Of a header with these entries and so many bytes of data behind it.
std::string error_of(const std::string& entries, std::size_t bytes) {
  return open_error(file_of("{" + entries + "}", bytes));
}

const std::string good =
    "{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("b", "U8", "[3]", "[8,11]") + "}";
const std::string first = entry("a", "U8", "[4]", "[0,4]") + ",";

TEST_CASE("refused: nothing about good files") {
  CHECK(open_error(file_of(good, 11)).empty());
  CHECK(open_error(file_of(good + "   ", 11)).empty());
  CHECK(open_error(file_of("{}", 0)).empty());
  // Without elements, of rank 8, behind one another in another order than in the header.
  CHECK(error_of(first + entry("z", "F32", "[0]", "[4,4]") + "," +
                     entry("b", "U8", "[1,1,1,1,1,1,1,1]", "[4,5]"),
                 5)
            .empty());
  CHECK(error_of(entry("b", "U8", "[1]", "[4,5]") + "," + entry("a", "F32", "[]", "[0,4]"), 5)
            .empty());
  CHECK(error_of(entry(std::string(4096, 'n'), "U8", "[1]", "[0,1]"), 1).empty());
}

TEST_CASE("refused: the length of the header") {
  CHECK(mentions(open_error(""), {"at least 8 bytes, got 0"}));
  CHECK(mentions(open_error("1234567"), {"at least 8 bytes, got 7"}));
  CHECK(mentions(open_error(little_endian(0)), {"expected a header, got a length of 0"}));
  CHECK(mentions(open_error(little_endian(3) + "{}"),
                 {"header of 3 bytes", "file of 10 bytes", "truncated"}));
  CHECK(mentions(open_error(file_of(good, 11).substr(0, 20)), {"truncated"}));
  CHECK(mentions(open_error(little_endian(100'000'000) + "{}"),
                 {"header of 100000000 bytes", "file of 10 bytes"}));
  CHECK(mentions(open_error(little_endian(100'000'001) + "{}"),
                 {"at most 100000000 bytes, got 100000001"}));
  // Plus 8 these wrap around to 7 and to 0.
  for (const std::uint64_t length : {UINT64_MAX, UINT64_MAX - 7}) {
    CHECK(mentions(open_error(little_endian(length) + "{}"),
                   {"at most 100000000 bytes, got " + std::to_string(length)}));
  }
}

TEST_CASE("refused: what is no JSON object") {
  CHECK(mentions(open_error(file_of("[]", 0)), {"starts with '{'"}));
  CHECK(mentions(open_error(file_of(" " + good, 11)), {"starts with '{'"}));
  CHECK(mentions(open_error(file_of("{\"a\":", 0)), {"header byte 6", "end of input"}));
  CHECK(mentions(open_error(file_of(good + "x", 11)), {"header byte", "invalid literal"}));
  CHECK(mentions(open_error(file_of(good + "{}", 11)), {"header byte", "expected end of input"}));
  const std::string nul(1, '\0');
  CHECK(mentions(open_error(file_of(good + nul, 11)), {"header byte", "NUL"}));
  CHECK(mentions(open_error(file_of(good + nul + "hidden", 11)), {"NUL"}));
  CHECK(mentions(error_of(entry("\xFF", "U8", "[1]", "[0,1]"), 1), {"header byte 3", "UTF-8"}));
  CHECK(mentions(error_of(entry("a", "U8", "[NaN]", "[0,1]"), 1), {"header byte", "literal"}));
  CHECK(mentions(error_of(entry("a", "U8", "[1,]", "[0,1]"), 1), {"header byte"}));
}

TEST_CASE("refused: keys and levels") {
  CHECK(mentions(error_of("\"a\":1", 0), {"tensor 'a'", "expected an object, got a number"}));
  CHECK(mentions(error_of("\"a\":[]", 0), {"tensor 'a'", "expected an object, got an array"}));
  CHECK(mentions(error_of("\"a\":null", 0), {"tensor 'a'", "expected an object, got null"}));
  CHECK(mentions(error_of("\"a\":{}", 0), {"tensor 'a'", "got no dtype"}));
  CHECK(mentions(error_of("\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}", 1),
                 {"tensor 'a'", "got no shape"}));
  CHECK(mentions(error_of("\"a\":{\"dtype\":\"U8\",\"shape\":[2]}", 2),
                 {"tensor 'a'", "got no data_offsets"}));
  CHECK(
      mentions(error_of("\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2],\"x\":1}", 2),
               {"tensor 'a'", "got key 'x'"}));
  CHECK(mentions(error_of("\"a\":{\"dtype\":3}", 0), {"a string for dtype, got a number"}));
  CHECK(mentions(error_of("\"a\":{\"dtype\":[3]}", 0), {"a string for dtype, got an array"}));
  CHECK(mentions(error_of("\"a\":{\"dtype\":{}}", 0), {"a string for dtype, got an object"}));
  CHECK(mentions(error_of(entry("a", "U8", "2", "[0,2]"), 2),
                 {"tensor 'a'", "an array for shape, got a number"}));
  CHECK(mentions(error_of(entry("a", "U8", "[2]", "\"all\""), 2),
                 {"tensor 'a'", "an array for data_offsets, got a string"}));
  CHECK(mentions(error_of(entry("a", "U8", "[true]", "[0,2]"), 2),
                 {"tensor 'a'", "integers in shape, got a bool"}));
  CHECK(mentions(error_of(entry("a", "U8", "[[2]]", "[0,2]"), 2),
                 {"tensor 'a'", "more than 3 levels"}));
  CHECK(mentions(error_of(entry("a", "U8", "[{}]", "[0,2]"), 2),
                 {"tensor 'a'", "more than 3 levels"}));
  CHECK(mentions(error_of("\"a\":" + std::string(100'000, '['), 0), {"expected an object"}));
  CHECK(mentions(error_of(first + entry("a", "U8", "[4]", "[4,8]"), 8),
                 {"tensor 'a': the name appears twice"}));
  CHECK(mentions(error_of("\"a\":{\"dtype\":\"U8\",\"dtype\":\"I8\"}", 0),
                 {"tensor 'a'", "key 'dtype' appears twice"}));
  CHECK(
      mentions(error_of("\"a\":{\"shape\":[1],\"shape\":[2]}", 0), {"key 'shape' appears twice"}));
  CHECK(mentions(error_of("\"a\":{\"data_offsets\":[],\"data_offsets\":[]}", 0),
                 {"key 'data_offsets' appears twice"}));
}

TEST_CASE("refused: names") {
  CHECK(mentions(error_of(entry(std::string(4097, 'n'), "U8", "[1]", "[0,1]"), 1),
                 {"a name of at most 4096 bytes, got 4097"}));
  CHECK(mentions(error_of(entry("a\\nb", "U8", "[1]", "[0,1]"), 1),
                 {"tensor 'a?b'", "without control characters"}));
  CHECK(mentions(error_of(entry("a\\u0000", "U8", "[1]", "[0,1]"), 1), {"control characters"}));
  std::string many;
  for (int i = 0; i <= 200'000; ++i)
    many += (i > 0 ? "," : "") + entry(std::to_string(i), "U8", "[0]", "[0,0]");
  CHECK(mentions(error_of(many, 0), {"at most 200000 tensors and metadata keys"}));
  many = "\"__metadata__\":{\"k\":\"\"";
  for (int i = 0; i <= 200'000; ++i) many += ",\"" + std::to_string(i) + "\":\"\"";
  CHECK(mentions(error_of(many + "}", 0), {"at most 200000 tensors and metadata keys"}));
}

TEST_CASE("refused: metadata") {
  CHECK(mentions(error_of("\"__metadata__\":{\"k\":1}", 0),
                 {"__metadata__", "expected a string for key 'k', got a number"}));
  CHECK(mentions(error_of("\"__metadata__\":{\"k\":null}", 0), {"__metadata__", "got null"}));
  CHECK(mentions(error_of("\"__metadata__\":{\"k\":{\"l\":{}}}", 0), {"got an object"}));
  CHECK(mentions(error_of("\"__metadata__\":{\"k\":[]}", 0), {"got an array"}));
  CHECK(mentions(error_of("\"__metadata__\":[]", 0), {"__metadata__: expected an object"}));
  CHECK(mentions(error_of("\"__metadata__\":{},\"__metadata__\":{}", 0),
                 {"__metadata__: the name appears twice"}));
  CHECK(mentions(error_of("\"__metadata__\":{\"k\":\"\",\"k\":\"\"}", 0),
                 {"__metadata__: key 'k' appears twice"}));
}

TEST_CASE("refused: types that share bytes, and unknown ones, by name") {
  for (const std::string type : {"F4", "F6_E2M3", "F6_E3M2"}) {
    CHECK(mentions(error_of(entry("a", type, "[8]", "[0,4]"), 4),
                   {"tensor 'a'", "'" + type + "'", "share bytes"}));
  }
  const std::string error = error_of(entry("a", "I128", "[1]", "[0,16]"), 16);
  CHECK(mentions(error, {"tensor 'a'", "expected dtype F64", "got 'I128'"}));
  CHECK_FALSE(mentions(error, {"share"}));
  CHECK(mentions(error_of(entry("a", "f32", "[1]", "[0,4]"), 4), {"'f32'"}));
}

TEST_CASE("refused: shapes") {
  const auto error = [](const std::string& type, const std::string& shape) {
    return error_of(entry("a", type, shape, "[0,0]"), 0);
  };
  const std::string natural = "integers from 0 to 2^63 - 1 in shape, got ";
  for (const std::string number : {"-2", "2.5", "2.0", "1e3", "9223372036854775808",
                                   "18446744073709551616", "-9223372036854775809"}) {
    CHECK(mentions(error("U8", "[" + number + "]"), {"tensor 'a'", natural + number}));
  }
  CHECK(mentions(error("U8", "[0,9223372036854775808]"), {natural + "9223372036854775808"}));
  CHECK(mentions(error("U8", "[1,1,1,1,1,1,1,1,1]"), {"tensor 'a'", "at most 8 dimensions"}));
  for (const std::string shape :
       {"[4294967296,4294967296]", "[4611686018427387904]", "[9223372036854775807]",
        "[0,9223372036854775807]", "[4294967296,0,4294967296]"}) {
    CHECK(mentions(error("F32", shape), {"tensor 'a'", shape, "overflows"}));
  }
  CHECK(mentions(error_of(entry("a", "F32", "[3]", "[0,8]"), 8),
                 {"tensor 'a'", "12 bytes for F32 [3], got 8"}));
  CHECK(mentions(error("U8", "[9223372036854775807]"), {"9223372036854775807 bytes", "got 0"}));
}

TEST_CASE("refused: offsets") {
  const auto error = [](const std::string& offsets) {
    return error_of(entry("a", "U8", "[2]", offsets), 2);
  };
  CHECK(mentions(error("[2,0]"), {"tensor 'a'", "end after their begin, got [2,0]"}));
  CHECK(mentions(error("[0,2,4]"), {"tensor 'a'", "two data_offsets, got more"}));
  CHECK(mentions(error("[0]"), {"tensor 'a'", "two data_offsets, got 1"}));
  CHECK(mentions(error("[0,3]"), {"tensor 'a'", "[0,3] reach beyond the 2 bytes", "truncated"}));
  for (const std::string number : {"-2", "2.0", "2e0", "18446744073709551615"})
    CHECK(mentions(error("[0," + number + "]"), {"tensor 'a'", "in data_offsets, got " + number}));
}

TEST_CASE("refused: data that is not covered exactly once") {
  CHECK(mentions(error_of(first + entry("b", "U8", "[4]", "[3,7]"), 7), {"'a' and 'b' overlap"}));
  CHECK(mentions(error_of(first + entry("b", "U8", "[4]", "[0,4]"), 4), {"overlap"}));
  CHECK(mentions(error_of(first + entry("b", "U8", "[1]", "[1,2]"), 4), {"'a' and 'b' overlap"}));
  CHECK(mentions(error_of(first + entry("b", "U8", "[4]", "[6,10]"), 10),
                 {"hole of 2 bytes before tensor 'b'"}));
  CHECK(mentions(error_of(entry("a", "U8", "[4]", "[1,5]"), 5),
                 {"hole of 1 bytes before tensor 'a'"}));
  CHECK(mentions(error_of(first + entry("b", "U8", "[4]", "[4,8]"), 9), {"1 trailing bytes"}));
  CHECK(mentions(open_error(file_of("{}", 3)), {"3 trailing bytes"}));
}

TEST_CASE("refused: files of Python objects, with the way to convert them") {
  const std::string recipe =
      "convert it once with safetensors.torch.save_file, see docs/weights.md";
  const std::string zip = "PK\3\4" + std::string(60, '\0');
  const std::string pickle =
      "\x80\2\x8a\nl\xfc\x9c"
      "F\xf9 j\xa8P\x19";  // torch's magic number
  for (const std::string& bytes : {zip, pickle, std::string("\x80\4K\1.")})
    CHECK(mentions(open_error(bytes), {"got Python objects", recipe}));
  for (const std::string name : {"a.pt", "a.pth", "a.bin", "a.ckpt", "a.PTH"}) {
    CHECK(mentions(open_error(zip, name), {name, recipe}));
    CHECK(mentions(open_error(file_of(good, 11), name), {"got one named", name.substr(1), recipe}));
  }
  // A length may look like a pickle's first bytes: 0x280.
  const std::string padded = good + std::string(0x280 - good.size(), ' ');
  REQUIRE(little_endian(padded.size()).substr(0, 2) == "\x80\2");
  CHECK(open_error(file_of(padded, 11)).empty());
}

}  // namespace
}  // namespace dermis
