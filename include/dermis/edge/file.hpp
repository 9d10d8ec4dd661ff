#pragma once
/// \file
/// Edge files: safetensors with a manifest ("dermis.edge"), a checksum that is compared at load
/// ("dermis.checksum", quick, finds damage) and SHA-256 ("dermis.sha256", finds forgery where the
/// digest is known from elsewhere; verify() compares). Both cover the manifest and every tensor
/// with its name, type and shape.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "dermis/edge/manifest.hpp"
#include "dermis/io/safetensors.hpp"

namespace dermis::edge {

/// How export_model() makes a file.
struct ExportOptions {
  Precision precision = Precision::F32;
  /// One an exit; one for all; empty: those of the checkpoint, else 1.
  std::vector<double> temperatures = {};
  std::vector<double> exit_confidences = {};  ///< one an exit but the last; empty: no early exit
  double abstain_below = 0;
  std::vector<double> thresholds = {};  ///< one a class, or none
  Json provenance = Json::object();     ///< added to what export_model() notes itself
};

/// Makes `target` from the file of a classifier (save_classifier), or of a student that answers at
/// every depth: architecture "depth_vit", tensors below `vit.` and `heads.<level>.`, in its extra
/// metadata `temperatures` and `heads`: "own" or "last", see DepthHeadUse.
/// \throws std::runtime_error naming a file that cannot be read, is none of these, or has weights
///         that are not finite; std::invalid_argument for options that do not fit it
void export_model(const std::filesystem::path& checkpoint, const std::filesystem::path& target,
                  const ExportOptions& options = {});

/// Compares SHA-256 and checksum. \return the digest, 64 hexadecimal digits
/// \throws std::runtime_error naming the file and what differs
std::string verify(const std::filesystem::path& path);

/// Writes an edge file atomically. \throws std::invalid_argument as write_safetensors
void write_file(const std::filesystem::path& path, const Manifest& manifest,
                const std::vector<std::pair<std::string, TensorView>>& tensors);

}  // namespace dermis::edge
