#pragma once
/// \file
/// Threads that compute one thing together.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace dermis::edge {

/// A fixed number of threads, the caller's among them. Between runs they sleep; at a barrier, which
/// lasts microseconds, they spin and then yield. Work is handed out in small parts as threads ask
/// for them: a phone's cores differ, and other programs run too.
class Team {
 public:
  explicit Team(int size);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls body(thread) on every thread, the caller's being 0; returns when all have. `body` must
  /// not throw. Allocates nothing.
  template <class Body>
  void run(const Body& body) {
    start([](const void* context, int thread) { (*static_cast<const Body*>(context))(thread); },
          &body);
    body(0);
    wait();
  }

  /// Within run(): returns when all threads have come here.
  void barrier();

  /// Within run(), by all threads: work(begin, end) for parts that together are 0 to `count` - 1.
  /// Then a barrier.
  template <class Work>
  void share(std::int64_t count, const Work& work) {
    const std::int64_t part = size() == 1 ? count : (count + 8 * size() - 1) / (8 * size());
    for (std::int64_t begin = next_.fetch_add(part, std::memory_order_relaxed); begin < count;
         begin = next_.fetch_add(part, std::memory_order_relaxed))
      work(begin, begin + part < count ? begin + part : count);
    barrier();
  }

 private:
  using Function = void (*)(const void*, int);
  void start(Function function, const void* context);
  void wait();
  void work(int thread);

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Function function_ = nullptr;  // guarded by mutex_, as the rest to the next blank line
  const void* context_ = nullptr;
  std::uint64_t round_ = 0;
  int running_ = 0;
  bool stopping_ = false;

  std::atomic<std::int64_t> next_{0};  // of share(); a barrier sets it back
  std::atomic<int> arrived_{0};
  std::atomic<unsigned> phase_{0};
};

}  // namespace dermis::edge
