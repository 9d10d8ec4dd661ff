#include "protobuf.hpp"

#include <cstring>

#include "dermis/core/check.hpp"

namespace dermis::detail {

void ProtobufReader::fail(const char* expected) const {
  throw std::runtime_error(text("[tokenizer] ", source_, ": expected ", expected, " of field ",
                                number_, " at byte ", at_, " of ", message_.size()));
}

std::string_view ProtobufReader::take(std::uint64_t count) {
  if (count > message_.size() - at_) fail("all bytes");
  const auto taken = message_.substr(at_, count);
  at_ += count;
  return taken;
}

std::uint64_t ProtobufReader::varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(take(1)[0]);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return value;
  }
  fail("a number");
}

bool ProtobufReader::next() {
  if (at_ == message_.size()) return false;
  const std::uint64_t tag = varint();
  number_ = static_cast<std::uint32_t>(tag >> 3);
  wire_ = static_cast<Wire>(tag & 7U);
  switch (wire_) {
    case Varint:
      integer_ = varint();
      break;
    case Fixed64:
      bytes_ = take(8);
      break;
    case Bytes:
      bytes_ = take(varint());
      break;
    case Fixed32:
      bytes_ = take(4);
      break;
    default:
      fail("a known type");
  }
  return true;
}

std::uint64_t ProtobufReader::integer() const {
  if (wire_ != Varint) fail("a whole number");
  return integer_;
}

float ProtobufReader::real() const {
  if (wire_ != Fixed32) fail("a floating-point number");
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < 4; ++i)
    bits |= std::uint32_t{static_cast<unsigned char>(bytes_[i])} << (8 * i);
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

std::string_view ProtobufReader::bytes() const {
  if (wire_ != Bytes) fail("bytes");
  return bytes_;
}

}  // namespace dermis::detail
