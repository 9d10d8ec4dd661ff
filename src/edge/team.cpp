#include "team.hpp"

namespace dermis::edge {
namespace {

constexpr int pauses = 2000;  // some ten microseconds
constexpr int yields = 50;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

Team::Team(int size) {
  for (int thread = 1; thread < size; ++thread)
    workers_.emplace_back([this, thread] { work(thread); });
}

Team::~Team() {
  stopping_ = true;
  { const std::lock_guard<std::mutex> lock(mutex_); }
  woken_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

/// Does the next part of the current round, if there is one. That the exchange succeeds says that
/// no other round has begun since `next` was read, so that what was read of the round is its own.
bool Team::take(int thread) {
  std::uint64_t next = next_.load(std::memory_order_acquire);
  while (true) {
    const Round& round = rounds_[next >> 32 & 1];
    const auto function = round.function.load(std::memory_order_relaxed);
    const void* context = round.context.load(std::memory_order_relaxed);
    const auto part = static_cast<std::uint32_t>(next);
    if (part >= round.parts.load(std::memory_order_relaxed)) return false;
    if (next_.compare_exchange_weak(next, next + 1, std::memory_order_acq_rel,
                                    std::memory_order_acquire)) {
      function(context, thread, part);
      done_.fetch_add(1, std::memory_order_release);
      return true;
    }
  }
}

void Team::run(Function function, const void* context, std::uint32_t parts) {
  const std::uint64_t round = (next_.load(std::memory_order_relaxed) >> 32) + 1;
  Round& slot = rounds_[round & 1];
  slot.function.store(function, std::memory_order_relaxed);
  slot.context.store(context, std::memory_order_relaxed);
  slot.parts.store(parts, std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  next_.store(round << 32);
  if (sleeping_.load() > 0) {
    { const std::lock_guard<std::mutex> lock(mutex_); }
    woken_.notify_all();
  }
  while (take(0)) {
  }
  for (int spin = 0; done_.load(std::memory_order_acquire) != parts; ++spin)
    spin < pauses ? relax() : std::this_thread::yield();
}

void Team::work(int thread) {
  while (!stopping_) {
    const std::uint64_t seen = next_.load(std::memory_order_acquire) >> 32;
    while (take(thread)) {
    }
    int spin = 0;
    for (; spin < pauses + yields && next_.load(std::memory_order_acquire) >> 32 == seen; ++spin)
      spin < pauses ? relax() : std::this_thread::yield();
    if (spin == pauses + yields) sleep(seen);
  }
}

/// Until a round after `seen` begins. The caller looks for sleepers after it has begun one, and we
/// for a new round after we have said that we sleep: one of the two sees the other.
void Team::sleep(std::uint64_t seen) {
  std::unique_lock<std::mutex> lock(mutex_);
  ++sleeping_;
  woken_.wait(lock, [&] { return stopping_ || next_.load() >> 32 != seen; });
  --sleeping_;
}

}  // namespace dermis::edge
