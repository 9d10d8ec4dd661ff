#include "dermis/edge/file.hpp"

#include "checksum.hpp"
#include "content.hpp"
#include "dermis/core/check.hpp"
#include "dermis/core/sha256.hpp"

namespace dermis::edge {
namespace {

using Tensors = std::vector<std::pair<std::string, TensorView>>;

template <class Sum>
std::string sum_of(const std::string& manifest, const Tensors& tensors) {
  Sum sum;
  add_content(sum, manifest, tensors);
  return sum.finish();
}

const std::string& metadata_at(const SafetensorsFile& file, const char* key,
                               const std::string& source) {
  const auto found = file.metadata().find(key);
  check_runtime(found != file.metadata().end(), "[edge] ", source,
                ": expected an edge file, got one without '", key, "'");
  return found->second;
}

void compare(const SafetensorsFile& file, const char* key, const std::string& found,
             const std::string& source) {
  const std::string& stated = metadata_at(file, key, source);
  check_runtime(stated == found, "[edge] ", source, ": the file is damaged: expected ", key, " ",
                stated, ", got ", found);
}

}  // namespace

Tensors tensors_of(const SafetensorsFile& file) {
  Tensors tensors;
  for (const std::string& name : file.names()) tensors.emplace_back(name, file.at(name));
  return tensors;
}

Content read_content(const std::filesystem::path& path) {
  const std::string source = path.string();
  SafetensorsFile file(path);
  const std::string& json = metadata_at(file, manifest_key, source);
  compare(file, checksum_key, sum_of<Checksum>(json, tensors_of(file)), source);
  Manifest manifest = parse_manifest(json, source);
  return {std::move(file), std::move(manifest)};
}

std::string verify(const std::filesystem::path& path) {
  const Content content = read_content(path);
  const auto& file = content.file;
  const std::string source = path.string();
  std::string digest = sum_of<Sha256>(metadata_at(file, manifest_key, source), tensors_of(file));
  compare(file, sha256_key, digest, source);
  return digest;
}

void write_file(const std::filesystem::path& path, const Manifest& manifest,
                const Tensors& tensors) {
  validate(manifest, path.string());
  const std::string json = options_to_json(manifest).dump();
  write_safetensors(path, tensors,
                    {{manifest_key, json},
                     {checksum_key, sum_of<Checksum>(json, tensors)},
                     {sha256_key, sum_of<Sha256>(json, tensors)}});
}

}  // namespace dermis::edge
