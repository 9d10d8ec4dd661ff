#pragma once
/// \file
/// AdamW with parameter groups: which parameters decay, and how fast each layer learns.

#include <torch/nn/module.h>
#include <torch/types.h>

#include <functional>
#include <string>
#include <vector>

#include "dermis/io/tensors.hpp"

namespace dermis {

/// Parameters that share a learning rate and a weight decay.
struct ParameterGroup {
  std::vector<std::string> names{};  ///< as in the state dict; keys of the optimizer's saved state
  std::vector<at::Tensor> parameters{};  ///< in the order of `names`
  double learning_rate_scale = 1;        ///< multiplies the scheduled learning rate
  double weight_decay = 0;               ///< decoupled, multiplied by the learning rate
};

/// Decides that a parameter is not decayed.
using NoDecay = std::function<bool(const std::string& name, const at::Tensor& parameter)>;

/// Biases, norms and other tensors of at most one dimension, and the parameters whose last name
/// component is listed (timm's `no_weight_decay()` of a ViT is {"cls_token", "pos_embed"}).
NoDecay no_decay_of(std::vector<std::string> listed = {});

struct GroupOptions {
  double weight_decay = 0;           ///< of the decayed group
  NoDecay no_decay = no_decay_of();  ///< true = the group without decay
};

/// Two groups at most, decayed and not. Frozen parameters (requires_grad false) are left out; a
/// parameter that is registered twice is taken once.
std::vector<ParameterGroup> parameter_groups(const torch::nn::Module& module,
                                             const GroupOptions& options = {});

/// Where the two libraries that decay by layers put a ViT's final `norm`.
enum class LayerRule {
  MAE,   ///< beside the head (util/lr_decay.py)
  Timm,  ///< with the last block (param_groups_layer_decay); `fc_norm` beside the head
};

/// The layer of a parameter of a timm-named ViT: cls_token, pos_embed, patch_embed = 0, blocks.i =
/// i + 1, everything else = depth + 1.
std::int64_t vit_layer(const std::string& name, std::int64_t depth,
                       LayerRule rule = LayerRule::MAE);

/// Layer-wise learning-rate decay (MAE fine-tuning, util/lr_decay.py): scale = decay^(depth + 1 -
/// layer), one group for each layer and kind of weight decay. No weight decay for dimensions <= 1,
/// cls_token and pos_embed; frozen parameters are left out.
/// \param decay  in (0, 1]; 0.65 for ViT-B, 0.75 for ViT-L and ViT-H
/// \throws std::invalid_argument if `decay` is out of range or a block's number not below `depth`
std::vector<ParameterGroup> layer_decay_groups(const torch::nn::Module& module, double weight_decay,
                                               double decay, std::int64_t depth,
                                               LayerRule rule = LayerRule::MAE);

struct AdamWOptions {
  double beta1 = 0.9;     ///< in [0, 1)
  double beta2 = 0.999;   ///< in [0, 1)
  double epsilon = 1e-8;  ///< above 0
};

/// AdamW (Loshchilov and Hutter, arXiv 1711.05101) on ATen's fused kernel; the same numbers as
/// torch::optim::AdamW, which has neither a scale a group nor a named state. A parameter without a
/// gradient is not touched.
class AdamW {
 public:
  /// \throws std::invalid_argument if no parameter is left to train, on a duplicate name or options
  /// out of range
  explicit AdamW(std::vector<ParameterGroup> groups, const AdamWOptions& options = {});

  /// Drops the gradients (undefined afterwards, so that an unused parameter is not updated).
  void zero_grad();

  /// Scales all gradients so that their common L2 norm is at most `max_norm` (0 = only measures).
  /// \return the norm before scaling; not finite if a gradient is not
  double clip_gradients(double max_norm);

  /// One update with the given learning rate times each group's scale.
  void step(double learning_rate);

  /// exp_avg.NAME, exp_avg_sq.NAME and step.NAME of every parameter; shares memory with the
  /// optimizer.
  StateDict state() const;
  /// Strict, as copy_tensors.
  void load(const StateDict& state, const std::string& source);

  const std::vector<ParameterGroup>& groups() const { return groups_; }

 private:
  struct Moments {  // parallel to ParameterGroup::parameters
    std::vector<at::Tensor> average, square, steps;
  };

  std::vector<at::Tensor> gradients() const;

  std::vector<ParameterGroup> groups_;
  std::vector<Moments> moments_;
  AdamWOptions options_;
};

}  // namespace dermis
