#include "dermis/io/tensors.hpp"

#include <algorithm>
#include <cstring>
#include <set>
#include <sstream>
#include <unordered_map>

#include "dermis/core/check.hpp"
#include "dermis/core/hash.hpp"
#include "dermis/io/safetensors.hpp"

namespace dermis {
namespace {

constexpr std::pair<TensorType, at::ScalarType> kTypes[] = {
    {TensorType::F64, at::kDouble},    {TensorType::F32, at::kFloat}, {TensorType::F16, at::kHalf},
    {TensorType::BF16, at::kBFloat16}, {TensorType::I64, at::kLong},  {TensorType::I32, at::kInt},
    {TensorType::I16, at::kShort},     {TensorType::I8, at::kChar},   {TensorType::U8, at::kByte},
    {TensorType::Bool, at::kBool},
};

at::ScalarType scalar_type(TensorType type) {
  const auto* entry =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](auto& e) { return e.first == type; });
  return entry->second;
}

TensorType tensor_type(const std::string& name, at::ScalarType type) {
  const auto* entry =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](auto& e) { return e.second == type; });
  check_argument(entry != std::end(kTypes), "[tensors] expected a type that safetensors has, got ",
                 c10::toString(type), " for tensor '", name, "'");
  return entry->first;
}

/// The same values on the CPU, row-major: what goes to disk.
at::Tensor plain(const std::string& name, const at::Tensor& tensor) {
  check_argument(tensor.defined(), "[tensors] expected a defined tensor for '", name, "'");
  check_argument(tensor.layout() == at::kStrided, "[tensors] expected a dense tensor for '", name,
                 "', got layout ", tensor.layout());
  return tensor.detach().to(at::kCPU).contiguous();
}

std::string described(const at::Tensor& tensor) {
  std::ostringstream out;
  out << c10::toString(tensor.scalar_type()) << ' ' << tensor.sizes();
  return out.str();
}

bool fits(const at::Tensor& target, const at::Tensor& value) {
  return target.sizes() == value.sizes() &&
         (target.scalar_type() == value.scalar_type() ||
          (target.is_floating_point() && value.is_floating_point()));
}

/// "2 missing keys (a, b)": at most ten by name.
std::string listed(const std::string& kind, const std::vector<std::string>& keys) {
  constexpr std::size_t shown = 10;
  std::string line = text(keys.size(), " ", kind, keys.size() == 1 ? " key (" : " keys (");
  for (std::size_t i = 0; i < std::min(shown, keys.size()); ++i) {
    line += (i > 0 ? ", " : "") + keys[i];
  }
  if (keys.size() > shown) line += text(", ... and ", keys.size() - shown, " more");
  return line + ")";
}

}  // namespace

TensorFile read_tensors(const std::filesystem::path& path) {
  const SafetensorsFile file(path);
  TensorFile result{{}, file.metadata()};
  for (const std::string& name : file.names()) {
    const TensorView& view = file.at(name);
    at::Tensor tensor = at::empty(view.shape, scalar_type(view.type));
    if (view.bytes > 0) std::memcpy(tensor.data_ptr(), view.data, view.bytes);
    result.tensors.emplace_back(name, std::move(tensor));
  }
  return result;
}

void write_tensors(const std::filesystem::path& path, const StateDict& tensors,
                   const std::map<std::string, std::string>& metadata) {
  std::vector<at::Tensor> alive;  // the views point into these
  std::vector<std::pair<std::string, TensorView>> views;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor& data = alive.emplace_back(plain(name, tensor));
    views.emplace_back(
        name, TensorView{tensor_type(name, data.scalar_type()), data.sizes().vec(),
                         static_cast<const std::byte*>(data.const_data_ptr()), data.nbytes()});
  }
  write_safetensors(path, views, metadata);
}

StateDict state_dict(const torch::nn::Module& module) {
  StateDict result;
  for (const auto& item : module.named_parameters()) result.emplace_back(item.key(), item.value());
  for (const auto& item : module.named_buffers()) result.emplace_back(item.key(), item.value());
  return result;
}

void copy_tensors(const StateDict& targets, const StateDict& values, const std::string& source) {
  std::unordered_map<std::string, const at::Tensor*> found;
  for (const auto& [name, value] : values) found.emplace(name, &value);
  std::vector<std::string> missing, unexpected, mismatched;
  std::set<std::string> wanted;
  for (const auto& [name, target] : targets) {
    wanted.insert(name);
    const auto match = found.find(name);
    if (match == found.end()) {
      missing.push_back(name);
    } else if (!fits(target, *match->second)) {
      mismatched.push_back(
          text(name, ": expected ", described(target), ", got ", described(*match->second)));
    }
  }
  for (const auto& [name, value] : values) {
    if (wanted.count(name) == 0) unexpected.push_back(name);
  }
  std::string faults;
  for (const auto& [kind, keys] :
       {std::pair{"missing", missing}, std::pair{"unexpected", unexpected},
        std::pair{"mismatched", mismatched}}) {
    if (!keys.empty()) faults += (faults.empty() ? "" : "; ") + listed(kind, keys);
  }
  check_runtime(faults.empty(), "[load] ", source, ": ", faults);

  const torch::NoGradGuard no_grad;
  for (const auto& [name, target] : targets) at::Tensor(target).copy_(*found.at(name));
}

void load_state_dict(torch::nn::Module& module, const StateDict& values,
                     const std::string& source) {
  copy_tensors(state_dict(module), values, source);
}

StateDict without_prefix(const StateDict& tensors, const std::string& prefix) {
  StateDict result;
  for (const auto& [name, tensor] : tensors) {
    if (name.compare(0, prefix.size(), prefix) == 0) {
      result.emplace_back(name.substr(prefix.size()), tensor);
    }
  }
  return result;
}

void append(StateDict& target, const StateDict& tensors, const std::string& prefix) {
  for (const auto& [name, tensor] : tensors) target.emplace_back(prefix + name, tensor);
}

std::string fingerprint(const StateDict& tensors) {
  std::string parts;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor data = plain(name, tensor);
    const std::string_view bytes(static_cast<const char*>(data.const_data_ptr()), data.nbytes());
    parts += text(name, ' ', described(data), ' ', fingerprint(bytes), '\n');
  }
  return fingerprint(std::string_view(parts));
}

void save_model(const std::filesystem::path& path, const torch::nn::Module& module,
                const std::string& architecture, const Json& options, const Json& extra) {
  write_tensors(path, state_dict(module),
                {{"dermis.architecture", Json(architecture).dump()},
                 {"dermis.options", options.dump()},
                 {"dermis.extra", extra.dump()}});
}

ModelFile read_model_file(const std::filesystem::path& path,
                          const std::string& expected_architecture) {
  TensorFile file = read_tensors(path);
  const auto json = [&](const std::string& key) {
    const auto entry = file.metadata.find(key);
    check_runtime(entry != file.metadata.end(), "[load] ", path.string(),
                  ": expected a dermis model file, but its metadata lacks ", key);
    return Json::parse(entry->second, text(path.string(), " (", key, ")"));
  };
  const Json architecture = json("dermis.architecture");
  check_runtime(architecture.is_string(), "[load] ", path.string(),
                ": expected dermis.architecture to be a string, got ", architecture.dump());
  ModelFile model{architecture.get<std::string>(), json("dermis.options"), json("dermis.extra"),
                  std::move(file.tensors)};
  check_runtime(expected_architecture.empty() || model.architecture == expected_architecture,
                "[load] ", path.string(), ": expected architecture ", expected_architecture,
                ", got ", model.architecture);
  return model;
}

}  // namespace dermis
