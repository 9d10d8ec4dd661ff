#pragma once
/// \file
/// What the parts of a diffusers folder share: file names, and attention as older versions named
/// it.

#include <filesystem>

#include "dermis/core/file.hpp"
#include "dermis/io/tensors.hpp"

namespace dermis::detail {

/// `folder` itself, or its sub-folder `part` if it is a pipeline's folder.
inline std::filesystem::path diffusers_part(const std::filesystem::path& folder,
                                            const std::string& part) {
  const bool pipeline = !std::filesystem::exists(folder / "config.json") &&
                        std::filesystem::exists(folder / part / "config.json");
  return pipeline ? folder / part : folder;
}

/// config.json, its "_class_name", where there is one, among `classes`.
inline Json read_diffusers_config(const std::filesystem::path& folder,
                                  const std::vector<std::string>& classes) {
  const auto path = folder / "config.json";
  auto config = Json::read(path);
  const auto name = config.value("_class_name", classes.front());
  std::string expected;
  for (const auto& known : classes) {
    if (name == known) return config;
    expected += (expected.empty() ? "" : " or ") + known;
  }
  check_runtime(false, "[diffusers] ", path.string(), ": expected _class_name ", expected, ", got ",
                name);
  return config;
}

/// Adds the file's name to what `read` has to say against its contents.
template <class Read>
auto naming(const std::filesystem::path& path, Read&& read) {
  try {
    return read();
  } catch (const std::exception& error) {
    throw std::runtime_error(text("[diffusers] ", path.string(), ": ", error.what()));
  }
}

inline void write_diffusers_folder(const std::filesystem::path& folder, const Json& config,
                                   const StateDict& tensors) {
  make_directories(folder);
  write_tensors(folder / "diffusion_pytorch_model.safetensors", tensors, {{"format", "pt"}});
  write_atomically(folder / "config.json", config.dump(2) + "\n");
}

/// Present names for attention tensors of any age: query, key, value and proj_attn became to_q,
/// to_k, to_v and to_out.0; where they are 1 x 1 convolutions, matrices.
inline StateDict with_present_attention(const StateDict& tensors) {
  StateDict result;
  for (const auto& [name, tensor] : tensors) {
    auto present = name;
    auto value = tensor;
    for (const auto& [old, now] :
         {std::pair{".query.", ".to_q."}, std::pair{".key.", ".to_k."},
          std::pair{".value.", ".to_v."}, std::pair{".proj_attn.", ".to_out.0."}}) {
      const auto at = name.find(old);
      if (at == std::string::npos || name.find(".attentions.") == std::string::npos) continue;
      present = name.substr(0, at) + now + name.substr(at + std::string(old).size());
      if (value.dim() == 4) value = value.flatten(1);  // [C, C, 1, 1] -> [C, C]
    }
    result.emplace_back(std::move(present), std::move(value));
  }
  return result;
}

}  // namespace dermis::detail
