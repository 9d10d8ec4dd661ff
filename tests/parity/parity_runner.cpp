/// \file
/// Computes parity cases: parity_runner CASE_DIR OUT_DIR [CASE_DIR OUT_DIR ...] reads config.json,
/// weights and inputs of a case and writes OUT_DIR/outputs.safetensors. Exit codes: 0 done, 1 an
/// error, 2 wrong usage or an unknown case.

#include <iostream>

#include "case.hpp"
#include "dermis/core/file.hpp"

namespace {

using namespace dermis;
using namespace dermis::parity;

std::string name_of(std::filesystem::path directory) {
  directory = std::filesystem::absolute(directory).lexically_normal();
  if (directory.filename().empty()) directory = directory.parent_path();
  return directory.filename().string();
}

/// The run for a case's name; nullptr if no prefix fits.
const Run* run_for(const std::string& name) {
  for (const auto& [prefix, run] : runs())
    if (name.rfind(prefix, 0) == 0) return &run;
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc % 2 == 0) {
    std::cerr << "usage: parity_runner CASE_DIR OUT_DIR [CASE_DIR OUT_DIR ...]\n";
    return 2;
  }
  for (int i = 1; i < argc; i += 2) {
    const auto name = name_of(argv[i]);
    if (!run_for(name)) {
      std::cerr << "parity_runner: unknown case '" << name << "'\n";
      return 2;
    }
  }
  for (int i = 1; i < argc; i += 2) {
    const std::filesystem::path directory = argv[i], out = argv[i + 1];
    const auto name = name_of(directory);
    try {
      const torch::NoGradGuard no_grad;
      const auto outputs =
          (*run_for(name))({directory, name, Json::read(directory / "config.json")});
      make_directories(out);
      write_tensors(out / "outputs.safetensors", outputs);
    } catch (const c10::Error& error) {
      std::cerr << "parity_runner: " << name << ": " << error.what_without_backtrace() << '\n';
      return 1;
    } catch (const std::exception& error) {
      std::cerr << "parity_runner: " << name << ": " << error.what() << '\n';
      return 1;
    }
  }
  return 0;
}
