#include "dermis/core/interrupt.hpp"

namespace dermis {
namespace {

// sig_atomic_t is what a handler may touch; the loop reads it between steps, no other data hangs on
// it.
volatile std::sig_atomic_t stop_requested = 0;

void on_signal(int number) {
  if (stop_requested !=
      0) {  // asked twice: the default action, delivered when this handler returns
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    sigaction(number, &standard, nullptr);
    raise(number);
    return;
  }
  stop_requested = 1;
}

}  // namespace

InterruptGuard::InterruptGuard() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // a write in progress goes on
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &old_interrupt_);
  sigaction(SIGTERM, &action, &old_terminate_);
}

InterruptGuard::~InterruptGuard() {
  sigaction(SIGINT, &old_interrupt_, nullptr);
  sigaction(SIGTERM, &old_terminate_, nullptr);
}

bool InterruptGuard::requested() noexcept {
  return stop_requested != 0;
}

void InterruptGuard::clear() noexcept {
  stop_requested = 0;
}

}  // namespace dermis
