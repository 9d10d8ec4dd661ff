#include "dermis/layers/matmul.hpp"

#include <ATen/Context.h>
#include <ATen/cpu/Utils.h>
#include <torch/version.h>

namespace dermis {

bool prefer_onednn_matmul() {
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 9  // before, the switch reached CUDA too
  const auto processor = at::cpu::get_cpu_capabilities();
  const auto has = [&](const char* feature) {
    const auto found = processor.find(feature);
    return found != processor.end() && found->second.isBool() && found->second.toBool();
  };
  if (!at::hasMKLDNN() || !has("avx512_f") || !has("avx512_bw") || has("amx_tile") ||
      has("avx10_2"))
    return false;
  at::globalContext().setFloat32Precision(at::Float32Backend::MKLDNN, at::Float32Op::MATMUL,
                                          at::Float32Precision::BF16);
  return true;
#else
  return false;
#endif
}

}  // namespace dermis
