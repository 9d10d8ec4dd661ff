#pragma once
/// \file
/// Students: any ViT beside a locked teacher, and a shallower copy that starts from chosen teacher
/// layers.

#include <string>

#include "dermis/distill/losses.hpp"
#include "dermis/models/vit.hpp"

namespace dermis {

/// How a student of another width or token count is compared with the teacher's hidden states.
enum class HiddenProjection {
  None,    ///< widths and token counts must agree
  Linear,  ///< a trained Linear from the student's width to the teacher's; token grids are
           ///< resampled to the teacher's
};
inline std::string name(HiddenProjection projection) {
  return projection == HiddenProjection::Linear ? "linear" : "none";
}
inline void from_name(HiddenProjection& projection, const std::string& text) {
  check_argument(text == "none" || text == "linear",
                 "[distill] expected hidden_projection none or linear, got ", text);
  projection = text == "linear" ? HiddenProjection::Linear : HiddenProjection::None;
}

/// Weights of the terms. DerMAE: alpha T^2 KL + (1 - alpha) CE is kl = alpha, cross_entropy = 1 -
/// alpha (dermae_loss()).
struct DistillationOptions {
  double temperature = 2.0;
  double kl = 0.5;             ///< of T^2 KL(teacher || student)
  double cross_entropy = 0.5;  ///< against the labels
  double logit_mse = 0.0;      ///< of the squared logit difference
  double hidden_cosine =
      0.0;  ///< of 1 - cos between the last hidden states (before the final norm), all tokens
  HiddenProjection hidden_projection = HiddenProjection::None;
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, DistillationOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("temperature", o.temperature);
  visit("kl", o.kl);
  visit("cross_entropy", o.cross_entropy);
  visit("logit_mse", o.logit_mse);
  visit("hidden_cosine", o.hidden_cosine);
  visit("hidden_projection", o.hidden_projection);
}

/// alpha T^2 KL + (1 - alpha) CE (DerMAE, arXiv 2602.19848; alpha and T are not published, 0.5
/// and 2..4 are usual).
inline DistillationOptions dermae_loss(double alpha = 0.5, double temperature = 2.0) {
  check_argument(alpha >= 0 && alpha <= 1, "[distill] expected alpha in [0, 1], got ", alpha);
  return {.temperature = temperature, .kl = alpha, .cross_entropy = 1 - alpha};
}

/// SkinDistilViT (arXiv 2308.08669) as its code weighs it: 0.5 KL at T = 2, 1 CE, 0.25 logit MSE;
/// the text's cosine term is off there.
inline DistillationOptions skindistilvit_loss() {
  return {.temperature = 2.0, .kl = 0.5, .cross_entropy = 1.0, .logit_mse = 0.25};
}

/// The distillation loss with its teacher, which is locked: no gradient, never out of evaluation
/// mode, not part of the state dict. Registered children: `student`, and `projection` where one is
/// trained.
class DistillerImpl : public torch::nn::Module {
 public:
  DistillerImpl(ViT student_, ViT teacher, const DistillationOptions& options_,
                const ParameterOptions& parameters = {})
      : options(options_), teacher_(std::dynamic_pointer_cast<ViTImpl>(teacher->clone())) {
    student = register_module("student", student_);
    freeze(*teacher_);
    const auto& s = student->options;
    const auto& t = teacher_->options;
    check_argument(s.num_classes == t.num_classes && s.num_classes > 0,
                   "[distill] expected student and teacher with the same classes, got ",
                   s.num_classes, " and ", t.num_classes);
    check_argument(s.image_size == t.image_size,
                   "[distill] expected student and teacher of one image size, got ", s.image_size,
                   " and ", t.image_size);
    if (options.hidden_cosine == 0) return;
    if (options.hidden_projection == HiddenProjection::Linear) {
      projection = register_module("projection", Linear(s.dim, t.dim, true, parameters));
    } else {
      check_argument(s.dim == t.dim && s.patches() == t.patches(),
                     "[distill] hidden states differ: student ", s.patches(), " patches of width ",
                     s.dim, ", teacher ", t.patches(), " patches of width ", t.dim,
                     "; set hidden_projection to linear or hidden_cosine to 0");
    }
  }

  /// The terms of the loss; those with weight 0 are undefined.
  struct Terms {
    at::Tensor total, kl, cross_entropy, logit_mse, hidden_cosine;
  };

  /// images [B, C, S, S], labels int64 [B] -> loss.
  Terms forward(const at::Tensor& images, const at::Tensor& labels,
                const std::optional<at::Generator>& generator = {}) {
    const bool hidden = options.hidden_cosine != 0;
    ViTFeatures theirs;
    at::Tensor their_logits;
    {
      torch::NoGradGuard no_grad;
      theirs = teacher_->forward_features(images, {.hidden_states = hidden});
      their_logits = teacher_->classify(theirs.pooled);
    }
    const auto ours = student->forward_features(images, {.hidden_states = hidden}, generator);
    const auto logits = student->classify(ours.pooled);

    Terms terms;
    std::vector<at::Tensor> weighted;
    const auto add = [&](at::Tensor& term, double weight, auto&& value) {
      if (weight == 0) return;
      term = value();
      weighted.push_back(term * weight);
    };
    add(terms.kl, options.kl,
        [&] { return softened_kl(logits, their_logits, options.temperature); });
    add(terms.cross_entropy, options.cross_entropy, [&] { return cross_entropy(logits, labels); });
    add(terms.logit_mse, options.logit_mse, [&] { return logit_mse(logits, their_logits); });
    add(terms.hidden_cosine, options.hidden_cosine, [&] {
      return hidden_cosine(match(ours.hidden_states.back()), theirs.hidden_states.back());
    });
    check_argument(!weighted.empty(), "[distill] expected at least one term with a weight above 0");
    terms.total = at::stack(weighted).sum();
    return terms;
  }

  const ViT teacher() const { return ViT(teacher_); }

  DistillationOptions options;
  ViT student{nullptr};
  Linear projection{nullptr};  ///< student width -> teacher width; empty unless asked for

 private:
  /// Brings the student's tokens [B, 1 + N, D] to the teacher's grid and width.
  at::Tensor match(const at::Tensor& tokens) {
    if (!projection) return tokens;
    const auto from = student->options.grid(), to = teacher_->options.grid();
    auto x = projection->forward(tokens);  // [B, 1 + N, D']
    if (from == to) return x;
    const auto grid = x.slice(1, 1).transpose(1, 2).reshape({x.size(0), x.size(2), from, from});
    const auto resized = at::upsample_bilinear2d(grid, {to, to}, false).flatten(2).transpose(1, 2);
    return at::cat({x.slice(1, 0, 1), resized}, 1);  // [B, 1 + N', D']
  }

  std::shared_ptr<ViTImpl> teacher_;  // not registered, so train() cannot reach it
};
TORCH_MODULE(Distiller);

/// The first `count` layers (SkinDistilViT's committed code).
inline std::vector<std::int64_t> first_layers(std::int64_t count) {
  std::vector<std::int64_t> layers(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) layers[static_cast<std::size_t>(i)] = i;
  return layers;
}

/// Every second layer of `depth`, from 0 (the choice DistilBERT's authors describe).
inline std::vector<std::int64_t> alternate_layers(std::int64_t depth) {
  std::vector<std::int64_t> layers;
  for (std::int64_t i = 0; i < depth; i += 2) layers.push_back(i);
  return layers;
}

/// A shallower ViT that starts as a copy of the chosen teacher blocks, with the teacher's
/// embedding, final norm and head. `layers` are block indices of the teacher, ascending.
inline ViT student_from_layers(const ViT& teacher, const std::vector<std::int64_t>& layers) {
  const auto depth = teacher->options.depth;
  check_argument(!layers.empty(), "[distill] expected at least one teacher layer");
  for (std::size_t i = 0; i < layers.size(); ++i) {
    check_argument(layers[i] >= 0 && layers[i] < depth && (i == 0 || layers[i] > layers[i - 1]),
                   "[distill] expected ascending teacher layers in 0..", depth - 1, ", got ",
                   layers[i], " at place ", i);
  }
  auto options = teacher->options;
  options.depth = static_cast<std::int64_t>(layers.size());
  const auto reference = teacher->cls_token;
  ViT student(options,
              ParameterOptions{
                  .device = reference.device(), .dtype = reference.scalar_type(), .init = false});

  torch::NoGradGuard no_grad;
  const auto theirs = teacher->named_parameters();
  for (auto& item : student->named_parameters()) {
    auto key = item.key();
    if (key.rfind("blocks.", 0) == 0) {
      const auto end = key.find('.', 7);
      key =
          "blocks." + std::to_string(layers[std::stoul(key.substr(7, end - 7))]) + key.substr(end);
    }
    item.value().copy_(theirs[key]);
  }
  return student;
}

}  // namespace dermis
