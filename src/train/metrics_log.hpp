#pragma once
/// \file
/// metrics.jsonl: one JSON object a line, appended while a run goes on.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>

#include "dermis/core/json.hpp"
#include "dermis/io/tensorboard.hpp"

namespace dermis::detail {

/// Appends lines to a file, and on request the same figures to TensorBoard's event files.
class MetricsLog {
 public:
  /// Keeps the lines of the file whose "step" is at most `last_step` (a resumed run writes the
  /// later ones again; a line cut off by a kill is dropped too). \throws std::runtime_error if the
  /// file cannot be written
  MetricsLog(const std::filesystem::path& path, std::int64_t last_step,
             const std::filesystem::path& tensorboard = {});

  /// \throws std::runtime_error if the line could not be written as a whole
  void append(const Json& line);

 private:
  std::filesystem::path path_;
  std::ofstream file_;
  std::optional<TensorBoardWriter> board_;
};

}  // namespace dermis::detail
