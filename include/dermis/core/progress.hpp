#pragma once
/// \file
/// Progress on stderr: a bar with rate and remaining time on a terminal, sparse plain lines in a
/// log. No colours, so there is nothing for NO_COLOR to switch off.

#include <chrono>
#include <cstdint>
#include <string>

namespace dermis {

/// Shows how far a loop is. On a terminal a bar redrawn at most ten times a second; elsewhere a
/// plain line at the first and the last update and at most every ten seconds between. The rate
/// counts from the first `update`, so that a resumed run reports its own speed. Not thread-safe.
///
/// The environment: COLUMNS, a whole number above 0, is the width instead of the terminal's own; a
/// terminal with TERM=dumb, which cannot erase a line, gets plain lines.
///
///     Progress progress("pretrain", steps, "step");
///     for (std::int64_t step = start; step < steps; ++step) {
///       ...
///       progress.update(step + 1, text("loss ", loss));
///     }
///     progress.finish();
class Progress {
 public:
  /// `total` of 0 or less means unknown: no bar, no remaining time.
  Progress(std::string label, std::int64_t total, std::string unit = "it");
  /// Ends the bar's line if `finish` was not called.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` counts from 0 of the whole work, resumed part included.
  void update(std::int64_t done, const std::string& note = "");
  /// Shows the last state with elapsed time instead of remaining time. Further calls do nothing.
  void finish(const std::string& note = "");

 private:
  using Clock = std::chrono::steady_clock;
  void show(Clock::time_point now, bool last);

  std::string label_, unit_, note_;
  std::int64_t total_ = 0, done_ = 0, first_done_ = 0;
  Clock::time_point start_, first_time_, shown_;
  bool terminal_ = false, started_ = false, finished_ = false, line_open_ = false;
};

namespace detail {

/// What a progress line says. `rate` in units a second, not above 0 if unknown.
struct ProgressState {
  std::string label, unit, note;
  std::int64_t done = 0, total = 0;
  double rate = 0, elapsed_seconds = 0;
  bool last = false;
};

/// "59s", "4m07s", "2h05m", "3d04h".
std::string duration_text(double seconds);
/// One line of at most `width` columns (0: no limit, no bar), without line break.
std::string progress_line(const ProgressState& state, int width);

}  // namespace detail
}  // namespace dermis
