#pragma once
/// \file
/// Reading protocol buffers field by field: as much as sentencepiece's model files need.

#include <cstdint>
#include <string>
#include <string_view>

namespace dermis::detail {

/// The fields of a message. Throws std::runtime_error naming `source` for what is cut off or
/// no field.
///
///     ProtobufReader reader(bytes, "spiece.model");
///     while (reader.next()) if (reader.number() == 1) use(reader.bytes());
class ProtobufReader {
 public:
  ProtobufReader(std::string_view message, std::string source)
      : message_(message), source_(std::move(source)) {}

  /// Reads the next field; false at the end.
  bool next();
  std::uint32_t number() const { return number_; }
  /// Its value as whole number, 32-bit floating point, or bytes (also a message within); another
  /// wire type is an error.
  std::uint64_t integer() const;
  float real() const;
  std::string_view bytes() const;

 private:
  enum Wire { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };
  [[noreturn]] void fail(const char* expected) const;
  std::uint64_t varint();
  std::string_view take(std::uint64_t count);

  std::string_view message_;
  std::string source_;
  std::size_t at_ = 0;
  std::uint32_t number_ = 0;
  Wire wire_ = Varint;
  std::uint64_t integer_ = 0;
  std::string_view bytes_;
};

}  // namespace dermis::detail
