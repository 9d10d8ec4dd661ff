/// \file
/// An edge file, as a model loads it once its checksum is right: what the manifest says against
/// what the tensors are.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "dermis/core/check.hpp"
#include "edge/arena.hpp"
#include "edge/kernels.hpp"
#include "edge/weights.hpp"
#include "planted.hpp"

namespace {

using namespace dermis;

/// A file without a disk.
struct MemoryFile {
  MemoryFile(const std::uint8_t* data, std::size_t size) : descriptor(memfd_create("input", 0)) {
    fuzz::require(descriptor >= 0 && write(descriptor, data, size) == static_cast<ssize_t>(size));
  }
  ~MemoryFile() { close(descriptor); }
  std::string path() const { return text("/proc/self/fd/", descriptor); }
  int descriptor;
};

void load(const std::string& path) {
  const SafetensorsFile file(path);
  const auto json = file.metadata().find("dermis.edge");
  if (json == file.metadata().end()) return;
  const edge::Manifest manifest = edge::parse_manifest(json->second, "input");
  for (const edge::Kernels* kernels : edge::supported_kernels()) {
    edge::Arena arena;
    edge::place_weights(file, path, manifest, *kernels, arena);
    arena.allocate();
    const auto weights = edge::place_weights(file, path, manifest, *kernels, arena);
    fuzz::require(static_cast<std::int64_t>(weights.heads.size()) == manifest.network.exits());
  }
  fuzz::planted_overflow(static_cast<std::size_t>(manifest.network.num_classes), 3);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryFile file(data, size);
  try {
    load(file.path());
  } catch (const std::runtime_error&) {
    // refused, as it may be; another exception is a finding
  }
  return 0;
}
