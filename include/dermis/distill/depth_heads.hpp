#pragma once
/// \file
/// A ViT that answers at every depth (SkinDistilViT's FCViT and FCViTProbs, arXiv 2308.08669), and
/// what its levels learn from.

#include <string>

#include "dermis/distill/losses.hpp"
#include "dermis/models/vit.hpp"

namespace dermis {

/// Which head a level asks.
enum class DepthHeadUse {
  Own,  ///< FCViT: one head a level
  Last  ///< FCViTProbs: the last level's head at every depth; the others stay as they are
};
inline std::string name(DepthHeadUse use) {
  return use == DepthHeadUse::Own ? "own" : "last";
}
inline void from_name(DepthHeadUse& use, const std::string& text) {
  check_argument(text == "own" || text == "last", "[depth vit] expected heads own or last, got ",
                 text);
  use = text == "own" ? DepthHeadUse::Own : DepthHeadUse::Last;
}

/// A ViT with a linear head after every block. The features of a level are the class token,
/// normalised by the next block's norm1, those of the last level by the final norm, as
/// SkinDistilViT borrows them. Children: `vit` (without a head of its own) and `heads`, a list of
/// Linear. forward: images [B, C, S, S] -> logits [depth, B, num_classes], first level first.
class DepthViTImpl : public torch::nn::Cloneable<DepthViTImpl> {
 public:
  /// \throws std::invalid_argument without classes or with mean pooling
  explicit DepthViTImpl(const ViTOptions& options_, DepthHeadUse use_ = DepthHeadUse::Own,
                        const ParameterOptions& parameters = {})
      : options(options_), use(use_), parameter_options_(parameters) {
    validate(options);
    check_argument(options.num_classes > 0, "[depth vit] expected num_classes above 0, got ",
                   options.num_classes);
    check_argument(!options.mean_pooling,
                   "[depth vit] expected class-token pooling, got mean_pooling");
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    auto encoder = options;
    encoder.num_classes = 0;
    vit = register_module("vit", ViT(encoder, parameter_options_));
    heads = register_module("heads", torch::nn::ModuleList());
    for (std::int64_t i = 0; i < options.depth; ++i)
      heads->push_back(Linear(options.dim, options.num_classes, true, parameter_options_));
  }

  at::Tensor forward(const at::Tensor& images, const std::optional<at::Generator>& generator = {}) {
    return classify(vit->forward_features(images, {.hidden_states = true}, generator));
  }

  /// Features with hidden states -> logits [depth, B, num_classes].
  at::Tensor classify(const ViTFeatures& features) {
    check_argument(static_cast<std::int64_t>(features.hidden_states.size()) == options.depth + 1,
                   "[depth vit] expected features with ", options.depth + 1, " hidden states, got ",
                   features.hidden_states.size());
    std::vector<at::Tensor> logits;
    for (std::size_t level = 0; level < heads->size(); ++level) {
      const bool last = level + 1 == heads->size();
      const auto pooled = last ? features.pooled
                               : vit->blocks[level + 1]
                                     ->as<TransformerBlockImpl>()
                                     ->norm1->forward(features.hidden_states[level + 1])
                                     .select(1, 0);  // [B, D]
      const auto& head = heads[use == DepthHeadUse::Own ? level : heads->size() - 1];
      logits.push_back(head->as<LinearImpl>()->forward(pooled));
    }
    return at::stack(logits);  // [L, B, C]
  }

  ViTOptions options;  ///< num_classes is that of every head
  DepthHeadUse use;
  ViT vit{nullptr};
  torch::nn::ModuleList heads{nullptr};

 private:
  ParameterOptions parameter_options_;
};
TORCH_MODULE(DepthViT);

/// Cross-entropy of every level, not yet summed: logits [L, B, C], labels int64 [B] -> [L]. FCViT's
/// loss is the sum.
inline at::Tensor depth_cross_entropy(const at::Tensor& logits, const at::Tensor& labels) {
  check_argument(logits.dim() == 3, "[depth vit] expected logits [levels, B, C], got ",
                 shape_text(logits));
  std::vector<at::Tensor> terms;
  for (const auto& level : logits.unbind(0)) terms.push_back(cross_entropy(level, labels));
  return at::stack(terms);
}

/// Sum over the `levels` levels below the last of KL(softmax(level above), held fixed ||
/// softmax(level)). logits: [L, B, C], first level first; levels in 0..L - 1.
inline at::Tensor depth_agreement(const at::Tensor& logits, std::int64_t levels) {
  check_argument(logits.dim() == 3, "[depth vit] expected logits [levels, B, C], got ",
                 shape_text(logits));
  const auto last = logits.size(0) - 1;
  check_argument(levels >= 0 && levels <= last, "[depth vit] expected 0 to ", last,
                 " levels below the last, got ", levels);
  auto sum = at::zeros({}, logits.options());
  for (auto level = last - 1; level >= last - levels; --level)
    sum = sum + softened_kl(logits[level], logits[level + 1].detach(), 1.0);
  return sum;
}

/// FCViTProbs' loss: cross-entropy of the last level plus `weight` times depth_agreement.
inline at::Tensor depth_agreement_loss(const at::Tensor& logits, const at::Tensor& labels,
                                       std::int64_t levels, double weight = 50) {
  const auto agreement = depth_agreement(logits, levels);
  return cross_entropy(logits[logits.size(0) - 1], labels) + weight * agreement;
}

}  // namespace dermis
