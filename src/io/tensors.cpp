#include "dermis/io/tensors.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

#include "dermis/core/check.hpp"
#include "dermis/core/hash.hpp"
#include "dermis/io/load.hpp"
#include "dermis/io/safetensors.hpp"

namespace dermis {
namespace {

constexpr std::pair<TensorType, at::ScalarType> kTypes[] = {
    {TensorType::F64, at::kDouble},
    {TensorType::F32, at::kFloat},
    {TensorType::F16, at::kHalf},
    {TensorType::BF16, at::kBFloat16},
    {TensorType::I64, at::kLong},
    {TensorType::I32, at::kInt},
    {TensorType::I16, at::kShort},
    {TensorType::I8, at::kChar},
    {TensorType::U8, at::kByte},
    {TensorType::Bool, at::kBool},
    {TensorType::U64, at::kUInt64},
    {TensorType::U32, at::kUInt32},
    {TensorType::U16, at::kUInt16},
    {TensorType::C64, at::kComplexFloat},
    {TensorType::F8_E4M3, at::kFloat8_e4m3fn},
    {TensorType::F8_E5M2, at::kFloat8_e5m2},
    {TensorType::F8_E4M3FNUZ, at::kFloat8_e4m3fnuz},
    {TensorType::F8_E5M2FNUZ, at::kFloat8_e5m2fnuz},
    {TensorType::F8_E8M0, at::kFloat8_e8m0fnu},
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

/// A bool of LibTorch that is neither 0 nor 1 is undefined behaviour.
void check_bools(const TensorView& view, const std::string& name,
                 const std::filesystem::path& path) {
  if (view.type != TensorType::Bool) return;
  const bool ok = std::all_of(view.data, view.data + view.bytes,
                              [](std::byte value) { return value <= std::byte{1}; });
  check_runtime(ok, "[tensors] ", path.string(), ": expected zeros and ones in BOOL tensor '", name,
                "'");
}

at::Tensor copied(const TensorView& view) {
  at::Tensor tensor = at::empty(view.shape, scalar_type(view.type));
  if (view.bytes > 0) std::memcpy(tensor.data_ptr(), view.data, view.bytes);
  return tensor;
}

/// On the file's own pages, which the tensor keeps; a copy where an element is not aligned.
at::Tensor mapped(const TensorView& view, const std::shared_ptr<const SafetensorsFile>& file) {
  const auto address = reinterpret_cast<std::uintptr_t>(view.data);
  if (view.bytes == 0 || address % element_size(view.type) != 0) return copied(view);
  auto* data = const_cast<std::byte*>(view.data);  // private pages: see SafetensorsFile
  return at::from_blob(
      data, view.shape, [file](void*) {}, at::dtype(scalar_type(view.type)));
}

/// What `path` stands for, each view made a tensor by `make(view, file)`.
template <class Make>
TensorFile read(const std::filesystem::path& path, const Make& make) {
  TensorFile result;
  for (SafetensorsFile& opened : open_safetensors(path)) {
    const auto file = std::make_shared<const SafetensorsFile>(std::move(opened));
    result.metadata.insert(file->metadata().begin(), file->metadata().end());
    for (const std::string& name : file->names()) {
      check_bools(file->at(name), name, path);
      result.tensors.emplace_back(name, make(file->at(name), file));
    }
  }
  return result;
}

/// The views of tensors on the CPU, which `alive` keeps.
std::vector<std::pair<std::string, TensorView>> views_of(const StateDict& tensors,
                                                         std::vector<at::Tensor>& alive) {
  std::vector<std::pair<std::string, TensorView>> views;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor& data = alive.emplace_back(plain(name, tensor));
    views.emplace_back(
        name, TensorView{tensor_type(name, data.scalar_type()), data.sizes().vec(),
                         static_cast<const std::byte*>(data.const_data_ptr()), data.nbytes()});
  }
  return views;
}

}  // namespace

TensorFile read_tensors(const std::filesystem::path& path) {
  return read(path, [](const TensorView& view, const auto&) { return copied(view); });
}

TensorFile map_tensors(const std::filesystem::path& path) {
  return read(path, mapped);
}

void write_tensors(const std::filesystem::path& path, const StateDict& tensors,
                   const std::map<std::string, std::string>& metadata) {
  std::vector<at::Tensor> alive;
  write_safetensors(path, views_of(tensors, alive), metadata);
}

void write_tensor_shards(const std::filesystem::path& folder, const StateDict& tensors,
                         const ShardOptions& options,
                         const std::map<std::string, std::string>& metadata) {
  std::vector<at::Tensor> alive;
  write_safetensors_shards(folder, views_of(tensors, alive), options, metadata);
}

StateDict state_dict(const torch::nn::Module& module) {
  StateDict result;
  for (const auto& item : module.named_parameters()) result.emplace_back(item.key(), item.value());
  for (const auto& item : module.named_buffers()) result.emplace_back(item.key(), item.value());
  return result;
}

void copy_tensors(const StateDict& targets, const StateDict& values, const std::string& source) {
  load(targets, values, source);
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
    parts += text(name, ' ', c10::toString(data.scalar_type()), ' ', data.sizes(), ' ',
                  fingerprint(bytes), '\n');
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
