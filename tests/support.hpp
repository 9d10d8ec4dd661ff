#pragma once
/// \file
/// Laws that every module must keep, and small helpers for tests of tensors.

#include <functional>
#include <string>
#include <vector>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>
#include <catch2/catch.hpp>

namespace dermis::test {

/// A generator of its own for a seed: tests do not touch the global one.
inline at::Generator generator(std::uint64_t seed) {
  return at::make_generator<at::CPUGeneratorImpl>(seed);
}

/// N(0, 1) for a seed, fp32.
inline at::Tensor randn(at::IntArrayRef sizes, std::uint64_t seed = 0) {
  return torch::randn(sizes, generator(seed), torch::kFloat);
}

/// Largest absolute difference; infinite when shapes differ or a value is not finite.
inline double difference(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  if (a.numel() == 0) return 0;
  const double d = (a.to(torch::kDouble) - b.to(torch::kDouble)).abs().max().item<double>();
  return std::isfinite(d) ? d : std::numeric_limits<double>::infinity();
}

/// The message of the exception that `action` throws, or "" if it throws none of that type.
template <class Exception = std::invalid_argument, class Action>
std::string message_of(Action&& action) {
  try {
    action();
  } catch (const Exception& error) {
    return error.what();
  }
  return "";
}

/// Exceptions to the laws of check_module.
struct ModuleLaws {
  double tolerance =
      1e-5;  ///< of batch of two = two batches of one, relative to the largest output
  std::vector<std::string> without_gradient = {};  ///< name parts of parameters whose gradient is
                                                   ///< zero for a mathematical reason
};

/// Checks that `module` (a module holder; its parameters are perturbed, so that nothing hides
/// behind a layer that starts at zero):
///   - in evaluation mode answers the same question the same way twice;
///   - has a clone with the same names, values and answer, which then lives on its own;
///   - treats images of a batch independently (inputs have a batch of 2 in their first dimension);
///   - passes a finite, non-zero gradient to every parameter that wants one.
/// `forward` takes the holder and the inputs and gives a tensor with the batch first.
template <class Holder>
void check_module(Holder module,
                  const std::function<at::Tensor(Holder&, const std::vector<at::Tensor>&)>& forward,
                  const std::vector<at::Tensor>& inputs, const ModuleLaws& laws = {}) {
  {
    torch::NoGradGuard no_grad;
    auto perturbation = generator(7);
    for (auto& parameter : module->parameters())
      parameter.add_(0.05 * torch::randn(parameter.sizes(), perturbation, parameter.options()));
  }
  module->eval();
  const auto answer = [&](Holder& m, const std::vector<at::Tensor>& x) {
    torch::NoGradGuard no_grad;
    return forward(m, x);
  };
  const auto out = answer(module, inputs);
  INFO("output " << out.sizes());
  CHECK(torch::isfinite(out).all().template item<bool>());
  CHECK(out.std().template item<double>() > 0);
  CHECK(torch::equal(answer(module, inputs), out));

  Holder copy(std::dynamic_pointer_cast<typename Holder::ContainedType>(module->clone()));
  REQUIRE(copy.ptr() != nullptr);
  const auto names = module->named_parameters(), copied = copy->named_parameters();
  REQUIRE(copied.keys() == names.keys());
  REQUIRE(copy->named_buffers().keys() == module->named_buffers().keys());
  copy->eval();
  CHECK(torch::equal(answer(copy, inputs), out));
  {
    torch::NoGradGuard no_grad;
    for (auto& parameter : copy->parameters()) parameter.add_(0.1);
  }
  CHECK_FALSE(torch::equal(answer(copy, inputs), out));
  CHECK(torch::equal(answer(module, inputs), out));

  std::vector<at::Tensor> halves;
  for (std::int64_t i = 0; i < 2; ++i) {
    std::vector<at::Tensor> one;
    for (const auto& input : inputs)
      one.push_back(input.defined() ? input.slice(0, i, i + 1) : input);
    halves.push_back(answer(module, one));
  }
  const double size = std::max(1.0, out.abs().max().template item<double>());
  CHECK(difference(torch::cat(halves), out) <= laws.tolerance * size);

  module->zero_grad();
  const auto trained = forward(module, inputs);
  (trained * randn(trained.sizes(), 11)).sum().backward();
  for (const auto& item : module->named_parameters()) {
    if (!item.value().requires_grad()) continue;
    bool exempt = false;
    for (const auto& part : laws.without_gradient)
      exempt = exempt || item.key().find(part) != std::string::npos;
    INFO(item.key());
    const auto& gradient = item.value().grad();
    REQUIRE(gradient.defined());
    CHECK(torch::isfinite(gradient).all().template item<bool>());
    if (!exempt) CHECK(gradient.abs().max().template item<double>() > 0);
  }
}

/// The same for a module whose forward takes one tensor and gives one.
template <class Holder>
void check_module(Holder module, const at::Tensor& input, const ModuleLaws& laws = {}) {
  check_module<Holder>(
      module, [](Holder& m, const std::vector<at::Tensor>& x) { return m->forward(x[0]); }, {input},
      laws);
}

}  // namespace dermis::test
