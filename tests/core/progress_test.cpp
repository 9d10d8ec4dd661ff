#include "dermis/core/progress.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "dermis/core/file.hpp"
#include "support.hpp"

namespace dermis {
namespace {

using test::mentions;

/// stderr goes to the descriptor while it lives.
class Redirected {
 public:
  explicit Redirected(int descriptor) : saved_(::dup(STDERR_FILENO)) {
    std::fflush(stderr);
    ::dup2(descriptor, STDERR_FILENO);
  }
  ~Redirected() {
    std::fflush(stderr);
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
  }

 private:
  int saved_;
};

/// What `action` writes to stderr when that is a file.
template <class Action>
std::string logged(Action&& action) {
  const test::ScratchFolder folder;
  const int descriptor = ::open((folder / "log").c_str(), O_WRONLY | O_CREAT, 0600);
  {
    const Redirected redirected(descriptor);
    action();
  }
  ::close(descriptor);
  return read_file(folder / "log");
}

TEST_CASE("progress: durations in words") {
  using detail::duration_text;
  CHECK(duration_text(0.4) == "0s");
  CHECK(duration_text(59.4) == "59s");
  CHECK(duration_text(59.6) == "1m00s");
  CHECK(duration_text(247) == "4m07s");
  CHECK(duration_text(7500) == "2h05m");
  CHECK(duration_text(273600) == "3d04h");
  CHECK(duration_text(-1) == "0s");
}

TEST_CASE("progress: the line says share, count, rate, remaining time and note") {
  detail::ProgressState state{"pretrain", "step", "loss 0.5", 250, 1000, 12.5, 20, false};
  CHECK(detail::progress_line(state, 0) ==
        "pretrain 25% 250/1000 step, 12.5 step/s, 1m00s left, loss 0.5");
  CHECK(detail::progress_line(state, 100) ==
        "pretrain [#####...............] 25% 250/1000 step, 12.5 step/s, 1m00s left, loss 0.5");
  CHECK(detail::progress_line(state, 30).size() == 30);
  state.rate = 0.25;
  CHECK(mentions(detail::progress_line(state, 0), {"4.0 s/step", "50m00s left"}));
  state.last = true;
  CHECK(mentions(detail::progress_line(state, 0), {"took 20s"}));
  state.last = false;
  state.rate = 0;
  CHECK(detail::progress_line(state, 0) == "pretrain 25% 250/1000 step, loss 0.5");
  state.total = 0;
  CHECK(detail::progress_line(state, 0) == "pretrain 250 step, loss 0.5");
}

TEST_CASE("progress: a log gets the first and the last line only of a short loop") {
  const std::string log = logged([] {
    Progress progress("count", 1000, "image");
    for (int i = 1; i <= 1000; ++i) progress.update(i, "note " + std::to_string(i));
    progress.finish();
    progress.finish();
    progress.update(3);
  });
  CHECK(std::count(log.begin(), log.end(), '\n') == 2);
  CHECK(mentions(log, {"count 0% 1/1000 image, note 1\n", "count 100% 1000/1000 image, ", "took ",
                       "note 1000\n"}));
  CHECK(log.find_first_of("\r\x1b") == std::string::npos);
}

TEST_CASE("progress: the rate counts from where a resumed run starts") {
  const std::string log = logged([] {
    Progress progress("resumed", 1000000, "step");
    progress.update(900000);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    progress.update(900001);
    progress.finish();
  });
  // One step in at least 0.2 s is below 5 a second; counting from 0 would be millions.
  const std::size_t at = log.find("900001/1000000 step, ");
  REQUIRE(at != std::string::npos);
  const double rate = std::strtod(log.c_str() + at + 21, nullptr);
  CHECK(rate > 0);
  CHECK(rate <= 5.01);
}

/// What `action` writes to stderr when that is a terminal of 80 columns.
template <class Action>
std::string shown(Action&& action) {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE(terminal >= 0);
  REQUIRE(::grantpt(terminal) == 0);
  REQUIRE(::unlockpt(terminal) == 0);
  const int side = ::open(::ptsname(terminal), O_RDWR | O_NOCTTY);
  REQUIRE(side >= 0);
  {
    const Redirected redirected(side);
    action();
  }
  ::close(side);
  // The kernel hands over in pieces, and says that all is read by an error (Linux) or 0.
  std::string written;
  char piece[4096];
  for (ssize_t got; (got = ::read(terminal, piece, sizeof piece)) > 0;)
    written.append(piece, static_cast<std::size_t>(got));
  ::close(terminal);
  return written;
}

/// A variable of the environment has `value` (null: is unset) while it lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) {
      was_set_ = true;
      old_ = old;
    }
    value ? ::setenv(name, value, 1) : ::unsetenv(name);
  }
  ~Variable() { was_set_ ? ::setenv(name_, old_.c_str(), 1) : ::unsetenv(name_); }

 private:
  const char* name_;
  bool was_set_ = false;
  std::string old_;
};

void two_updates() {
  Progress progress("bar", 10);
  progress.update(5, "with a note that takes more room than narrow terminals have");
  progress.update(6);  // too soon to be drawn
}

TEST_CASE("progress: a terminal gets a bar that is redrawn, and its line is ended") {
  const Variable term("TERM", "xterm"), columns("COLUMNS", nullptr);
  CHECK(shown(two_updates) ==
        "\r\x1b[Kbar [##########..........] 50% 5/10 it, "
        "with a note that takes more room than n\r\n");
}

TEST_CASE("progress: COLUMNS is the width, if it is a number above 0") {
  const Variable term("TERM", "xterm");
  {
    const Variable columns("COLUMNS", "30");  // too narrow for a bar; the last column stays free
    CHECK(shown(two_updates) == "\r\x1b[Kbar 50% 5/10 it, with a note \r\n");
  }
  for (const char* other : {"", "0", "-5", "80x", "wide"}) {
    const Variable columns("COLUMNS", other);
    INFO(other);
    CHECK(shown(two_updates).size() == 4 + 79 + 2);
  }
}

TEST_CASE("progress: no colours, and no control characters where the terminal is dumb") {
  const Variable columns("COLUMNS", nullptr);
  {
    const Variable term("TERM", "xterm-256color");
    std::string bar = shown(two_updates);
    CHECK(bar.find("\x1b[K") == 1);
    bar.erase(1, 3);
    CHECK(bar.find('\x1b') == std::string::npos);  // with and without NO_COLOR
  }
  const Variable term("TERM", "dumb");
  CHECK(shown(two_updates) ==
        "bar 50% 5/10 it, with a note that takes more room than narrow terminals have\r\n");
}

}  // namespace
}  // namespace dermis
