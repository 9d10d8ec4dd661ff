#include "dermis/io/tensorboard.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <limits>
#include <map>
#include <numeric>
#include <stdexcept>

#include "dermis/core/file.hpp"
#include "folder.hpp"

using namespace dermis;
using Catch::Matchers::Contains;
using dermis::test::ScratchFolder;

namespace {

/// The checksum bit by bit, as the standard words it; nothing in common with the table.
std::uint32_t crc_by_bits(const std::string& bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const unsigned char byte : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      const bool feed = ((crc ^ (byte >> bit)) & 1) != 0;
      crc = (crc >> 1) ^ (feed ? 0x82F63B78 : 0);
    }
  }
  return ~crc;
}

template <class T>
T number(const std::string& bytes, std::size_t at = 0) {  // this machine is little-endian
  REQUIRE(at + sizeof(T) <= bytes.size());
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

/// A message's fields by number; numbers as their little-endian bytes, varints as 8 of them.
std::multimap<int, std::string> fields(const std::string& message) {
  std::multimap<int, std::string> found;
  std::size_t at = 0;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      REQUIRE(at < message.size());
      const auto byte = static_cast<unsigned char>(message[at++]);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.size()) {
    const std::uint64_t key = varint();
    std::string content;
    if (key % 8 == 0) {
      const std::uint64_t value = varint();
      content.assign(reinterpret_cast<const char*>(&value), 8);
    } else {
      REQUIRE((key % 8 == 1 || key % 8 == 2 || key % 8 == 5));
      const std::uint64_t size = key % 8 == 1 ? 8 : key % 8 == 5 ? 4 : varint();
      REQUIRE(at + size <= message.size());
      content = message.substr(at, size);
      at += size;
    }
    found.emplace(static_cast<int>(key / 8), content);
  }
  return found;
}

std::string field(const std::string& message, int wanted) {
  const auto all = fields(message);
  INFO("field " << wanted);
  REQUIRE(all.count(wanted) == 1);
  return all.find(wanted)->second;
}

/// The events of a file; checks lengths and checksums on the way.
std::vector<std::string> events(const std::filesystem::path& path) {
  const std::string file = read_file(path);
  std::vector<std::string> found;
  const auto unmasked = [](std::uint32_t masked) {
    const std::uint32_t rotated = masked - 0xA282EAD8;
    return (rotated >> 17) | (rotated << 15);
  };
  for (std::size_t at = 0; at < file.size();) {
    const auto size = number<std::uint64_t>(file, at);
    REQUIRE(at + size + 16 <= file.size());
    CHECK(unmasked(number<std::uint32_t>(file, at + 8)) == crc_by_bits(file.substr(at, 8)));
    found.push_back(file.substr(at + 12, size));
    CHECK(unmasked(number<std::uint32_t>(file, at + 12 + size)) == crc_by_bits(found.back()));
    at += size + 16;
  }
  return found;
}

std::int64_t step_of(const std::string& event) {
  return number<std::int64_t>(field(event, 2));
}
/// Summary.Value of an event that holds one.
std::string value_of(const std::string& event) {
  return field(field(event, 5), 1);
}

}  // namespace

TEST_CASE("tensorboard: checksums of RFC 3720, appendix B.4") {
  std::string up(32, '\0'), down(32, '\0');
  std::iota(up.begin(), up.end(), '\0');
  std::iota(down.rbegin(), down.rend(), '\0');
  CHECK(dermis::detail::crc32c(std::string(32, '\0')) == 0x8A9136AA);
  CHECK(dermis::detail::crc32c(std::string(32, '\xFF')) == 0x62A8AB43);
  CHECK(dermis::detail::crc32c(up) == 0x46DD794E);
  CHECK(dermis::detail::crc32c(down) == 0x113FDB5C);
  CHECK(dermis::detail::crc32c("123456789") == 0xE3069283);
  CHECK(dermis::detail::crc32c("") == 0);
}

TEST_CASE("tensorboard: a record is the one that TensorBoard 2.21 writes") {
  const std::string head("\x06\x00\x00\x00\x00\x00\x00\x00\x73\x69\xD5\x37", 12),
      tail("\xF6\xDC\x68\x9A", 4);
  CHECK(dermis::detail::tfrecord("dermis") == head + "dermis" + tail);
}

TEST_CASE("tensorboard: the file says its version, has a name without the machine's, is of now") {
  const ScratchFolder folder;
  const TensorBoardWriter board(folder / "runs");
  const std::string name = board.path().filename().string();
  CHECK(board.path().parent_path() == folder / "runs");
  long long seconds = 0;
  int process = 0, count = 0, end = 0;
  REQUIRE(std::sscanf(name.c_str(), "events.out.tfevents.%10lld.dermis.%d.%d%n", &seconds, &process,
                      &count, &end) == 3);
  CHECK(end == static_cast<int>(name.size()));
  CHECK(process == ::getpid());
  const auto now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch());
  CHECK(std::abs(now.count() - static_cast<double>(seconds)) < 60);

  const auto found = events(board.path());
  REQUIRE(found.size() == 1);
  CHECK(field(found[0], 3) == "brain.Event:2");
  CHECK(std::abs(now.count() - number<double>(field(found[0], 1))) < 60);
}

TEST_CASE("tensorboard: each kind of value is there as soon as the call returns") {
  const ScratchFolder folder;
  TensorBoardWriter board(folder.path());
  Image picture = make_image(3, 2, 40);
  picture.pixel(2, 1)[0] = 200;

  board.scalar("loss/train", 7, 0.1);
  board.scalar("loss/train", std::int64_t{1} << 40, std::numeric_limits<double>::quiet_NaN());
  auto found = events(board.path());
  REQUIRE(found.size() == 3);
  CHECK(step_of(found[1]) == 7);
  CHECK(field(value_of(found[1]), 1) == "loss/train");
  CHECK(number<float>(field(value_of(found[1]), 2)) == 0.1F);
  CHECK(step_of(found[2]) == std::int64_t{1} << 40);
  CHECK(std::isnan(number<float>(field(value_of(found[2]), 2))));

  board.image("samples", 8, picture);
  found = events(board.path());
  REQUIRE(found.size() == 4);
  const std::string shown = field(value_of(found[3]), 4);
  CHECK(number<std::int64_t>(field(shown, 1)) == 2);
  CHECK(number<std::int64_t>(field(shown, 2)) == 3);
  CHECK(number<std::int64_t>(field(shown, 3)) == 3);
  CHECK(decode_image(field(shown, 4), "embedded") == picture);

  const std::string remark = "seed **3**\n" + std::string(300, 'x');
  board.text("options", 9, remark);
  found = events(board.path());
  REQUIRE(found.size() == 5);
  const std::string tensor = field(value_of(found[4]), 8);
  CHECK(number<std::int64_t>(field(tensor, 1)) == 7);                      // DT_STRING
  CHECK(number<std::int64_t>(field(field(field(tensor, 2), 2), 1)) == 1);  // shape [1]
  CHECK(field(tensor, 8) == remark);
  CHECK(field(field(field(value_of(found[4]), 9), 1), 1) == "text");  // the plugin
}

TEST_CASE("tensorboard: a histogram counts every value once") {
  const ScratchFolder folder;
  TensorBoardWriter board(folder.path());
  std::vector<double> values;
  for (int i = 0; i <= 60; ++i) values.push_back(i - 30.0);  // buckets are 2 wide
  values.push_back(29.5);
  board.histogram("weights", 3, values);
  board.histogram("constant", 4, {2.5, 2.5, 2.5});
  const auto found = events(board.path());
  REQUIRE(found.size() == 3);

  const std::string spread = field(value_of(found[1]), 5);
  CHECK(number<double>(field(spread, 1)) == -30);
  CHECK(number<double>(field(spread, 2)) == 30);
  CHECK(number<double>(field(spread, 3)) == 62);
  CHECK(number<double>(field(spread, 4)) == 29.5);
  CHECK(number<double>(field(spread, 5)) == 2 * 30 * 31 * 61 / 6 + 29.5 * 29.5);
  const std::string limits = field(spread, 6), counts = field(spread, 7);
  REQUIRE(limits.size() == 30 * 8);
  REQUIRE(counts.size() == 30 * 8);
  for (std::size_t i = 0; i < 30; ++i) {
    INFO("bucket " << i);
    CHECK(number<double>(limits, 8 * i) ==
          Approx(-28.0 + 2.0 * static_cast<double>(i)).margin(1e-12));
    CHECK(number<double>(counts, 8 * i) == (i < 29 ? 2 : 4));  // 28, 29, 29.5 and the end itself
  }

  const std::string constant = field(value_of(found[2]), 5);
  CHECK(number<double>(field(constant, 1)) == 2.5);
  CHECK(number<double>(field(constant, 2)) == 2.5);
  CHECK(number<double>(field(constant, 6)) == 2.5);
  CHECK(number<double>(field(constant, 7)) == 3);
}

TEST_CASE("tensorboard: a resumed run has a file of its own that starts with its first step") {
  const ScratchFolder folder;
  { TensorBoardWriter(folder.path()).scalar("loss", 900, 1); }
  TensorBoardWriter resumed(folder.path(), 501);
  resumed.scalar("loss", 501, 2);
  REQUIRE(folder.names().size() == 2);
  const auto found = events(resumed.path());
  REQUIRE(found.size() == 3);
  CHECK(field(found[0], 3) == "brain.Event:2");
  CHECK(step_of(found[1]) == 501);
  CHECK(number<std::int64_t>(field(field(found[1], 7), 1)) == 1);  // SessionLog, START
  CHECK(step_of(found[2]) == 501);
}

TEST_CASE("tensorboard: bad arguments write nothing") {
  const ScratchFolder folder;
  TensorBoardWriter board(folder.path());
  CHECK_THROWS_WITH(board.scalar("", 0, 1), Contains("[tensorboard] expected a tag"));
  CHECK_THROWS_WITH(board.scalar("loss", -1, 1), Contains("for loss, got -1"));
  CHECK_THROWS_AS(board.image("picture", 0, Image{2, 2, {1}}), std::invalid_argument);
  CHECK_THROWS_WITH(board.histogram("weights", 0, {}), Contains("weights, got none"));
  CHECK_THROWS_WITH(board.histogram("weights", 0, {1, std::numeric_limits<double>::infinity()}),
                    Contains("expected finite values for histogram weights, got inf"));
  CHECK(events(board.path()).size() == 1);
  CHECK_THROWS_WITH(TensorBoardWriter(folder.path(), -1), Contains("at least 0, got -1"));
  CHECK(folder.names().size() == 1);
}

TEST_CASE("tensorboard: a place that cannot be written is named; a full disk costs one record") {
  const ScratchFolder folder;
  test::write_text(folder / "file", "text");
  CHECK_THROWS_WITH(TensorBoardWriter(folder / "file"), Contains((folder / "file").string()));

  TensorBoardWriter board(folder / "runs");
  board.scalar("loss", 1, 1);
  const auto size = std::filesystem::file_size(board.path());
  {
    const test::FileSizeLimit full(size + 20);  // room for a part of the next record
    CHECK_THROWS_WITH(board.scalar("loss", 2, 2),
                      Contains("[tensorboard] cannot write " + board.path().string()));
  }
  CHECK(std::filesystem::file_size(board.path()) == size);
  board.scalar("loss", 3, 3);
  const auto found = events(board.path());
  REQUIRE(found.size() == 3);
  CHECK(step_of(found[2]) == 3);
}
