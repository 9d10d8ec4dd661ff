#pragma once
/// \file
/// State dicts compared and damaged.

#include "dermis/io/tensors.hpp"
#include "support.hpp"

namespace dermis::test {

/// The same names with the same values, bit for bit, in any order.
inline void check_same(const StateDict& a, const StateDict& b) {
  const std::map<std::string, at::Tensor> by_name(b.begin(), b.end());
  CHECK(a.size() == by_name.size());
  for (const auto& [name, tensor] : a) {
    INFO(name);
    const auto found = by_name.find(name);
    REQUIRE(found != by_name.end());
    CHECK(found->second.dtype() == tensor.dtype());
    CHECK(at::equal(found->second, tensor));
  }
}

inline StateDict values_of(const torch::nn::Module& module) {
  StateDict result;
  for (const auto& [name, tensor] : state_dict(module))
    result.emplace_back(name, tensor.detach().clone());
  return result;
}

}  // namespace dermis::test
