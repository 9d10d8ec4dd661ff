/// \file
/// replay FOLDER: gives the files of a corpus to a fuzzer's target, whole, cut short and with bytes
/// changed. Needs neither clang nor sanitizers: what is looked for ends the process by itself.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <string>

#include "dermis/core/file.hpp"
#include "dermis/core/random.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

/// libFuzzer's own; targets with a mutator of theirs name it, a replay never calls it.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t*, std::size_t size, std::size_t) {
  return size;
}

namespace {

constexpr int kChanges = 200;  // of each file

void give(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: replay FOLDER\n";
    return 2;
  }
  std::uint64_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    const auto bytes = dermis::read_file(entry.path());
    give(bytes);
    dermis::RandomStream stream(1, entry.path().filename().string());
    for (int i = 0; i < kChanges && !bytes.empty(); ++i) {
      auto changed = bytes.substr(0, i % 4 == 0 ? stream.below(bytes.size()) : bytes.size());
      if (!changed.empty()) changed[stream.below(changed.size())] = static_cast<char>(stream());
      give(changed);
    }
    ++files;
  }
  std::cout << files << " files, " << files * (kChanges + 1) << " inputs\n";
  return files == 0;
}
