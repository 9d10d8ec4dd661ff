#include "safetensors_header.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "../core/parse_reason.hpp"
#include "dermis/core/check.hpp"
#include "dermis/core/json.hpp"

namespace dermis::detail {
namespace {

constexpr std::uint64_t max_int64 = std::numeric_limits<std::int64_t>::max();

/// One tensor of the header.
struct Entry {
  std::string name;
  TensorView view;
  std::uint64_t begin = 0, end = 0;
};

bool is_control(unsigned char c) {
  return c < 0x20 || c == 0x7F;
}

/// A text of the file as a message can show it: short, on one line.
std::string shown(std::string word) {
  if (word.size() > 100) word = word.substr(0, 100) + "...";
  std::replace_if(word.begin(), word.end(), is_control, '?');
  return word;
}

const TensorTypeInfo* find_type(const std::string& name) {
  const auto* found = std::find_if(tensor_types.begin(), tensor_types.end(),
                                   [&](const TensorTypeInfo& type) { return name == type.name; });
  return found == tensor_types.end() ? nullptr : found;
}

/// Takes the parser's events and knows at each what may come: one pass, no tree in memory, nothing
/// deeper than {name: {key: [number]}}.
class HeaderReader {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  HeaderReader(const std::string& file, std::uint64_t data_bytes)
      : file_(file), data_bytes_(data_bytes) {}

  bool null() { return unexpected("null"); }
  bool boolean(bool) { return unexpected("a bool"); }
  bool number_integer(number_integer_t value) { return not_natural(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) {
    if (depth_ != 3 || value > max_int64) return not_natural(std::to_string(value));
    if (key_ == "shape") {
      if (shape_->size() == max_rank) fail("expected at most ", max_rank, " dimensions, got more");
      shape_->push_back(static_cast<std::int64_t>(value));
    } else {
      if (offsets_->size() == 2) fail("expected two data_offsets, got more");
      offsets_->push_back(value);
    }
    return true;
  }
  bool number_float(number_float_t, const string_t& digits) { return not_natural(digits); }
  bool string(string_t& value) {
    if (depth_ != 2) return unexpected("a string");
    if (in_metadata_) {
      if (!content.metadata.emplace(key_, std::move(value)).second)
        fail("key '", shown(key_), "' appears twice");
      count();
    } else if (key_ == "dtype") {
      dtype_ = std::move(value);
    } else {
      return unexpected("a string");
    }
    return true;
  }
  bool binary(binary_t&) { return false; }  // not reached: only binary formats have it

  bool start_object(std::size_t) {
    if (depth_ == 3) fail("more than 3 levels");
    if (depth_ == 2) return unexpected("an object");
    ++depth_;
    return true;
  }
  bool end_object() {
    if (--depth_ == 1 && !in_metadata_) finish_tensor();
    in_metadata_ = false;
    return true;
  }
  bool start_array(std::size_t) {
    if (depth_ == 3) fail("more than 3 levels");
    if (depth_ != 2 || in_metadata_ || key_ == "dtype") return unexpected("an array");
    (key_ == "shape") ? (void)shape_.emplace() : (void)offsets_.emplace();
    ++depth_;
    return true;
  }
  bool end_array() {
    --depth_;
    return true;
  }

  bool key(string_t& key) {
    if (depth_ == 1) {
      name_ = std::move(key);
      key_.clear();
      in_metadata_ = name_ == "__metadata__";
      dtype_.reset();
      shape_.reset();
      offsets_.reset();
      if (!names_.insert(name_).second) fail("the name appears twice");
      if (const std::string fault = name_fault(name_); !fault.empty())
        fail("expected a name ", fault);
      return true;
    }
    key_ = std::move(key);
    if (in_metadata_) return true;
    if (key_ != "dtype" && key_ != "shape" && key_ != "data_offsets")
      fail("expected dtype, shape and data_offsets, got key '", shown(key_), "'");
    if ((key_ == "dtype" && dtype_) || (key_ == "shape" && shape_) ||
        (key_ == "data_offsets" && offsets_))
      fail("key '", shown(key_), "' appears twice");
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception& error) {
    throw std::runtime_error(text("[safetensors] ", file_, ": header byte ", position, ": ",
                                  detail::parse_reason(error)));
  }

  SafetensorsContent content;
  std::vector<Entry> entries;

 private:
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    const std::string owner = in_metadata_ ? name_ : "tensor '" + shown(name_) + "'";
    throw std::runtime_error(text("[safetensors] ", file_, ": ", owner, ": ", parts...));
  }

  bool unexpected(const char* found) const {
    if (depth_ == 0) {
      throw std::runtime_error(
          text("[safetensors] ", file_, ": expected a header that is an object, got ", found));
    }
    if (depth_ == 1) fail("expected an object, got ", found);
    if (in_metadata_) fail("expected a string for key '", shown(key_), "', got ", found);
    if (depth_ == 3) fail("expected integers in ", key_, ", got ", found);
    fail("expected ", key_ == "dtype" ? "a string" : "an array", " for ", key_, ", got ", found);
  }

  /// A number where none may be, or one that is no integer in [0, 2^63) written as digits alone.
  bool not_natural(const std::string& digits) const {
    if (depth_ != 3) return unexpected("a number");
    fail("expected integers from 0 to 2^63 - 1 in ", key_, ", got ", shown(digits));
  }

  void count() const {
    if (entries.size() + content.metadata.size() > max_tensors) {
      throw std::runtime_error(text("[safetensors] ", file_, ": expected at most ", max_tensors,
                                    " tensors and metadata keys, got more"));
    }
  }

  void finish_tensor() {
    if (!dtype_ || !shape_ || !offsets_) {
      fail("expected dtype, shape and data_offsets, got no ", !dtype_   ? "dtype"
                                                              : !shape_ ? "shape"
                                                                        : "data_offsets");
    }
    const TensorTypeInfo* type = find_type(*dtype_);
    if (type == nullptr) {
      const bool part_bytes = *dtype_ == "F4" || *dtype_ == "F6_E2M3" || *dtype_ == "F6_E3M2";
      fail("expected dtype F64, F32, F16, BF16, F8_*, I64 to I8, U64 to U8, C64 or BOOL, got '",
           shown(*dtype_), "'",
           part_bytes ? ", whose elements share bytes: dermis does not read it" : "");
    }
    Entry entry;
    entry.name = name_;
    entry.view.type = type->type;
    entry.view.shape = std::move(*shape_);
    const std::string shape = shape_text(entry.view.shape);
    std::uint64_t bytes = 0;
    if (!shape_bytes(entry.view.shape, type->size, bytes))
      fail("the size of shape ", shape, " overflows 63 bits");
    if (offsets_->size() != 2) fail("expected two data_offsets, got ", offsets_->size());
    entry.begin = offsets_->front();
    entry.end = offsets_->back();
    if (entry.begin > entry.end)
      fail("expected data_offsets that end after their begin, got [", entry.begin, ",", entry.end,
           "]");
    if (entry.end > data_bytes_)
      fail("data_offsets [", entry.begin, ",", entry.end, "] reach beyond the ", data_bytes_,
           " bytes of data: the file is truncated");
    if (entry.end - entry.begin != bytes)
      fail("expected ", bytes, " bytes for ", *dtype_, " ", shape, ", got ",
           entry.end - entry.begin);
    entry.view.bytes = static_cast<std::size_t>(bytes);
    entries.push_back(std::move(entry));
    count();
  }

  const std::string& file_;
  const std::uint64_t data_bytes_;
  int depth_ = 0;             // 1: names, 2: keys of a tensor or of the metadata, 3: numbers
  std::string name_, key_;    // the last of level 1, of level 2
  bool in_metadata_ = false;  // whether level 2 is the metadata
  std::unordered_set<std::string> names_;
  std::optional<std::string> dtype_;  // of the tensor in hand
  std::optional<std::vector<std::int64_t>> shape_;
  std::optional<std::vector<std::uint64_t>> offsets_;
};

/// The data must be covered exactly once: bytes that no tensor owns can hide things, shared bytes
/// are a forgery.
void check_layout(const std::vector<Entry>& entries, std::uint64_t data_bytes,
                  const std::string& file) {
  std::vector<const Entry*> order;
  for (const Entry& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  std::uint64_t at = 0;
  const Entry* before = nullptr;
  for (const Entry* entry : order) {
    if (entry->begin < at) {
      throw std::runtime_error(text("[safetensors] ", file, ": tensors '", before->name, "' and '",
                                    entry->name, "' overlap"));
    }
    check_runtime(entry->begin == at, "[safetensors] ", file, ": a hole of ", entry->begin - at,
                  " bytes before tensor '", entry->name, "'");
    at = entry->end;
    before = entry;
  }
  check_runtime(at == data_bytes, "[safetensors] ", file, ": ", data_bytes - at,
                " trailing bytes after the last tensor");
}

std::uint64_t read_length(const std::byte* bytes) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = (value << 8) | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

}  // namespace

std::string name_fault(const std::string& name) {
  if (name.size() > max_name_bytes)
    return text("of at most ", max_name_bytes, " bytes, got ", name.size());
  if (std::any_of(name.begin(), name.end(), is_control)) return "without control characters";
  return "";
}

bool shape_bytes(const std::vector<std::int64_t>& shape, std::size_t element,
                 std::uint64_t& bytes) {
  // Zeros count as ones on the way: a tensor without elements still has strides.
  std::uint64_t product = element;
  bool empty = false;
  for (const std::int64_t extent : shape) {
    const auto factor = static_cast<std::uint64_t>(std::max<std::int64_t>(extent, 1));
    if (product > max_int64 / factor) return false;
    product *= factor;
    empty = empty || extent == 0;
  }
  bytes = empty ? 0 : product;
  return true;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return Json(shape).dump();
}

SafetensorsContent parse_safetensors(const std::byte* bytes, std::size_t size,
                                     const std::string& file) {
  check_runtime(size >= 8, "[safetensors] ", file, ": expected at least 8 bytes, got ", size);
  const std::uint64_t header_bytes = read_length(bytes);
  check_runtime(header_bytes > 0, "[safetensors] ", file, ": expected a header, got a length of 0");
  check_runtime(header_bytes <= max_header_bytes, "[safetensors] ", file,
                ": expected a header of at most ", max_header_bytes, " bytes, got ", header_bytes,
                " (not a safetensors file?)");
  check_runtime(header_bytes <= size - 8, "[safetensors] ", file, ": expected a header of ",
                header_bytes, " bytes, got a file of ", size, " bytes: the file is truncated");
  const std::string_view header(reinterpret_cast<const char*>(bytes + 8),
                                static_cast<std::size_t>(header_bytes));
  check_runtime(header.front() == '{', "[safetensors] ", file,
                ": expected a header that starts with '{'");
  // The parser takes NUL for the end of its text, behind which anything could hide.
  check_runtime(header.find('\0') == std::string_view::npos, "[safetensors] ", file,
                ": header byte ", header.find('\0') + 1, ": expected text, got NUL");

  HeaderReader reader(file, size - 8 - header_bytes);
  nlohmann::json::sax_parse(header.begin(), header.end(), &reader);
  check_layout(reader.entries, size - 8 - header_bytes, file);
  for (Entry& entry : reader.entries) {
    entry.view.data = bytes + 8 + header_bytes + entry.begin;
    reader.content.tensors.emplace_back(std::move(entry.name), std::move(entry.view));
  }
  return std::move(reader.content);
}

}  // namespace dermis::detail
