#include "dermis/io/safetensors.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <numeric>
#include <set>
#include <string_view>
#include <system_error>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"
#include "dermis/core/json.hpp"

namespace dermis {
namespace {

constexpr std::uint64_t max_header = 100'000'000;  // the limit of the reference implementation

struct TypeInfo {
  TensorType type;
  const char* name;
  std::size_t size;
};

constexpr std::array<TypeInfo, 10> types{{{TensorType::F64, "F64", 8},
                                          {TensorType::F32, "F32", 4},
                                          {TensorType::F16, "F16", 2},
                                          {TensorType::BF16, "BF16", 2},
                                          {TensorType::I64, "I64", 8},
                                          {TensorType::I32, "I32", 4},
                                          {TensorType::I16, "I16", 2},
                                          {TensorType::I8, "I8", 1},
                                          {TensorType::U8, "U8", 1},
                                          {TensorType::Bool, "BOOL", 1}}};

const TypeInfo& info(TensorType type) {
  for (const TypeInfo& entry : types) {
    if (entry.type == type) return entry;
  }
  throw std::invalid_argument("[safetensors] expected a type of the enumeration TensorType");
}

/// Bytes of a tensor; false if that is more than fits 64 bits.
bool shape_bytes(const std::vector<std::int64_t>& shape, std::size_t element,
                 std::uint64_t& bytes) {
  bytes = element;
  for (const std::int64_t extent : shape) {
    const auto factor = static_cast<std::uint64_t>(extent);
    if (factor != 0 && bytes > std::numeric_limits<std::uint64_t>::max() / factor) return false;
    bytes *= factor;
  }
  return true;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return Json(shape).dump();
}

/// A whole file, read-only.
struct Mapping {
  void* data = nullptr;
  std::size_t size = 0;

  explicit Mapping(const std::filesystem::path& path) {
    const auto check = [&](bool ok, int error) {
      check_runtime(ok, "[safetensors] cannot read ", path.string(), ": ",
                    ok ? "" : std::generic_category().message(error));
    };
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    check(descriptor >= 0, errno);
    struct stat status {};
    int error = ::fstat(descriptor, &status) == 0 ? 0 : errno;
    if (error == 0 && S_ISDIR(status.st_mode)) error = EISDIR;
    size = static_cast<std::size_t>(status.st_size);
    if (error == 0 && size > 0) {
      data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
      if (data == MAP_FAILED) error = errno;
    }
    ::close(descriptor);
    check(error == 0, error);
  }
  ~Mapping() {
    if (data != nullptr) ::munmap(data, size);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
};

/// One tensor of the header, checked on its own.
struct Entry {
  std::string name;
  TensorView view;
  std::uint64_t begin = 0, end = 0;
};

Entry read_entry(const std::string& name, const Json& json, std::uint64_t data_bytes) {
  Entry entry;
  entry.name = name;
  const auto dtype = json.at("dtype").get<std::string>();
  const auto type =
      std::find_if(types.begin(), types.end(), [&](const TypeInfo& t) { return t.name == dtype; });
  check_runtime(type != types.end(),
                "expected dtype F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL, got '", dtype,
                "'");
  entry.view.type = type->type;
  entry.view.shape = json.at("shape").get<std::vector<std::int64_t>>();
  for (const std::int64_t extent : entry.view.shape) {
    check_runtime(extent >= 0, "expected a shape without negative sizes, got ",
                  shape_text(entry.view.shape));
  }
  std::uint64_t bytes = 0;
  check_runtime(shape_bytes(entry.view.shape, type->size, bytes), "the size of shape ",
                shape_text(entry.view.shape), " overflows 64 bits");
  const auto offsets = json.at("data_offsets").get<std::vector<std::int64_t>>();
  check_runtime(offsets.size() == 2 && offsets[0] >= 0 && offsets[1] >= offsets[0],
                "expected data_offsets [begin, end], got ", shape_text(offsets));
  entry.begin = static_cast<std::uint64_t>(offsets[0]);
  entry.end = static_cast<std::uint64_t>(offsets[1]);
  check_runtime(entry.end <= data_bytes, "data_offsets ", shape_text(offsets), " reach beyond the ",
                data_bytes, " bytes of data: the file is truncated");
  check_runtime(entry.end - entry.begin == bytes, "expected ", bytes, " bytes for ", dtype, " ",
                shape_text(entry.view.shape), ", got ", entry.end - entry.begin);
  entry.view.bytes = static_cast<std::size_t>(bytes);
  return entry;
}

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

std::uint64_t read_length(const unsigned char* bytes) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = (value << 8) | bytes[i];
  return value;
}

}  // namespace

std::size_t element_size(TensorType type) {
  return info(type).size;
}
const char* type_name(TensorType type) {
  return info(type).name;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : path_(path.string()) {
  const auto mapping = std::make_shared<const Mapping>(path);
  mapping_ = mapping;
  check_runtime(mapping->size >= 8, "[safetensors] ", path_, ": expected at least 8 bytes, got ",
                mapping->size);
  const auto* start = static_cast<const unsigned char*>(mapping->data);
  const std::uint64_t header_bytes = read_length(start);
  check_runtime(header_bytes <= mapping->size - 8, "[safetensors] ", path_,
                ": expected a header of ", header_bytes, " bytes, got a file of ", mapping->size,
                " bytes (truncated, or not a safetensors file)");
  check_runtime(header_bytes <= max_header, "[safetensors] ", path_,
                ": expected a header of at most ", max_header, " bytes, got ", header_bytes);
  const std::string_view header(reinterpret_cast<const char*>(start + 8),
                                static_cast<std::size_t>(header_bytes));
  check_runtime(!header.empty() && header.front() == '{', "[safetensors] ", path_,
                ": expected a header that starts with '{'");
  const Json json = Json::parse(header, path_ + " (header)");

  const std::uint64_t data_bytes = mapping->size - 8 - header_bytes;
  std::vector<Entry> entries;
  for (const auto& [name, value] : json.items()) {
    try {
      if (name == "__metadata__") {
        for (const auto& [key, word] : value.items()) metadata_[key] = word.get<std::string>();
      } else {
        entries.push_back(read_entry(name, value, data_bytes));
      }
    } catch (const std::runtime_error& error) {
      throw std::runtime_error(
          text("[safetensors] ", path_, ": tensor '", name, "': ", error.what()));
    }
  }
  check_layout(entries, data_bytes, path_);
  const auto* data = reinterpret_cast<const std::byte*>(start) + 8 + header_bytes;
  for (Entry& entry : entries) {
    entry.view.data = data + entry.begin;
    names_.push_back(entry.name);
    tensors_.emplace(std::move(entry.name), std::move(entry.view));
  }
}

const TensorView& SafetensorsFile::at(const std::string& name) const {
  const auto found = tensors_.find(name);
  check_runtime(found != tensors_.end(), "[safetensors] ", path_, ": expected a tensor '", name,
                "', which is missing");
  return found->second;
}

void write_safetensors(const std::filesystem::path& path,
                       const std::vector<std::pair<std::string, TensorView>>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::set<std::string_view> seen;
  for (const auto& [name, view] : tensors) {
    check_argument(name != "__metadata__",
                   "[safetensors] expected tensor names other than __metadata__");
    check_argument(seen.insert(name).second, "[safetensors] expected different tensor names, got '",
                   name, "' twice");
    const bool negative =
        std::any_of(view.shape.begin(), view.shape.end(), [](std::int64_t n) { return n < 0; });
    std::uint64_t bytes = 0;
    check_argument(!negative && shape_bytes(view.shape, element_size(view.type), bytes) &&
                       bytes == view.bytes && (view.data != nullptr || bytes == 0),
                   "[safetensors] expected the bytes of ", type_name(view.type), " ",
                   shape_text(view.shape), " for tensor '", name, "', got ", view.bytes);
  }
  // Large elements first: each tensor then starts at a multiple of its element's size.
  std::vector<std::size_t> layout(tensors.size());
  std::iota(layout.begin(), layout.end(), std::size_t{0});
  std::stable_sort(layout.begin(), layout.end(), [&](std::size_t a, std::size_t b) {
    return element_size(tensors[a].second.type) > element_size(tensors[b].second.type);
  });
  std::vector<std::int64_t> begins(tensors.size());
  std::int64_t data_bytes = 0;
  for (const std::size_t i : layout) {
    begins[i] = data_bytes;
    data_bytes += static_cast<std::int64_t>(tensors[i].second.bytes);
  }

  std::vector<Json::Member> entries;
  if (!metadata.empty()) {
    std::vector<Json::Member> words;
    for (const auto& [key, word] : metadata) words.emplace_back(key, word);
    entries.emplace_back("__metadata__", Json::object(std::move(words)));
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, view] = tensors[i];
    const std::vector<std::int64_t> offsets{begins[i],
                                            begins[i] + static_cast<std::int64_t>(view.bytes)};
    entries.emplace_back(name, Json::object({{"dtype", type_name(view.type)},
                                             {"shape", view.shape},
                                             {"data_offsets", offsets}}));
  }
  std::string header = Json::object(std::move(entries)).dump();
  header.resize((header.size() + 7) / 8 * 8, ' ');

  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i)
    length[i] = static_cast<char>(header.size() >> (8 * i) & 0xFF);
  AtomicFile file(path);
  file.write(length);
  file.write(header);
  for (const std::size_t i : layout) file.write(tensors[i].second.data, tensors[i].second.bytes);
  file.commit();
}

}  // namespace dermis
