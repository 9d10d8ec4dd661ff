#pragma once
/// \file
/// Ctrl-C as a request: the loop finishes the step in hand, saves, and leaves with exit code 130.

#include <csignal>

namespace dermis {

/// While it lives, the first SIGINT or SIGTERM only sets a flag; a second one has the default
/// action (the process ends). The handlers found at construction come back at destruction. Guards
/// nest. Programs install one; the library only asks `InterruptGuard::requested()` and throws
/// `Interrupted` after saving.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  /// Whether a stop was requested since the last `clear`. Callable from every thread and from
  /// signal handlers.
  static bool requested() noexcept;
  /// Forgets a request.
  static void clear() noexcept;

 private:
  struct sigaction old_interrupt_ {};
  struct sigaction old_terminate_ {};
};

}  // namespace dermis
