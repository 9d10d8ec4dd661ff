#pragma once
/// \file
/// What the layers inside a model compute, by name: for looking at activations, for comparing a
/// model with another implementation of it, for Grad-CAM and the like.

#include <map>
#include <string>
#include <unordered_map>

#include <torch/nn/module.h>

#include "dermis/core/check.hpp"

namespace dermis {

/// While it lives, keeps what the modules below `root` answer on this thread, by their path
/// ("mid_block.attentions.0"; "" is root itself). A module that runs several times leaves its last
/// answer. The tensors are the very ones the model goes on with, not copies: with gradients enabled
/// they can be differentiated through. Every layer and block of the VAE and the UNet reports; a
/// module of LibTorch's own or of yours does so by `return observed(*this, y);`.
///
///     Observer observer(*unet);
///     unet->forward(x, t, labels);
///     const auto coarsest = observer.at("mid_block");  // [B, C, h, w]
class Observer {
 public:
  explicit Observer(const torch::nn::Module& root) : outer_(innermost_) {
    paths_.emplace(&root, "");
    for (const auto& item : root.named_modules("", /*include_self=*/false))
      paths_.emplace(item.value().get(), item.key());
    innermost_ = this;
  }
  ~Observer() { innermost_ = outer_; }
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  /// The last answer of the module at `path`; std::invalid_argument if there is none.
  const at::Tensor& at(const std::string& path) const {
    const auto found = outputs_.find(path);
    check_argument(found != outputs_.end(), "[observer] no output of '", path,
                   "': no such module, or it has not run");
    return found->second;
  }
  bool contains(const std::string& path) const { return outputs_.count(path) != 0; }
  const std::map<std::string, at::Tensor>& outputs() const { return outputs_; }

 private:
  friend at::Tensor observed(const torch::nn::Module& module, at::Tensor output);

  // Observers of one thread form a stack: each sees what it asked for, whoever came later.
  inline static constinit thread_local Observer* innermost_ = nullptr;
  Observer* outer_;
  std::unordered_map<const torch::nn::Module*, std::string> paths_;
  std::map<std::string, at::Tensor> outputs_;
};

/// For the end of a forward: shows `output` to this thread's observers, if any, and returns it.
inline at::Tensor observed(const torch::nn::Module& module, at::Tensor output) {
  for (auto* observer = Observer::innermost_; observer != nullptr; observer = observer->outer_) {
    const auto path = observer->paths_.find(&module);
    if (path != observer->paths_.end()) observer->outputs_[path->second] = output;
  }
  return output;
}

}  // namespace dermis
