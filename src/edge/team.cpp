#include "team.hpp"

namespace dermis::edge {
namespace {

constexpr int spins = 4000;  // some ten microseconds

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
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Team::start(Function function, const void* context) {
  if (workers_.empty()) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    function_ = function;
    context_ = context;
    running_ = static_cast<int>(workers_.size());
    ++round_;
  }
  changed_.notify_all();
}

void Team::wait() {
  if (workers_.empty()) return;
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return running_ == 0; });
}

void Team::work(int thread) {
  std::uint64_t seen = 0;
  while (true) {
    Function function = nullptr;
    const void* context = nullptr;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || round_ != seen; });
      if (stopping_) return;
      seen = round_;
      function = function_;
      context = context_;
    }
    function(context, thread);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--running_ == 0) changed_.notify_all();
  }
}

void Team::barrier() {
  if (workers_.empty()) {
    next_.store(0, std::memory_order_relaxed);
    return;
  }
  const unsigned phase = phase_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size()) {
    arrived_.store(0, std::memory_order_relaxed);
    next_.store(0, std::memory_order_relaxed);
    phase_.store(phase + 1, std::memory_order_release);
    return;
  }
  for (int spin = 0; phase_.load(std::memory_order_acquire) == phase; ++spin) {
    if (spin < spins)
      relax();
    else
      std::this_thread::yield();
  }
}

}  // namespace dermis::edge
