/// \file
/// Judges what parity_runner computed: parity_compare DATA OUT [TABLE SOURCES] compares every case
/// of DATA with OUT/CASE/outputs.safetensors, prints for each the largest share of the tolerance
/// that was used, and writes TABLE (Markdown; the test of a case is looked for in
/// SOURCES/*_cases.cpp). A tensor that is absent, of another shape or beyond the tolerance fails.
/// Exit codes: 0 all agree, 1 some do not or an error, 2 wrong usage.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <iomanip>
#include <iostream>
#include <limits>
#include <set>
#include <sstream>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"
#include "dermis/core/json.hpp"
#include "dermis/io/safetensors.hpp"

namespace {

using namespace dermis;
namespace fs = std::filesystem;

/// By the first two digits of a case.
const std::array<std::pair<const char*, const char*>, 18> modules{{
    {"01", "models/vit.hpp, resnet.hpp"},
    {"02", "models/vit.hpp"},
    {"03", "models/mae.hpp, layers/position.hpp"},
    {"04", "models/kl_vae.hpp"},
    {"05", "models/unet.hpp"},
    {"06", "diffusion/ddpm.hpp, ddim.hpp, noise_schedule.hpp, rectified_flow.hpp"},
    {"07", "models/flux.hpp"},
    {"08", "layers/adapters.hpp, weights/lora.hpp"},
    {"09", "models/t5.hpp, clip_text.hpp"},
    {"10",
     "distill/losses.hpp, train/classification_loss.hpp, optimizer.hpp, schedule.hpp, ema.hpp"},
    {"11", "metrics/"},
    {"12", "io/image.hpp, resize.hpp, dermoscopy.hpp"},
    {"13", "models/mae.hpp, vit.hpp"},
    {"14", "models/kl_vae.hpp, unet.hpp, diffusion/"},
    {"15", "models/flux.hpp, kl_vae.hpp, diffusion/flux_sampling.hpp, weights/lora.hpp"},
    {"16", "distill/"},
    {"17", "diffusion/rectified_flow.hpp"},
    {"18", "text/tokenizer.hpp"},
}};

/// |a - b| <= absolute + relative |b|; whole numbers are equal, bytes within `levels`.
struct Tolerance {
  double absolute = 1e-5, relative = 1e-4;
  double levels = 0;
};

Tolerance tolerance_of(const std::string& name) {
  if (name.rfind("12b", 0) == 0) return {1e-5, 1e-4, 2};  // decoders of JPEG differ by a level
  if (name.rfind("11b", 0) == 0) return {1e-9, 0, 0};     // an official score is that number
  return {};
}

template <class T>
std::vector<double> numbers(const TensorView& view) {
  std::vector<double> values(view.bytes / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, view.data + i * sizeof(T), sizeof(T));
    values[i] = static_cast<double>(value);
  }
  return values;
}

std::vector<double> numbers(const TensorView& view) {
  switch (view.type) {
    case TensorType::F64:
      return numbers<double>(view);
    case TensorType::F32:
      return numbers<float>(view);
    case TensorType::I64:
      return numbers<std::int64_t>(view);
    case TensorType::I32:
      return numbers<std::int32_t>(view);
    case TensorType::U8:
    case TensorType::Bool:
      return numbers<std::uint8_t>(view);
    default:
      throw std::runtime_error(text("[parity] no comparison of ", type_name(view.type)));
  }
}

struct Verdict {
  std::size_t tensors = 0;
  double difference = 0;  ///< the largest |a - b| of floating-point tensors
  double share = 0;       ///< the largest share of the tolerance
  std::string worst;      ///< the tensor with it
  std::vector<std::string> faults;
};

void compare(const std::string& name, const TensorView& ours, const TensorView& theirs,
             const Tolerance& tolerance, Verdict& verdict) {
  const auto a = numbers(ours), b = numbers(theirs);
  if (ours.shape != theirs.shape && !(a.size() == 1 && b.size() == 1)) {
    verdict.faults.push_back(name + " has another shape");
    return;
  }
  const bool floating = theirs.type == TensorType::F64 || theirs.type == TensorType::F32;
  double share = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    const double difference = std::abs(a[i] - b[i]);
    const double allowed = floating ? tolerance.absolute + tolerance.relative * std::abs(b[i])
                           : theirs.type == TensorType::U8 ? tolerance.levels
                                                           : 0;
    const double used = difference / allowed;
    share = std::max(share, std::isnan(used) ? std::numeric_limits<double>::infinity() : used);
    if (floating) verdict.difference = std::max(verdict.difference, difference);
  }
  if (share > 1) verdict.faults.push_back(text(name, " uses ", share, " of the tolerance"));
  if (share >= verdict.share) {
    verdict.share = share;
    verdict.worst = name;
  }
}

Verdict judge(const fs::path& reference, const fs::path& candidate, const Tolerance& tolerance) {
  const SafetensorsFile theirs(reference), ours(candidate);
  Verdict verdict;
  for (const auto& name : theirs.names()) {
    ++verdict.tensors;
    if (ours.contains(name))
      compare(name, ours.at(name), theirs.at(name), tolerance, verdict);
    else
      verdict.faults.push_back(name + " is missing");
  }
  if (verdict.tensors == 0) verdict.faults.push_back("the reference holds no tensor");
  return verdict;
}

/// "timm 1.0.31", or the repositories that the case's README names.
std::string reference_of(const fs::path& directory) {
  std::istringstream readme(read_file(directory / "README"));
  for (std::string line; std::getline(readme, line);) {
    const auto from = line.find("From: ");
    if (from == std::string::npos) continue;
    std::string names;
    std::istringstream words(line.substr(from + 6));
    for (std::string word; words >> word;)
      if (word.find('/') != std::string::npos) names += (names.empty() ? "" : ", ") + word;
    if (!names.empty()) return names;
  }
  const Json config = Json::read(directory / "config.json");
  std::string names;
  for (const auto& [library, version] : config.at("library").items())
    names += (names.empty() ? "" : ", ") + library + " " + version.get<std::string>();
  if (config.contains("torch")) names += ", torch " + config.at("torch").get<std::string>();
  return names;
}

/// The file that registers the case's name up to '_', or its two digits.
std::string test_of(const std::string& name, const fs::path& sources) {
  for (const auto& prefix : {name.substr(0, name.find('_')), name.substr(0, 2)}) {
    for (const auto& entry : fs::directory_iterator(sources)) {
      const auto file = entry.path().filename().string();
      if (file.find("_cases.cpp") != std::string::npos &&
          read_file(entry.path()).find("{\"" + prefix + "\"") != std::string::npos)
        return file;
    }
  }
  throw std::runtime_error(text("[parity] no *_cases.cpp below ", sources, " registers ", name));
}

std::string module_of(const std::string& name) {
  for (const auto& [digits, module] : modules)
    if (name.rfind(digits, 0) == 0) return module;
  throw std::runtime_error(text("[parity] no module is known for the case ", name));
}

std::string short_number(double value) {
  std::ostringstream out;
  out << std::setprecision(2) << value;
  return out.str();
}

int run(const fs::path& data, const fs::path& out, const fs::path& table, const fs::path& sources) {
  std::set<fs::path> cases;
  for (const auto& entry : fs::directory_iterator(data))
    if (fs::exists(entry.path() / "outputs.safetensors")) cases.insert(entry.path());
  check_runtime(!cases.empty(), "[parity] expected cases in ", data, ", got none");
  std::string rows;
  std::size_t failed = 0;
  for (const auto& directory : cases) {
    const auto name = directory.filename().string();
    Verdict verdict;
    try {
      verdict = judge(directory / "outputs.safetensors", out / name / "outputs.safetensors",
                      tolerance_of(name));
    } catch (const std::runtime_error& error) {
      verdict.faults.push_back(error.what());
    }
    std::cout << (verdict.faults.empty() ? "ok   " : "FAIL ") << std::left << std::setw(26) << name
              << verdict.tensors << " tensors, " << short_number(100 * verdict.share)
              << " % of the tolerance" << (verdict.share > 0 ? ", " + verdict.worst : "") << '\n';
    for (const auto& fault : verdict.faults) std::cout << "     " << fault << '\n';
    failed += !verdict.faults.empty();
    if (!table.empty())
      rows += text("| ", name, " | ", module_of(name), " | ", reference_of(directory), " | ",
                   verdict.tensors, " | ", short_number(verdict.difference), " | ",
                   short_number(100 * verdict.share), " % | ", test_of(name, sources), " |\n");
  }
  if (!table.empty())
    write_atomically(table,
                     "| case | module | reference | tensors | largest difference | of the "
                     "tolerance | test |\n|---|---|---|--:|--:|--:|---|\n" +
                         rows);
  std::cout << cases.size() - failed << " of " << cases.size() << " cases agree\n";
  return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 5) {
    std::cerr << "usage: parity_compare DATA OUT [TABLE SOURCES]\n";
    return 2;
  }
  try {
    return run(argv[1], argv[2], argc == 5 ? argv[3] : "", argc == 5 ? argv[4] : "");
  } catch (const std::exception& error) {
    std::cerr << "parity_compare: " << error.what() << '\n';
    return 1;
  }
}
