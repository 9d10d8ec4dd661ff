#include "dermis/core/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace dermis {
namespace {

constexpr std::chrono::milliseconds redraw_interval{100};
constexpr std::chrono::seconds plain_interval{10};

bool draws_bars() {
  const char* kind = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && !(kind && std::strcmp(kind, "dumb") == 0);
}

int terminal_width() {
  if (const char* columns = std::getenv("COLUMNS")) {
    char* end = nullptr;
    const long width = std::strtol(columns, &end, 10);
    if (*columns != '\0' && *end == '\0' && width > 0)
      return static_cast<int>(std::min(width, 10000L));
  }
  struct winsize size {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

double seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// "12.3 it/s" or, when slow, "4.1 s/it".
std::string rate_text(double rate, const std::string& unit) {
  char buffer[32];
  if (rate >= 1) {
    std::snprintf(buffer, sizeof buffer, rate < 100 ? "%.1f " : "%.0f ", rate);
    return buffer + unit + "/s";
  }
  std::snprintf(buffer, sizeof buffer, "%.1f s/", 1 / rate);
  return buffer + unit;
}

}  // namespace

namespace detail {

std::string duration_text(double seconds) {
  const auto whole =
      static_cast<long long>(std::llround(std::clamp(seconds, 0.0, 3.2e9)));  // at most a century
  char buffer[32];
  if (whole < 60) {
    std::snprintf(buffer, sizeof buffer, "%llds", whole);
  } else if (whole < 3600) {
    std::snprintf(buffer, sizeof buffer, "%lldm%02llds", whole / 60, whole % 60);
  } else if (whole < 86400) {
    std::snprintf(buffer, sizeof buffer, "%lldh%02lldm", whole / 3600, whole / 60 % 60);
  } else {
    std::snprintf(buffer, sizeof buffer, "%lldd%02lldh", whole / 86400, whole / 3600 % 24);
  }
  return buffer;
}

std::string progress_line(const ProgressState& state, int width) {
  const bool known = state.total > 0;
  std::string head = state.label + " ";
  if (known) {
    const double share =
        std::clamp(static_cast<double>(state.done) / static_cast<double>(state.total), 0.0, 1.0);
    constexpr int bar_width = 20;
    if (width >= 60) {
      const int filled = static_cast<int>(share * bar_width);
      head += '[' + std::string(static_cast<std::size_t>(filled), '#') +
              std::string(static_cast<std::size_t>(bar_width - filled), '.') + "] ";
    }
    head += std::to_string(static_cast<int>(100 * share)) + "% ";
    head += std::to_string(state.done) + "/" + std::to_string(state.total) + " " + state.unit;
  } else {
    head += std::to_string(state.done) + " " + state.unit;
  }
  if (state.rate > 0) head += ", " + rate_text(state.rate, state.unit);
  if (state.last) {
    head += ", took " + duration_text(state.elapsed_seconds);
  } else if (known && state.rate > 0) {
    head +=
        ", " + duration_text(static_cast<double>(state.total - state.done) / state.rate) + " left";
  }
  if (!state.note.empty()) head += ", " + state.note;
  if (width > 0 && head.size() > static_cast<std::size_t>(width))
    head.resize(static_cast<std::size_t>(width));
  return head;
}

}  // namespace detail

Progress::Progress(std::string label, std::int64_t total, std::string unit)
    : label_(std::move(label)), unit_(std::move(unit)), total_(total), start_(Clock::now()) {
  terminal_ = draws_bars();
}

Progress::~Progress() {
  if (line_open_) std::fputc('\n', stderr);
}

void Progress::update(std::int64_t done, const std::string& note) {
  if (finished_) return;
  const auto now = Clock::now();
  done_ = done;
  note_ = note;
  if (!started_) {
    first_done_ = done;
    first_time_ = now;
  } else if (now - shown_ <
             (terminal_ ? Clock::duration(redraw_interval) : Clock::duration(plain_interval))) {
    return;
  }
  started_ = true;
  show(now, false);
}

void Progress::finish(const std::string& note) {
  if (finished_) return;
  finished_ = true;
  if (!note.empty()) note_ = note;
  show(Clock::now(), true);
}

void Progress::show(Clock::time_point now, bool last) {
  detail::ProgressState state{label_, unit_, note_, done_, total_, 0, seconds(now - start_), last};
  const double since_first = seconds(now - first_time_);
  if (started_ && done_ > first_done_ && since_first > 0) {
    state.rate = static_cast<double>(done_ - first_done_) / since_first;
  }
  // One column stays free, otherwise some terminals wrap the line.
  const std::string line = detail::progress_line(state, terminal_ ? terminal_width() - 1 : 0);
  if (terminal_) {
    std::fprintf(stderr, "\r\x1b[K%s%s", line.c_str(), last ? "\n" : "");
    line_open_ = !last;
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
  std::fflush(stderr);
  shown_ = now;
}

}  // namespace dermis
