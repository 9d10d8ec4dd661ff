#pragma once
/// \file
/// Threads that compute one thing together.

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace dermis::edge {

/// A fixed number of threads, the caller's among them, for one caller at a time. Work is handed out
/// in small parts to whoever asks: a phone's cores differ, and where other programs hold the cores,
/// the caller does all of it rather than wait for a thread that does not run. Between calls the
/// others spin for some microseconds, since the next call is near, and then sleep.
class Team {
 public:
  explicit Team(int size);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  /// work(thread, begin, end) for parts that together are 0 to `count` - 1; returns when all are
  /// done. `work` must not throw. Allocates nothing.
  template <class Work>
  void share(std::int64_t count, const Work& work) {
    if (workers_.empty() || count < 2) return work(0, std::int64_t{0}, count);
    const std::int64_t wanted = parts_per_thread * size(), most = count < wanted ? count : wanted;
    struct Context {
      const Work& work;
      std::int64_t count, parts;
    } const context{work, count, most};
    run(
        [](const void* pointer, int thread, std::int64_t part) {
          const auto& c = *static_cast<const Context*>(pointer);
          c.work(thread, c.count * part / c.parts, c.count * (part + 1) / c.parts);
        },
        &context, static_cast<std::uint32_t>(most));
  }

 private:
  static constexpr std::int64_t parts_per_thread = 12;
  using Function = void (*)(const void* context, int thread, std::int64_t part);

  /// A round of parts. Threads may read one while it is replaced, hence the atomics; take() tells.
  struct Round {
    std::atomic<Function> function{nullptr};
    std::atomic<const void*> context{nullptr};
    std::atomic<std::uint32_t> parts{0};
  };

  void run(Function function, const void* context, std::uint32_t parts);
  bool take(int thread);
  void work(int thread);
  void sleep(std::uint64_t seen);

  std::array<Round, 2> rounds_;         // even and odd ones
  std::atomic<std::uint64_t> next_{0};  // round << 32 | its next part
  std::atomic<std::uint32_t> done_{0};  // parts of the round
  std::atomic<int> sleeping_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable woken_;
  std::vector<std::thread> workers_;
};

}  // namespace dermis::edge
