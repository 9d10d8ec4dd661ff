#pragma once
/// \file
/// Which library multiplies matrices on the processor.

namespace dermis {

/// Lets LibTorch multiply float32 matrices by oneDNN instead of MKL where that is faster at the
/// same precision: on processors with AVX-512 but without AMX. (On AMD's, MKL keeps to AVX2: 105
/// against 250 GFLOP/s a core on a Zen 5 EPYC. With AMX oneDNN would round to bfloat16, so there
/// nothing is changed.) This is a switch of LibTorch for the whole process: call it once, at the
/// start of main, as the programs do. Results differ from MKL's by rounding.
/// \return whether products go to oneDNN now
bool prefer_onednn_matmul();

}  // namespace dermis
