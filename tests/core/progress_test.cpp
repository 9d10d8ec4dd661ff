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

TEST_CASE("progress: a terminal gets a bar that is redrawn, and its line is ended") {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE(terminal >= 0);
  REQUIRE(::grantpt(terminal) == 0);
  REQUIRE(::unlockpt(terminal) == 0);
  const int side = ::open(::ptsname(terminal), O_RDWR | O_NOCTTY);
  REQUIRE(side >= 0);
  std::string shown(4096, '\0');
  {
    const Redirected redirected(side);
    Progress progress("bar", 10);
    progress.update(5);
    progress.update(6);  // too soon to be drawn
  }
  shown.resize(
      static_cast<std::size_t>(std::max<ssize_t>(::read(terminal, &shown[0], shown.size()), 0)));
  ::close(side);
  ::close(terminal);
  CHECK(shown == "\r\x1b[Kbar [##########..........] 50% 5/10 it\r\n");
}

}  // namespace
}  // namespace dermis
