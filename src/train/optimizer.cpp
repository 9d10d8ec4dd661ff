#include "dermis/train/optimizer.hpp"

#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>

#include <cmath>
#include <map>
#include <set>
#include <unordered_set>

#include "dermis/core/check.hpp"

namespace dermis {
namespace {

/// The parameters to train, each tensor once.
StateDict trainable(const torch::nn::Module& module) {
  StateDict result;
  std::unordered_set<const at::TensorImpl*> seen;
  for (const auto& item : module.named_parameters()) {
    if (item.value().requires_grad() && seen.insert(item.value().unsafeGetTensorImpl()).second) {
      result.emplace_back(item.key(), item.value());
    }
  }
  return result;
}

void add(ParameterGroup& group, const std::string& name, const at::Tensor& parameter) {
  group.names.push_back(name);
  group.parameters.push_back(parameter);
}

bool starts_with(const std::string& name, const std::string& prefix) {
  return name.compare(0, prefix.size(), prefix) == 0;
}

}  // namespace

NoDecay no_decay_of(std::vector<std::string> listed) {
  return [listed = std::set<std::string>(listed.begin(), listed.end())](
             const std::string& name, const at::Tensor& parameter) {
    return parameter.dim() <= 1 || listed.count(name.substr(name.rfind('.') + 1)) > 0;
  };
}

std::vector<ParameterGroup> parameter_groups(const torch::nn::Module& module,
                                             const GroupOptions& options) {
  ParameterGroup decayed{.weight_decay = options.weight_decay}, free;
  for (const auto& [name, parameter] : trainable(module)) {
    add(options.no_decay(name, parameter) ? free : decayed, name, parameter);
  }
  std::vector<ParameterGroup> groups;
  if (!decayed.parameters.empty()) groups.push_back(std::move(decayed));
  if (!free.parameters.empty()) groups.push_back(std::move(free));
  return groups;
}

std::int64_t vit_layer(const std::string& name, std::int64_t depth, LayerRule rule) {
  if (name == "cls_token" || name == "pos_embed" || starts_with(name, "patch_embed.")) return 0;
  if (rule == LayerRule::Timm && starts_with(name, "norm.")) return depth;
  if (!starts_with(name, "blocks.")) return depth + 1;
  const std::int64_t block = std::stoll(name.substr(7));
  check_argument(block < depth, "[layer decay] expected blocks below depth ", depth, ", got '",
                 name, "'");
  return block + 1;
}

std::vector<ParameterGroup> layer_decay_groups(const torch::nn::Module& module, double weight_decay,
                                               double decay, std::int64_t depth, LayerRule rule) {
  check_argument(decay > 0 && decay <= 1, "[layer decay] expected decay in (0, 1], got ", decay);
  const NoDecay no_decay = no_decay_of({"cls_token", "pos_embed"});
  std::map<std::pair<std::int64_t, bool>, ParameterGroup> groups;  // by layer, decayed first
  for (const auto& [name, parameter] : trainable(module)) {
    const std::int64_t layer = vit_layer(name, depth, rule);
    const bool free = no_decay(name, parameter);
    ParameterGroup& group = groups[{layer, free}];
    group.learning_rate_scale = std::pow(decay, static_cast<double>(depth + 1 - layer));
    group.weight_decay = free ? 0 : weight_decay;
    add(group, name, parameter);
  }
  std::vector<ParameterGroup> result;
  for (auto& [key, group] : groups) result.push_back(std::move(group));
  return result;
}

AdamW::AdamW(std::vector<ParameterGroup> groups, const AdamWOptions& options)
    : groups_(std::move(groups)), options_(options) {
  check_argument(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1,
                 "[adamw] expected betas in [0, 1), got ", options.beta1, " and ", options.beta2);
  check_argument(options.epsilon > 0, "[adamw] expected epsilon above 0, got ", options.epsilon);
  std::set<std::string> names;
  std::unordered_set<const at::TensorImpl*> tensors;
  for (const ParameterGroup& group : groups_) {
    check_argument(group.names.size() == group.parameters.size(),
                   "[adamw] expected a name for each parameter, got ", group.names.size(),
                   " names and ", group.parameters.size(), " parameters");
    check_argument(group.weight_decay >= 0 && group.learning_rate_scale >= 0,
                   "[adamw] expected weight decay and learning-rate scale of at least 0, got ",
                   group.weight_decay, " and ", group.learning_rate_scale);
    Moments& moments = moments_.emplace_back();
    for (std::size_t i = 0; i < group.parameters.size(); ++i) {
      const at::Tensor& parameter = group.parameters[i];
      check_argument(names.insert(group.names[i]).second &&
                         tensors.insert(parameter.unsafeGetTensorImpl()).second,
                     "[adamw] expected every parameter once, got '", group.names[i], "' twice");
      moments.average.push_back(at::zeros_like(parameter.detach()));
      moments.square.push_back(at::zeros_like(parameter.detach()));
      moments.steps.push_back(at::zeros({}, parameter.options().dtype(at::kFloat)));
    }
  }
  check_argument(!names.empty(), "[adamw] expected at least one parameter to train, got none");
}

std::vector<at::Tensor> AdamW::gradients() const {
  std::vector<at::Tensor> result;
  for (const ParameterGroup& group : groups_) {
    for (const at::Tensor& parameter : group.parameters) {
      if (parameter.grad().defined()) result.push_back(parameter.grad());
    }
  }
  return result;
}

void AdamW::zero_grad() {
  for (ParameterGroup& group : groups_) {
    for (at::Tensor& parameter : group.parameters) parameter.mutable_grad().reset();
  }
}

double AdamW::clip_gradients(double max_norm) {
  const torch::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients = this->gradients();
  if (gradients.empty()) return 0;
  const double norm = at::stack(at::_foreach_norm(gradients)).norm().item<double>();
  if (max_norm > 0 && norm > max_norm && std::isfinite(norm)) {
    at::_foreach_mul_(gradients, max_norm / (norm + 1e-6));  // the epsilon of clip_grad_norm_
  }
  return norm;
}

void AdamW::step(double learning_rate) {
  const torch::NoGradGuard no_grad;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const ParameterGroup& group = groups_[g];
    std::vector<at::Tensor> parameters, gradients, average, square, steps;
    for (std::size_t i = 0; i < group.parameters.size(); ++i) {
      if (!group.parameters[i].grad().defined()) continue;
      parameters.push_back(group.parameters[i]);
      gradients.push_back(group.parameters[i].grad());
      average.push_back(moments_[g].average[i]);
      square.push_back(moments_[g].square[i]);
      steps.push_back(moments_[g].steps[i]);
      steps.back().add_(1);
    }
    if (parameters.empty()) continue;
    at::_fused_adamw_(parameters, gradients, average, square, /*max_exp_avg_sqs=*/{}, steps,
                      learning_rate * group.learning_rate_scale, options_.beta1, options_.beta2,
                      group.weight_decay, options_.epsilon, /*amsgrad=*/false, /*maximize=*/false);
  }
}

StateDict AdamW::state() const {
  StateDict result;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    for (std::size_t i = 0; i < groups_[g].names.size(); ++i) {
      const std::string& name = groups_[g].names[i];
      result.emplace_back("exp_avg." + name, moments_[g].average[i]);
      result.emplace_back("exp_avg_sq." + name, moments_[g].square[i]);
      result.emplace_back("step." + name, moments_[g].steps[i]);
    }
  }
  return result;
}

void AdamW::load(const StateDict& state, const std::string& source) {
  copy_tensors(this->state(), state, source);
}

}  // namespace dermis
