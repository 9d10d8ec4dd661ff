#pragma once
/// \file
/// Weights [out, in] as the kernels take them: columns of W^T in panels, a panel's columns side by
/// side for each row (fp32) or each four rows (int8), so that a tile reads them in one stream.

#include <cstddef>
#include <cstdint>

#include "kernels.hpp"

namespace dermis::edge {

/// Sizes of padded weights, in elements: a last panel may be narrower, and is stored whole.
constexpr std::int64_t packed_size(std::int64_t in, std::int64_t out, std::int64_t panel) {
  return in * ((out + panel - 1) / panel * panel);
}

/// `to` [packed_size] from weights [out, in], zeros where there are none.
/// \param weight  weight(o, i) for padded o and i
template <class Weight>
void pack_weights(float* to, std::int64_t in, std::int64_t out, std::int64_t panel,
                  const Weight& weight) {
  for (std::int64_t first = 0; first < out; first += panel)
    for (std::int64_t i = 0; i < in; ++i)
      for (std::int64_t o = first; o < first + panel; ++o) *to++ = o < out ? weight(o, i) : 0.0f;
}
template <class Weight>
void pack_bytes(std::int8_t* to, std::int64_t in, std::int64_t out, std::int64_t panel,
                const Weight& weight) {
  for (std::int64_t first = 0; first < out; first += panel)
    for (std::int64_t i = 0; i < in; i += 4)
      for (std::int64_t o = first; o < first + panel; ++o)
        for (std::int64_t j = i; j < i + 4; ++j)
          *to++ = o < out ? weight(o, j) : static_cast<std::int8_t>(0);
}

}  // namespace dermis::edge
