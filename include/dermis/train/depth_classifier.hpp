#pragma once
/// \file
/// Training, applying and keeping a ViT that answers at every depth (full distillation,
/// SkinDistilViT, arXiv 2308.08669): FCViT, FCViTProbs, and both with a teacher.

#include "dermis/distill/depth_heads.hpp"
#include "dermis/distill/student.hpp"
#include "dermis/metrics/early_exit.hpp"
#include "dermis/train/classifier.hpp"

namespace dermis {

/// How many levels must agree with the one above, as training goes on.
enum class AgreementGrowth {
  Steps,      ///< none in the warm-up, one at its end, then one more every steps / depth steps
  Published,  ///< the same as published, where the end of the warm-up is not rounded to a step:
              ///< unless it happens to be whole, no step is ever a multiple of the interval away
              ///< from it, and no level ever agrees
  All         ///< all levels from the first step
};
std::string name(AgreementGrowth growth);
void from_name(AgreementGrowth& growth, const std::string& text);

/// The levels below the last that agree with the one above in `step` (from 0) of `steps`.
std::int64_t agreeing_levels(AgreementGrowth growth, std::int64_t step, double warmup_steps,
                             std::int64_t steps, std::int64_t depth);

/// The loss is the sum over the levels of their terms (`terms`: cross-entropy against the labels;
/// KL and logit error against a locked teacher), plus `agreement` times the sum over the agreeing
/// levels of KL(level above, held fixed || level).
struct DepthLossOptions {
  DepthHeadUse heads = DepthHeadUse::Own;
  DistillationOptions terms = {.kl = 0, .cross_entropy = 1};
  bool last_level_only = false;  ///< `terms` of the last level alone
  double agreement = 0;
  AgreementGrowth growth = AgreementGrowth::Steps;
  double warmup_passes = 5;  ///< passes over as many images as there are, before levels agree
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, DepthLossOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("heads", o.heads);
  visit("terms", o.terms);
  visit("last_level_only", o.last_level_only);
  visit("agreement", o.agreement);
  visit("growth", o.growth);
  visit("warmup_passes", o.warmup_passes);
}

/// FCViT: a head a level, the sum of their cross-entropies.
DepthLossOptions fcvit_loss();
/// FCViTProbs: the last head at every level, cross-entropy of the last, 50 times the agreement.
DepthLossOptions fcvit_probs_loss(AgreementGrowth growth = AgreementGrowth::Steps);
/// Not published: own heads with cross-entropy at every level, agreement with the level above, and
/// a teacher's softened answers at every level.
DepthLossOptions combined_depth_loss();

struct DepthClassifierOptions {
  ViTOptions model;  ///< num_classes and image_size are taken from the data
  DepthLossOptions loss;
  StageSchedule training;
  Recipe recipe = Recipe::Lesion;
  AugmentOptions augment;
  bool class_balanced = true;
  double real_share = 0.6;  ///< as ClassifierOptions::real_share
  std::string views = {};   ///< as StudentOptions::views
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, DepthClassifierOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("model", o.model);
  visit("loss", o.loss);
  visit("training", o.training);
  visit("recipe", o.recipe);
  visit("augment", o.augment);
  visit("class_balanced", o.class_balanced);
  visit("real_share", o.real_share);
  visit("views", o.views);
}

/// A network that answers at every depth, with what is needed to apply it to raw pixels.
struct DepthClassifier {
  DepthViT model{nullptr};
  Normalization normalization;
  std::vector<std::string> classes;
  DermoscopyOptions preprocessing = {};
  std::vector<double> temperatures = {};  ///< of each depth, see calibrate; empty: all 1

  std::int64_t depth() const { return model.ptr()->options.depth; }
};

/// Where training begins, and who teaches.
struct DepthStart {
  Encoder encoder = {};                 ///< pre-trained weights; heads are drawn
  const Classifier* initial = nullptr;  ///< instead: everything, with its head as every head
  const Classifier* teacher = nullptr;  ///< of the loss's KL and logit terms; never changed
};

/// Trains on `training` as stage `name`. \throws std::invalid_argument if the loss needs a teacher
/// and there is none, or one of other classes or image size
DepthClassifier train_depth_classifier(const PixelSet& training, const Normalization& normalization,
                                       DepthClassifierOptions options, const StageContext& context,
                                       const std::string& name, const DepthStart& start = {},
                                       TrainResult* result = nullptr);

/// Logits of every depth, first depth first, on the CPU: uint8 images [N, 3, S, S] -> [L, N, C].
at::Tensor predict_depth_logits(const DepthClassifier& classifier, const at::Tensor& images,
                                std::int64_t batch_size = 128);

/// Fits a temperature a depth on images that were not trained on (fit_temperature); 1 where none
/// can be told.
void calibrate(DepthClassifier& classifier, const PixelSet& validation);

/// softmax(logits / temperature) by depth.
ProbabilitiesByDepth probabilities_by_depth(const DepthClassifier& classifier,
                                            const at::Tensor& images);

/// The network up to `depth` (1 .. L) as a plain classifier: the same logits, without the rest.
Classifier classifier_at(const DepthClassifier& classifier, std::int64_t depth);

/// A model file with classes, normalisation, preprocessing and temperatures;
/// load_depth_classifier throws std::runtime_error on any other file.
void save_depth_classifier(const std::filesystem::path& path, const DepthClassifier& classifier);
DepthClassifier load_depth_classifier(const std::filesystem::path& path,
                                      at::Device device = at::kCPU);

}  // namespace dermis
