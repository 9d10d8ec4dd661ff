#include "dermis/core/json.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "dermis/core/file.hpp"
#include "support.hpp"

namespace dermis {
namespace {

using test::mentions;
using test::message_of;

std::string parse_error(std::string_view text) {
  return message_of<std::runtime_error>([&] { Json::parse(text, "config.json"); });
}

TEST_CASE("json: what is dumped reads back") {
  Json json = Json::object(
      {{"name", "a \"quoted\" \\ line\nand \u00e4\x01"}, {"count", 3}, {"none", nullptr}});
  json["rates"] = std::vector<double>{0.1, 1.0, -0.0, 1e300, 5e-324, 1.0 / 3};
  json["flags"] = std::vector<bool>{true, false};
  json["big"] = std::numeric_limits<std::int64_t>::min();
  json["nested"]["deep"].push_back(Json::array());
  json["nested"]["empty"] = Json::object();
  for (const int indent : {-1, 0, 2}) {
    const Json back = Json::parse(json.dump(indent), "dump");
    CHECK(back == json);
    CHECK(back.dump(indent) == json.dump(indent));
    CHECK(back.at("rates").get<std::vector<double>>() ==
          json.at("rates").get<std::vector<double>>());
    CHECK(std::signbit(back.at("rates").elements()[2].get<double>()));
    CHECK_FALSE(back.at("rates").elements()[1].is_integer());
  }
  CHECK(json.dump().find('\n') == std::string::npos);
}

TEST_CASE("json: exact text, members in the order of insertion") {
  const Json json = Json::object(
      {{"z", 1}, {"a", Json::array({1.5, true, nullptr, "x"})}, {"e", Json::object()}});
  CHECK(json.dump() == R"({"z":1,"a":[1.5,true,null,"x"],"e":{}})");
  CHECK(json.dump(2) ==
        "{\n  \"z\": 1,\n  \"a\": [\n    1.5,\n    true,\n    null,\n    \"x\"\n  ],\n  \"e\": "
        "{}\n}");
}

TEST_CASE("json: what has no JSON form becomes null or U+FFFD") {
  CHECK(Json(std::nan("")).dump() == "null");
  CHECK(Json(-std::numeric_limits<double>::infinity()).dump() == "null");
  CHECK(Json(std::string("a\xFF") + "b").dump() ==
        "\"a\xEF\xBF\xBD"
        "b\"");
  CHECK(Json(std::string("\xC0\x80")).dump() == "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");  // overlong
  CHECK(Json(std::string("\xED\xA0\x80")).size() == 0);                           // surrogate
  CHECK_NOTHROW(Json::parse(Json(std::string("\xED\xA0\x80\xF5\xE2\x82")).dump(), "dump"));
  CHECK(Json(std::string("\xF0\x9F\x98\x80 \xE2\x82\xAC")).dump() ==
        "\"\xF0\x9F\x98\x80 \xE2\x82\xAC\"");
}

TEST_CASE("json: parses the whole grammar") {
  const Json json =
      Json::parse(" {\"a\":[1,-2.5e3,\"\\u00e9\\ud83d\\ude00\\n\",true,false,null]}\n", "text");
  const auto& elements = json.at("a").elements();
  CHECK(elements.size() == 6);
  CHECK(elements[0].get<int>() == 1);
  CHECK(elements[1].get<double>() == -2500);
  CHECK(elements[2].get<std::string>() == "\xC3\xA9\xF0\x9F\x98\x80\n");
  CHECK(elements[3].get<bool>());
  CHECK(elements[5].is_null());
  CHECK(Json::parse("9223372036854775807", "text").get<std::int64_t>() ==
        std::numeric_limits<std::int64_t>::max());
  CHECK(Json::parse("9223372036854775808", "text").get<double>() == 9223372036854775808.0);
  CHECK(Json::parse("[]", "text").size() == 0);
}

TEST_CASE("json: errors name source, line and column") {
  CHECK(mentions(parse_error("{\"a\": 1,\n \"b\": tru }"),
                 {"[json] config.json:2:10: ", "invalid literal"}));
  CHECK(mentions(parse_error(""), {"config.json:1:1: ", "unexpected end of input"}));
  CHECK(mentions(parse_error("{\"a\": 1"), {"config.json:1:8: ", "unexpected end of input"}));
  CHECK(mentions(parse_error("[1, 2] x"), {"config.json:1:8: "}));
  CHECK(mentions(parse_error("[1,]"), {"config.json:1:4: "}));
  CHECK(mentions(parse_error("{\"a\": 1, // no\n}"), {"config.json:1:10: "}));
  CHECK(mentions(parse_error("\"a\xFF\""), {"config.json:1:3: ", "UTF-8"}));
  CHECK(mentions(parse_error("[1e999]"), {"config.json:1:", "1e999"}));
  CHECK(mentions(parse_error("{\"a\": 1,\n\"b\": 2, \"a\": 3}"),
                 {"config.json:2:", "'a' appears twice"}));
  CHECK(parse_error("{\"a\": {\"a\": 1}, \"b\": {\"a\": 1}}")
            .empty());  // the same key in other objects is none
  CHECK(parse_error(std::string(256, '[') + std::string(256, ']')).empty());
  CHECK(mentions(parse_error(std::string(257, '[') + std::string(257, ']')),
                 {"config.json:1:", "256 levels"}));
  CHECK(mentions(parse_error(std::string(1000000, '[')), {"256 levels"}));
}

TEST_CASE("json: read names the file") {
  const test::ScratchFolder folder;
  write_atomically(folder / "good.json", "{\"steps\": 100}");
  write_atomically(folder / "bad.json", "{\"steps\": }");
  CHECK(Json::read(folder / "good.json").at("steps").get<int>() == 100);
  const auto read_error = [&](const std::string& name) {
    return message_of<std::runtime_error>([&] { Json::read(folder / name); });
  };
  CHECK(mentions(read_error("bad.json"), {(folder / "bad.json").string() + ":1:11: "}));
  CHECK(mentions(read_error("none.json"), {(folder / "none.json").string(), "No such file"}));
}

TEST_CASE("json: get checks the type and the range") {
  const Json json =
      Json::object({{"text", "abc"}, {"half", 0.5}, {"whole", 2.0}, {"big", 300}, {"minus", -1}});
  const auto error = [](auto&& action) { return message_of<std::runtime_error>(action); };
  CHECK(json.at("whole").get<int>() == 2);
  CHECK(json.at("big").get<float>() == 300.0f);
  CHECK(json.at("big").get<std::uint16_t>() == 300);
  CHECK(mentions(error([&] { json.at("big").get<std::uint8_t>(); }), {"8 bits", "300"}));
  CHECK(mentions(error([&] { json.at("minus").get<std::uint64_t>(); }), {"64 bits", "-1"}));
  CHECK(mentions(error([&] { json.at("half").get<int>(); }), {"expected an integer", "0.5"}));
  CHECK(mentions(error([&] { json.at("text").get<double>(); }), {"expected a number", "\"abc\""}));
  CHECK(mentions(error([&] { json.at("text").get<bool>(); }), {"expected a bool"}));
  CHECK(mentions(error([&] { json.at("big").get<std::string>(); }), {"expected a string", "300"}));
  CHECK(mentions(error([&] { json.at("big").get<std::vector<int>>(); }), {"expected an array"}));
  CHECK(mentions(error([&] { json.at("big").items(); }), {"expected an object"}));
  CHECK(mentions(error([&] { json.at("missing"); }), {"'missing'"}));
  CHECK(mentions(error([&] { json.at("text").at("key"); }), {"'key'", "\"abc\""}));
  CHECK(mentions(message_of<std::invalid_argument>([] { Json(3)["key"]; }), {"'key'"}));
  CHECK(mentions(message_of<std::invalid_argument>([] { Json(3).push_back(1); }), {"array"}));
  CHECK_THROWS_AS(Json(std::uint64_t{1} << 63), std::invalid_argument);
}

TEST_CASE("json: value falls back on a missing or null member, not on a wrong one") {
  const Json json = Json::object({{"steps", 100}, {"none", nullptr}, {"name", "vit"}});
  CHECK(json.value("steps", 1) == 100);
  CHECK(json.value("none", 1.5) == 1.5);
  CHECK(json.value("other", true));
  CHECK(json.value("name", "mae") == "vit");
  CHECK(json.value("other", "mae") == "mae");
  CHECK(mentions(message_of<std::runtime_error>([&] { json.value("name", 3); }),
                 {"'name'", "integer", "vit"}));
}

TEST_CASE("json: equality is that of JSON values") {
  CHECK(Json(1) == Json(1.0));
  CHECK(Json(1) != Json(true));
  CHECK(Json("1") != Json(1));
  CHECK(Json() != Json(0));
  CHECK(Json::object({{"a", 1}, {"b", 2}}) == Json::object({{"b", 2}, {"a", 1}}));
  CHECK(Json::object({{"a", 1}, {"b", 2}}) != Json::object({{"a", 1}, {"c", 2}}));
  CHECK(Json::object({{"a", 1}}) != Json::object({{"a", 1}, {"b", 2}}));
  CHECK(Json::array({1, 2}) != Json::array({2, 1}));
  CHECK(Json::array() != Json::object());
}

}  // namespace

TEST_CASE("json: text ends where it ends, not at a NUL byte") {
  CHECK_THROWS_WITH(Json::parse(std::string_view("{\"a\":1}\0,junk", 13), "options.json"),
                    Catch::Matchers::Contains("options.json: expected UTF-8 text, got NUL bytes"));
}

}  // namespace dermis
