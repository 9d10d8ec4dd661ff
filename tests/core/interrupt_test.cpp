#include "dermis/core/interrupt.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace dermis {
namespace {

using Handler = void (*)(int);

Handler handler_of(int number) {
  struct sigaction action {};
  ::sigaction(number, nullptr, &action);
  return action.sa_handler;
}

/// The signal that ended a child process that ran `action`; 0 if it reached the end.
template <class Action>
int signal_that_ended(Action&& action) {
  const pid_t child = ::fork();
  if (child == 0) {
    action();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST_CASE("interrupt: the first signal is a request, clear forgets it") {
  const InterruptGuard guard;
  InterruptGuard::clear();
  CHECK_FALSE(InterruptGuard::requested());
  for (const int number : {SIGINT, SIGTERM}) {
    ::raise(number);
    CHECK(InterruptGuard::requested());
    InterruptGuard::clear();
    CHECK_FALSE(InterruptGuard::requested());
  }
}

TEST_CASE("interrupt: handlers come back, guards nest") {
  const Handler interrupt = handler_of(SIGINT), terminate = handler_of(SIGTERM);
  {
    const InterruptGuard outer;
    const Handler ours = handler_of(SIGINT);
    CHECK(ours != interrupt);
    { const InterruptGuard inner; }
    CHECK(handler_of(SIGINT) == ours);
    CHECK(handler_of(SIGTERM) == ours);
  }
  CHECK(handler_of(SIGINT) == interrupt);
  CHECK(handler_of(SIGTERM) == terminate);
}

TEST_CASE("interrupt: the second signal ends the process") {
  const auto twice = [](int first, int second) {
    return signal_that_ended([&] {
      const InterruptGuard guard;
      InterruptGuard::clear();
      ::raise(first);
      ::raise(second);
    });
  };
  CHECK(twice(SIGINT, SIGINT) == SIGINT);
  CHECK(twice(SIGINT, SIGTERM) == SIGTERM);
  CHECK(signal_that_ended([] {
          const InterruptGuard guard;
          InterruptGuard::clear();
          ::raise(SIGINT);
        }) == 0);
}

}  // namespace
}  // namespace dermis
