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

/// Which tokens the cosine of hidden states is taken over.
enum class HiddenTokens { All, Class };
inline std::string name(HiddenTokens tokens) {
  return tokens == HiddenTokens::Class ? "class" : "all";
}
inline void from_name(HiddenTokens& tokens, const std::string& text) {
  check_argument(text == "all" || text == "class",
                 "[distill] expected hidden_tokens all or class, got ", text);
  tokens = text == "class" ? HiddenTokens::Class : HiddenTokens::All;
}

/// Weights of the terms. DerMAE: alpha T^2 KL + (1 - alpha) CE is kl = alpha, cross_entropy = 1 -
/// alpha (dermae_loss()).
struct DistillationOptions {
  double temperature = 2.0;
  double kl = 0.5;             ///< of T^2 KL(teacher || student)
  double cross_entropy = 0.5;  ///< against the labels
  double logit_mse = 0.0;      ///< of the squared logit difference
  double hidden_cosine = 0.0;  ///< of 1 - cos between the last hidden states (before the norm)
  HiddenTokens hidden_tokens = HiddenTokens::All;  ///< that the cosine is taken over
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
  visit("hidden_tokens", o.hidden_tokens);
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

/// As SkinDistilViT's text has it: cross-entropy, softened KL at T = 2 and the cosine of hidden
/// states, alike.
inline DistillationOptions skindistilvit_text_loss() {
  return {.temperature = 2.0, .kl = 1.0, .cross_entropy = 1.0, .hidden_cosine = 1.0};
}

/// What a teacher says of a batch.
struct TeacherAnswers {
  at::Tensor logits;  ///< [B, C]
  at::Tensor hidden;  ///< its last hidden state [B, 1 + N, D], or of that the class token
                      ///< [B, 1, D]; undefined where no term asks for it
};

/// The terms of the loss; those with weight 0 are undefined.
struct DistillationTerms {
  at::Tensor total, kl, cross_entropy, logit_mse, hidden_cosine;

  /// Adds `weight` times value() to the total and keeps it as `term`; does nothing for weight 0.
  template <class Value>
  void add(at::Tensor DistillationTerms::*term, double weight, Value&& value) {
    if (weight == 0) return;
    this->*term = value();
    const auto weighted = this->*term * weight;
    total = total.defined() ? total + weighted : weighted;
  }
};

/// The terms that compare logits [B, C] with those of a teacher (may be undefined where no term
/// needs them) and with labels int64 [B].
inline DistillationTerms distillation_terms(const DistillationOptions& options,
                                            const at::Tensor& logits, const at::Tensor& teacher,
                                            const at::Tensor& labels) {
  DistillationTerms terms;
  terms.add(&DistillationTerms::kl, options.kl,
            [&] { return softened_kl(logits, teacher, options.temperature); });
  terms.add(&DistillationTerms::cross_entropy, options.cross_entropy,
            [&] { return cross_entropy(logits, labels); });
  terms.add(&DistillationTerms::logit_mse, options.logit_mse,
            [&] { return logit_mse(logits, teacher); });
  return terms;
}

/// A copy of `teacher` that is not trained: in evaluation mode, without gradients.
inline ViT locked(const ViT& teacher) {
  ViT copy(std::dynamic_pointer_cast<ViTImpl>(teacher->clone()));
  freeze(*copy);
  return copy;
}

/// The distillation loss with its teacher, which is locked: no gradient, never out of evaluation
/// mode, not part of the state dict. Registered children: `student`, and `projection` where one is
/// trained.
class DistillerImpl : public torch::nn::Module {
 public:
  DistillerImpl(ViT student_, ViT teacher, const DistillationOptions& options_,
                const ParameterOptions& parameters = {})
      : options(options_), teacher_(locked(teacher).ptr()) {
    student = register_module("student", student_);
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
      const bool one_token = options.hidden_tokens == HiddenTokens::Class;
      check_argument(s.dim == t.dim && (one_token || s.patches() == t.patches()),
                     "[distill] hidden states differ: student ", s.patches(), " patches of width ",
                     s.dim, ", teacher ", t.patches(), " patches of width ", t.dim,
                     "; set hidden_projection to linear or hidden_cosine to 0");
    }
  }

  /// images [B, C, S, S], labels int64 [B] -> loss.
  DistillationTerms forward(const at::Tensor& images, const at::Tensor& labels,
                            const std::optional<at::Generator>& generator = {}) {
    return forward(images, labels, ask_teacher(images), generator);
  }

  /// The same with what ask_teacher answered to these images.
  DistillationTerms forward(const at::Tensor& images, const at::Tensor& labels,
                            const TeacherAnswers& theirs,
                            const std::optional<at::Generator>& generator = {}) {
    const auto ours =
        student->forward_features(images, {.hidden_states = options.hidden_cosine != 0}, generator);
    auto terms = distillation_terms(options, student->classify(ours.pooled), theirs.logits, labels);
    terms.add(&DistillationTerms::hidden_cosine, options.hidden_cosine,
              [&] { return hidden_cosine(match(compared(ours)), theirs.hidden); });
    check_argument(terms.total.defined(),
                   "[distill] expected at least one term with a weight above 0");
    return terms;
  }

  /// What the teacher says of images [B, C, S, S], as far as the loss needs it.
  TeacherAnswers ask_teacher(const at::Tensor& images) const {
    torch::NoGradGuard no_grad;
    const bool hidden = options.hidden_cosine != 0;
    const auto features = teacher_->forward_features(images, {.hidden_states = hidden});
    return {teacher_->classify(features.pooled), hidden ? compared(features) : at::Tensor()};
  }

  const ViT teacher() const { return ViT(teacher_); }

  DistillationOptions options;
  ViT student{nullptr};
  Linear projection{nullptr};  ///< student width -> teacher width; empty unless asked for

 private:
  /// The tokens of the last hidden state that the cosine is taken over: [B, 1 + N, D] or [B, 1, D].
  at::Tensor compared(const ViTFeatures& features) const {
    const auto& last = features.hidden_states.back();
    return options.hidden_tokens == HiddenTokens::Class ? last.slice(1, 0, 1) : last;
  }

  /// Brings the student's tokens [B, 1 + N, D] (or [B, 1, D]) to the teacher's grid and width.
  at::Tensor match(const at::Tensor& tokens) {
    if (!projection) return tokens;
    const auto from = student->options.grid(), to = teacher_->options.grid();
    auto x = projection->forward(tokens);  // [B, 1 + N, D']
    if (from == to || options.hidden_tokens == HiddenTokens::Class) return x;
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

/// `count` layers of `depth`, evenly spread from the first to the last: of 12 layers and 6 to keep
/// 0, 2, 4, 7, 9 and 11, DistilBERT's (extract_distilbert.py).
inline std::vector<std::int64_t> spread_layers(std::int64_t depth, std::int64_t count) {
  check_argument(count >= 1 && count <= depth, "[distill] expected 1 to ", depth,
                 " layers to keep, got ", count);
  std::vector<std::int64_t> layers;
  for (std::int64_t i = 0; i < count; ++i)  // rounded to the nearest
    layers.push_back(count == 1 ? 0 : (2 * i * (depth - 1) + count - 1) / (2 * (count - 1)));
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
