#include "dermis/io/safetensors.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <set>
#include <string_view>
#include <system_error>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"
#include "dermis/core/json.hpp"
#include "safetensors_header.hpp"

namespace dermis {
namespace {

const detail::TensorTypeInfo& info(TensorType type) {
  for (const detail::TensorTypeInfo& entry : detail::tensor_types) {
    if (entry.type == type) return entry;
  }
  throw std::invalid_argument("[safetensors] expected a type of the enumeration TensorType");
}

/// A whole file. Pages may be written, since tensors that share them may be; what is written stays
/// in this process.
struct Mapping {
  void* data = nullptr;
  std::size_t size = 0;

  explicit Mapping(const std::filesystem::path& path) {
    const auto check = [&](bool ok, int error) {
      check_runtime(ok, "[safetensors] cannot read ", path.string(), ": ",
                    ok ? "" : std::generic_category().message(error));
    };
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    check(descriptor >= 0, errno);
    struct stat status {};
    int error = ::fstat(descriptor, &status) == 0 ? 0 : errno;
    if (error == 0 && S_ISDIR(status.st_mode)) error = EISDIR;
    size = static_cast<std::size_t>(status.st_size);
    if (error == 0 && size > 0) {
      data =
          ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0);
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

/// Files that torch.save writes run code when Python opens them; we refuse them whatever they are
/// called, and whatever is called like them.
void refuse_pickle(const Mapping& mapping, const std::filesystem::path& path) {
  const auto* start = static_cast<const unsigned char*>(mapping.data);
  const bool named = detail::is_pickle_name(path);
  const bool own = mapping.size > 8 && start[8] == '{';  // a length can look like their first bytes
  const bool zip = mapping.size >= 4 && std::memcmp(start, "PK\3\4", 4) == 0;
  const bool pickle = mapping.size >= 2 && start[0] == 0x80 && start[1] >= 2 && start[1] <= 5;
  check_runtime(!named && (own || !(zip || pickle)), "[safetensors] ", path.string(),
                ": expected a safetensors file, got ",
                named ? "one named " + path.extension().string() : "Python objects", ": ",
                detail::pickle_advice);
}

}  // namespace

namespace detail {

bool is_pickle_name(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension == ".pt" || extension == ".pth" || extension == ".bin" || extension == ".ckpt";
}

void check_tensors(const std::vector<std::pair<std::string, TensorView>>& tensors) {
  std::set<std::string_view> seen;
  for (const auto& [name, view] : tensors) {
    check_argument(name != "__metadata__",
                   "[safetensors] expected tensor names other than __metadata__");
    check_argument(seen.insert(name).second, "[safetensors] expected different tensor names, got '",
                   name, "' twice");
    const std::string fault = name_fault(name);
    check_argument(fault.empty(), "[safetensors] expected tensor names ", fault);
    check_argument(view.shape.size() <= max_rank, "[safetensors] expected at most ", max_rank,
                   " dimensions for tensor '", name, "', got ", view.shape.size());
    const bool negative =
        std::any_of(view.shape.begin(), view.shape.end(), [](std::int64_t n) { return n < 0; });
    std::uint64_t bytes = 0;
    check_argument(!negative && shape_bytes(view.shape, element_size(view.type), bytes) &&
                       bytes == view.bytes && (view.data != nullptr || bytes == 0),
                   "[safetensors] expected the bytes of ", type_name(view.type), " ",
                   shape_text(view.shape), " for tensor '", name, "', got ", view.bytes);
  }
}

}  // namespace detail

std::size_t element_size(TensorType type) {
  return info(type).size;
}
const char* type_name(TensorType type) {
  return info(type).name;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : path_(path.string()) {
  const auto mapping = std::make_shared<const Mapping>(path);
  mapping_ = mapping;
  refuse_pickle(*mapping, path);
  auto content =
      detail::parse_safetensors(static_cast<const std::byte*>(mapping->data), mapping->size, path_);
  metadata_ = std::move(content.metadata);
  for (auto& [name, view] : content.tensors) {
    names_.push_back(name);
    tensors_.emplace(std::move(name), std::move(view));
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
  detail::check_tensors(tensors);
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
