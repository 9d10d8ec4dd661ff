#include "dermis/io/png_text.hpp"

#include <zlib.h>

#include <array>
#include <cstring>
#include <fstream>
#include <istream>
#include <sstream>

#include "dermis/core/check.hpp"

namespace dermis {
namespace {

constexpr std::string_view signature("\x89PNG\r\n\x1a\n", 8);

std::uint32_t big_endian(const char* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

/// tEXt and zTXt are Latin-1.
std::string to_utf8(std::string_view latin) {
  std::string utf8;
  for (const char c : latin) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 128) {
      utf8 += c;
    } else {
      utf8 += static_cast<char>(0xC0 | byte >> 6);
      utf8 += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return utf8;
}

/// Frees what zlib holds, whatever happens to the text.
struct Inflater {
  z_stream stream{};
  bool ready = inflateInit(&stream) == Z_OK;

  Inflater() = default;
  ~Inflater() {
    if (ready) inflateEnd(&stream);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
};

/// What is wrong with one file's texts is said with its name.
class TextReader {
 public:
  TextReader(std::istream& in, const std::string& name, const PngTextLimits& limits)
      : in_(in), name_(name), limits_(limits) {
    in_.seekg(0, std::ios::end);
    end_ = static_cast<std::uint64_t>(in_.tellg());
    in_.seekg(0);
  }

  PngText read() {
    PngText texts;
    if (end_ < signature.size() || take(signature.size()) != signature) return texts;
    for (bool first = true;; first = false) {
      const std::string head = take(8);
      const std::uint64_t length = big_endian(head.data());
      const std::string type = head.substr(4);
      check(!first || (type == "IHDR" && length == 13), "expected a header of 13 bytes first");
      if (type == "IDAT" || type == "IEND") return texts;
      if (type != "tEXt" && type != "zTXt" && type != "iTXt") {
        skip(length + 4);
        continue;
      }
      check(length <= limits_.bytes, "expected texts of at most ", limits_.bytes, " bytes, got ",
            length);
      check(texts.size() < limits_.count, "expected at most ", limits_.count, " texts, got more");
      texts.push_back(read_text(type, static_cast<std::size_t>(length)));
    }
  }

 private:
  template <class... Parts>
  void check(bool ok, const Parts&... parts) const {
    check_runtime(ok, "[png] ", name_, ": ", parts...);
  }

  void skip(std::uint64_t bytes) {
    check(bytes <= end_ - place_, "expected ", bytes, " bytes more, got ", end_ - place_);
    place_ += bytes;
    in_.seekg(static_cast<std::streamoff>(place_));
  }

  std::string take(std::size_t bytes) {
    check(bytes <= end_ - place_, "expected ", bytes, " bytes more, got ", end_ - place_);
    std::string taken(bytes, '\0');
    in_.read(taken.data(), static_cast<std::streamsize>(bytes));
    check(in_.good(), "cannot be read");
    place_ += bytes;
    return taken;
  }

  std::pair<std::string, std::string> read_text(const std::string& type, std::size_t length) {
    const std::string data = take(length);
    const std::string stored = take(4);
    auto sum = crc32(0, reinterpret_cast<const Bytef*>(type.data()), 4);
    sum = crc32(sum, reinterpret_cast<const Bytef*>(data.data()), static_cast<uInt>(length));
    check(sum == big_endian(stored.data()), "the checksum of a ", type, " chunk is wrong");

    std::string_view rest = data;
    const std::string key = to_nul(rest, type);
    check(!key.empty() && key.size() <= 79, "expected a text key of 1 to 79 bytes, got ",
          key.size());
    if (type == "tEXt") return {to_utf8(key), to_utf8(rest)};
    if (type == "zTXt") {
      check(!rest.empty() && rest[0] == 0, "unknown compression of ", type, " ", key);
      return {to_utf8(key), to_utf8(inflated(rest.substr(1), key))};
    }
    check(rest.size() >= 2 && (rest[0] == 0 || (rest[0] == 1 && rest[1] == 0)),
          "unknown compression of ", type, " ", key);
    const bool compressed = rest[0] == 1;
    rest.remove_prefix(2);
    to_nul(rest, type);  // language
    to_nul(rest, type);  // translated key
    return {to_utf8(key), compressed ? inflated(rest, key) : std::string(rest)};
  }

  /// Takes what comes before the next NUL, and the NUL.
  std::string to_nul(std::string_view& rest, const std::string& type) const {
    const std::size_t end = rest.find('\0');
    check(end != std::string_view::npos, "a ", type, " chunk is cut off");
    std::string taken(rest.substr(0, end));
    rest.remove_prefix(end + 1);
    return taken;
  }

  std::string inflated(std::string_view compressed, const std::string& key) const {
    Inflater inflater;
    check(inflater.ready, "no memory to inflate text ", key);
    auto& stream = inflater.stream;
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
    stream.avail_in = static_cast<uInt>(compressed.size());
    std::string text;
    std::array<char, 4096> block{};
    for (int status = Z_OK; status != Z_STREAM_END;) {
      stream.next_out = reinterpret_cast<Bytef*>(block.data());
      stream.avail_out = static_cast<uInt>(block.size());
      status = inflate(&stream, Z_NO_FLUSH);
      check(status == Z_OK || status == Z_STREAM_END, "text ", key, " does not inflate");
      text.append(block.data(), block.size() - stream.avail_out);
      check(text.size() <= limits_.bytes, "expected texts of at most ", limits_.bytes,
            " bytes, got more when inflating ", key);
    }
    return text;
  }

  std::istream& in_;
  const std::string& name_;
  const PngTextLimits& limits_;
  std::uint64_t end_ = 0, place_ = 0;
};

}  // namespace

PngText read_png_text(std::string_view bytes, const std::string& name,
                      const PngTextLimits& limits) {
  std::istringstream in{std::string(bytes)};
  return TextReader(in, name, limits).read();
}

PngText read_png_text(const std::filesystem::path& path, const PngTextLimits& limits) {
  const std::string name = path.string();
  std::ifstream in(path, std::ios::binary);
  check_runtime(in.good() && !std::filesystem::is_directory(path), "[png] cannot read ", name);
  return TextReader(in, name, limits).read();
}

}  // namespace dermis
