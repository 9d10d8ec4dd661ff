#include "dermis/train/ema.hpp"

#include <ATen/ops/_foreach_copy.h>
#include <ATen/ops/_foreach_lerp.h>

#include <algorithm>
#include <unordered_map>

#include "dermis/core/check.hpp"

namespace dermis {
namespace {

/// The module's tensors of these names, in their order.
std::vector<at::Tensor> tensors_of(const torch::nn::Module& module, const StateDict& held) {
  std::unordered_map<std::string, at::Tensor> all;
  for (auto& [name, tensor] : state_dict(module)) all.emplace(name, tensor);
  std::vector<at::Tensor> result;
  for (const auto& [name, tensor] : held) {
    const auto match = all.find(name);
    check_argument(match != all.end() && match->second.sizes() == tensor.sizes(),
                   "[ema] expected a module with '", name, "' of shape ", tensor.sizes());
    result.push_back(match->second);
  }
  return result;
}

std::vector<at::Tensor> values_of(const StateDict& held) {
  std::vector<at::Tensor> result;
  for (const auto& [name, tensor] : held) result.push_back(tensor);
  return result;
}

void copy(std::vector<at::Tensor> targets, const std::vector<at::Tensor>& values) {
  for (std::size_t i = 0; i < targets.size(); ++i) targets[i].copy_(values[i]);
}

}  // namespace

EMA::EMA(const torch::nn::Module& module, double decay)
    : updates_(at::zeros({}, at::kLong)), decay_(decay) {
  check_argument(decay >= 0 && decay < 1, "[ema] expected decay in [0, 1), got ", decay);
  for (const auto& item : module.named_parameters()) {
    if (item.value().is_floating_point() && item.value().requires_grad()) {
      averages_.emplace_back(item.key(), item.value().detach().clone());
    }
  }
  for (const auto& item : module.named_buffers()) {
    buffers_.emplace_back(item.key(), item.value().detach().clone());
  }
}

void EMA::update(const torch::nn::Module& module) {
  const double n = updates_.item<double>() + 1;
  update(module, std::min(decay_, (1 + n) / (10 + n)));
}

void EMA::update(const torch::nn::Module& module, double decay) {
  check_argument(decay >= 0 && decay <= 1, "[ema] expected decay in [0, 1], got ", decay);
  const torch::NoGradGuard no_grad;
  const std::vector<at::Tensor> parameters = tensors_of(module, averages_);
  const std::vector<at::Tensor> buffers = tensors_of(module, buffers_);
  updates_ += 1;
  if (!averages_.empty()) at::_foreach_lerp_(values_of(averages_), parameters, 1 - decay);
  copy(values_of(buffers_), buffers);
}

void EMA::copy_to(torch::nn::Module& module) const {
  const torch::NoGradGuard no_grad;
  const std::vector<at::Tensor> parameters = tensors_of(module, averages_);
  const std::vector<at::Tensor> buffers = tensors_of(module, buffers_);
  copy(parameters, values_of(averages_));
  copy(buffers, values_of(buffers_));
}

void EMA::swap(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (StateDict* held : {&averages_, &buffers_}) {
    std::vector<at::Tensor> present = tensors_of(module, *held);
    for (std::size_t i = 0; i < present.size(); ++i) {
      const at::Tensor kept = present[i].clone();
      present[i].copy_((*held)[i].second);
      (*held)[i].second.copy_(kept);
    }
  }
}

StateDict EMA::state() const {
  StateDict result;
  append(result, averages_, "average.");
  append(result, buffers_, "buffer.");
  result.emplace_back("updates", updates_);
  return result;
}

void EMA::load(const StateDict& state, const std::string& source) {
  copy_tensors(this->state(), state, source);
}

}  // namespace dermis
