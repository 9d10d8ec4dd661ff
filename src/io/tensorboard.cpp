#include "dermis/io/tensorboard.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"

namespace dermis {
namespace {

// The wire format of protocol buffers: a field is a varint (number << 3 | type) and its content.
// Field numbers are those of TensorFlow's event.proto, summary.proto and tensor.proto.

template <class T>
std::string little_endian(T value) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  std::uint64_t bits = 0;
  if constexpr (sizeof(T) == 4) {
    std::uint32_t narrow;
    std::memcpy(&narrow, &value, 4);
    bits = narrow;
  } else {
    std::memcpy(&bits, &value, 8);
  }
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes += static_cast<char>(bits >> (8 * i) & 0xFF);
  return bytes;
}

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7F) | 0x80);
  return bytes + static_cast<char>(value);
}

std::string integer_field(int number, std::int64_t value) {
  return varint(static_cast<std::uint64_t>(number) << 3) +
         varint(static_cast<std::uint64_t>(value));
}
std::string double_field(int number, double value) {
  return varint(static_cast<std::uint64_t>(number) << 3 | 1) + little_endian(value);
}
std::string float_field(int number, float value) {
  return varint(static_cast<std::uint64_t>(number) << 3 | 5) + little_endian(value);
}
/// Strings, bytes and messages.
std::string bytes_field(int number, std::string_view bytes) {
  return (varint(static_cast<std::uint64_t>(number) << 3 | 2) + varint(bytes.size())).append(bytes);
}
std::string packed_field(int number, const std::vector<double>& values) {
  std::string bytes;
  for (const double value : values) bytes += little_endian(value);
  return bytes_field(number, bytes);
}

/// An Event of now.
std::string event(std::int64_t step, const std::string& content) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  return double_field(1, now.count()) + integer_field(2, step) + content;
}

/// TensorBoard reads a directory's files in the order of their names.
std::string file_name() {
  static std::atomic<int> counter{0};
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
  char name[80];
  std::snprintf(name, sizeof name, "events.out.tfevents.%010lld.dermis.%d.%d",
                static_cast<long long>(now.count()), static_cast<int>(::getpid()), counter++);
  return name;
}

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string reason(int error) {
  return std::generic_category().message(error);
}

}  // namespace

namespace detail {

std::uint32_t crc32c(std::string_view bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t remainder = i;
      for (int bit = 0; bit < 8; ++bit)
        remainder = remainder >> 1 ^ (remainder & 1 ? 0x82F63B78U : 0U);
      entries[i] = remainder;
    }
    return entries;
  }();
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char c : bytes) crc = table[(crc ^ static_cast<unsigned char>(c)) & 0xFF] ^ crc >> 8;
  return ~crc;
}

std::string tfrecord(std::string_view data) {
  // Masked, because the checksum of data that hold their own checksum is always the same.
  const auto masked = [](std::string_view bytes) {
    const std::uint32_t crc = crc32c(bytes);
    return little_endian((crc >> 15 | crc << 17) + 0xA282EAD8U);
  };
  const std::string length = little_endian(static_cast<std::uint64_t>(data.size()));
  return (length + masked(length)).append(data) + masked(data);
}

}  // namespace detail

TensorBoardWriter::TensorBoardWriter(const std::filesystem::path& directory,
                                     std::optional<std::int64_t> first_step) {
  check_argument(!first_step || *first_step >= 0,
                 "[tensorboard] expected a first step of at least 0, got ", first_step.value_or(0));
  make_directories(directory);
  path_ = directory / file_name();
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
  check_runtime(descriptor_ >= 0, "[tensorboard] cannot write ", path_.string(), ": ",
                reason(errno));
  try {
    append(event(0, bytes_field(3, "brain.Event:2")));  // file_version
    if (first_step)
      append(event(*first_step, bytes_field(7, integer_field(1, 1))));  // session_log: START
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

TensorBoardWriter::~TensorBoardWriter() {
  ::close(descriptor_);
}

void TensorBoardWriter::scalar(const std::string& tag, std::int64_t step, double value) {
  summary(tag, step, float_field(2, static_cast<float>(value)));
}

void TensorBoardWriter::image(const std::string& tag, std::int64_t step, const Image& image) {
  detail::check_image(image, "tensorboard");
  constexpr std::int64_t rgb = 3;
  summary(tag, step,
          bytes_field(4, integer_field(1, image.height) + integer_field(2, image.width) +
                             integer_field(3, rgb) + bytes_field(4, encode_png(image))));
}

void TensorBoardWriter::text(const std::string& tag, std::int64_t step,
                             const std::string& markdown) {
  constexpr std::int64_t dt_string = 7;
  const std::string plugin = bytes_field(1, bytes_field(1, "text"));
  const std::string shape =
      bytes_field(2, bytes_field(2, integer_field(1, 1)));  // one dimension: 1
  summary(tag, step,
          bytes_field(8, integer_field(1, dt_string) + shape + bytes_field(8, markdown)) +
              bytes_field(9, plugin));
}

void TensorBoardWriter::histogram(const std::string& tag, std::int64_t step,
                                  const std::vector<double>& values) {
  check_argument(!values.empty(), "[tensorboard] expected values for histogram ", tag,
                 ", got none");
  double sum = 0, squares = 0;
  for (const double value : values) {
    check_argument(std::isfinite(value), "[tensorboard] expected finite values for histogram ", tag,
                   ", got ", value);
    sum += value;
    squares += value * value;
  }
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const std::size_t buckets = *low < *high ? 30 : 1;
  const double width = *high / static_cast<double>(buckets) - *low / static_cast<double>(buckets);
  std::vector<double> limits(buckets, *high),
      counts(buckets, 0);  // a limit is a bucket's upper end
  for (std::size_t i = 0; i + 1 < buckets; ++i)
    limits[i] = *low + width * static_cast<double>(i + 1);
  for (const double value : values) {
    const auto bucket = std::upper_bound(limits.begin(), limits.end() - 1, value) - limits.begin();
    ++counts[static_cast<std::size_t>(bucket)];
  }
  summary(tag, step,
          bytes_field(5, double_field(1, *low) + double_field(2, *high) +
                             double_field(3, static_cast<double>(values.size())) +
                             double_field(4, sum) + double_field(5, squares) +
                             packed_field(6, limits) + packed_field(7, counts)));
}

void TensorBoardWriter::summary(const std::string& tag, std::int64_t step,
                                const std::string& value) {
  check_argument(!tag.empty(), "[tensorboard] expected a tag, got an empty one");
  check_argument(step >= 0, "[tensorboard] expected a step of at least 0 for ", tag, ", got ",
                 step);
  append(event(step, bytes_field(5, bytes_field(1, bytes_field(1, tag) + value))));
}

void TensorBoardWriter::append(const std::string& event) {
  const std::string record = detail::tfrecord(event);
  if (!write_all(descriptor_, record)) {
    const int error = errno;
    // Half a record would hide all that is written after it.
    [[maybe_unused]] const int ignored = ::ftruncate(descriptor_, bytes_);
    check_runtime(false, "[tensorboard] cannot write ", path_.string(), ": ", reason(error));
  }
  bytes_ += static_cast<std::int64_t>(record.size());
}

}  // namespace dermis
