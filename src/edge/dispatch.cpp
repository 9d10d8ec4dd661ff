#include "kernels.hpp"

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#if defined(__APPLE__) && defined(__aarch64__)
#include <sys/sysctl.h>
#endif

namespace dermis::edge {

extern const Kernels portable_kernels;
#if defined(__x86_64__)
extern const Kernels avx2_kernels, avx512_kernels;
#elif defined(__aarch64__)
extern const Kernels neon_kernels, dotprod_kernels;
#endif

namespace {

#if defined(__x86_64__)
void add_native(std::vector<const Kernels*>& found) {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni"))
    found.push_back(&avx512_kernels);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    found.push_back(&avx2_kernels);
}
#elif defined(__aarch64__)
bool has_dotprod() {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#elif defined(__APPLE__)
  int value = 0;
  std::size_t size = sizeof value;
  return sysctlbyname("hw.optional.arm.FEAT_DotProd", &value, &size, nullptr, 0) == 0 && value;
#else
  return false;
#endif
}
void add_native(std::vector<const Kernels*>& found) {
  if (has_dotprod()) found.push_back(&dotprod_kernels);
  found.push_back(&neon_kernels);
}
#else
void add_native(std::vector<const Kernels*>&) {}
#endif

}  // namespace

const std::vector<const Kernels*>& supported_kernels() {
  static const std::vector<const Kernels*> kernels = [] {
    std::vector<const Kernels*> found;
    add_native(found);
    found.push_back(&portable_kernels);
    return found;
  }();
  return kernels;
}

}  // namespace dermis::edge
