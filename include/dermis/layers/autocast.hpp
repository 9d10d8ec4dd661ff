#pragma once
/// \file
/// Mixed precision: autocast as a scope.

#include <ATen/autocast_mode.h>

namespace dermis {

/// Within its scope matrix products and convolutions run in `dtype` (bfloat16: the range of
/// float32, so no loss scaling); weights, gradients and the optimizer stay float32. Whatever was
/// set before is restored exactly, exceptions included. `enabled` false switches autocast off for
/// the scope. Close the scope before weights change: it caches cast weights.
///
///     { Autocast autocast(options.bf16); loss = model->forward(images); }
///     loss.backward();
class Autocast {
 public:
  explicit Autocast(bool enabled, at::DeviceType device = at::kCPU,
                    at::ScalarType dtype = at::kBFloat16)
      : device_(device),
        was_enabled_(at::autocast::is_autocast_enabled(device)),
        was_dtype_(at::autocast::get_autocast_dtype(device)) {
    at::autocast::set_autocast_enabled(device_, enabled);
    at::autocast::set_autocast_dtype(device_, dtype);
    at::autocast::increment_nesting();
  }
  ~Autocast() {
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, was_enabled_);
    at::autocast::set_autocast_dtype(device_, was_dtype_);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  at::DeviceType device_;
  bool was_enabled_;
  at::ScalarType was_dtype_;
};

}  // namespace dermis
