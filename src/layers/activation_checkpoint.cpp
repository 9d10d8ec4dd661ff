#include "dermis/layers/activation_checkpoint.hpp"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include "dermis/core/check.hpp"
#include "dermis/layers/autocast.hpp"

namespace dermis {

namespace {

/// What is computed twice, and the state that both times must start from.
struct Recomputation : torch::CustomClassHolder {
  std::function<at::Tensor(const at::Tensor&)> body;
  std::optional<at::Generator> generator;
  at::Tensor generator_state;
  at::DeviceType device = at::kCPU;
  bool autocast = false;
  at::ScalarType autocast_dtype = at::kBFloat16;
};

struct CheckpointFunction : torch::autograd::Function<CheckpointFunction> {
  /// `anchor` requires a gradient, so that parameters inside `body` get theirs even where `x` does
  /// not.
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& /*anchor*/,
                            const c10::intrusive_ptr<Recomputation>& recomputation) {
    context->save_for_backward({x});
    context->saved_data["recomputation"] = c10::IValue::make_capsule(recomputation);
    return recomputation->body(x);  // apply() runs this without recording
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto capsule = context->saved_data["recomputation"].toCapsule();
    auto& r = *static_cast<Recomputation*>(capsule.get());
    const auto x = saved[0].detach().requires_grad_(saved[0].requires_grad());
    at::Tensor later_state;
    if (r.generator) {
      later_state = r.generator->get_state();
      r.generator->set_state(r.generator_state);
    }
    at::Tensor y;
    {
      const at::AutoGradMode recording(true);
      const Autocast autocast(r.autocast, r.device, r.autocast_dtype);
      y = r.body(x);
    }
    if (r.generator) r.generator->set_state(later_state);
    torch::autograd::backward({y}, {gradients[0]});
    return {x.grad(), {}, {}};
  }
};

}  // namespace

at::Tensor checkpoint_activations(std::function<at::Tensor(const at::Tensor&)> body,
                                  const at::Tensor& x,
                                  const std::optional<at::Generator>& generator) {
  check_argument(static_cast<bool>(body), "[checkpoint] expected a function, got none");
  if (!at::GradMode::is_enabled()) return body(x);
  const auto recomputation = c10::make_intrusive<Recomputation>();
  recomputation->body = std::move(body);
  recomputation->generator = generator;
  if (generator) recomputation->generator_state = generator->get_state();
  recomputation->device = x.device().type();
  recomputation->autocast = at::autocast::is_autocast_enabled(recomputation->device);
  recomputation->autocast_dtype = at::autocast::get_autocast_dtype(recomputation->device);
  const auto anchor = torch::zeros({}, torch::kFloat).requires_grad_();
  return CheckpointFunction::apply(x, anchor, recomputation);
}

}  // namespace dermis
