#include "dermis/core/freed_memory.hpp"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <vector>

using namespace dermis;

namespace {

/// Pages that the system had to hand out while steps allocated, filled and freed 40 MiB.
long page_faults_of_steps(int steps) {
  const auto faults = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
  };
  const long before = faults();
  for (int step = 0; step < steps; ++step)
    std::vector<std::vector<char>> blocks(5, std::vector<char>(8 << 20, 'x'));
  return faults() - before;
}

}  // namespace

TEST_CASE("freed memory: what one step frees is there for the next one") {
  if (!keep_freed_memory()) {
    WARN("not glibc: no memory is kept, nothing to test");
    return;
  }
  page_faults_of_steps(1);
  CHECK(page_faults_of_steps(20) < 20 * (40 << 20) / 4096 / 10);
}
