#include "metrics_log.hpp"

#include <cerrno>
#include <cstring>
#include <sstream>
#include <string>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"

namespace dermis::detail {
namespace {

bool is_of_step_up_to(const std::string& line, std::int64_t last_step) {
  try {
    return Json::parse(line, "metrics").at("step").get<std::int64_t>() <= last_step;
  } catch (const std::runtime_error&) {
    return false;
  }
}

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& path, std::int64_t last_step,
                       const std::filesystem::path& tensorboard)
    : path_(path) {
  std::string kept;
  if (last_step > 0 && std::filesystem::exists(path)) {
    std::istringstream lines(read_file(path));
    for (std::string line; std::getline(lines, line);) {
      if (is_of_step_up_to(line, last_step)) kept += line + '\n';
    }
  }
  write_atomically(path, kept);
  file_.open(path, std::ios::app | std::ios::binary);
  check_runtime(file_.is_open(), "[metrics] cannot write ", path.string(), ": ",
                std::strerror(errno));
  if (!tensorboard.empty())
    board_.emplace(tensorboard, last_step > 0 ? std::optional(last_step + 1) : std::nullopt);
}

void MetricsLog::append(const Json& line) {
  if (board_) {
    for (const auto& [key, value] : line.items())
      if (value.is_number() && key != "step")
        board_->scalar(key, line.at("step").get<std::int64_t>(), value.get<double>());
  }
  file_ << line.dump() << '\n' << std::flush;  // flushed: a line a person may be watching
  check_runtime(file_.good(), "[metrics] cannot write ", path_.string(), ": ",
                std::strerror(errno));
}

}  // namespace dermis::detail
