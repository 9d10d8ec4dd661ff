#pragma once
/// \file
/// Training, applying and judging a ViT that names lesions.

#include <Eigen/Core>

#include "dermis/metrics/bootstrap.hpp"
#include "dermis/metrics/classification.hpp"
#include "dermis/models/vit.hpp"
#include "dermis/train/classification_loss.hpp"
#include "dermis/train/encoder.hpp"
#include "dermis/train/stage.hpp"

namespace dermis {

struct ClassifierOptions {
  ViTOptions model;  ///< num_classes and image_size are taken from the data
  StageSchedule training;
  Recipe recipe = Recipe::Lesion;           ///< how training images are augmented
  AugmentOptions augment;                   ///< of Recipe::Lesion
  MixupOptions mixup = {.probability = 0};  ///< of batches; its smoothing is the loss's
  bool class_balanced = true;               ///< every class is drawn equally often
  double real_share = 0.6;   ///< with synthetic images: share of real ones among the draws of a
                             ///< class; 0: as many as there are
  double layer_decay = 1.0;  ///< learning rate of a layer over that of the next one (MAE: 0.65 to
                             ///< 0.75 for large models)
  ClassificationLossOptions loss;
  bool checkpoint_activations = false;  ///< less memory, more time, the same weights
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, ClassifierOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("model", o.model);
  visit("training", o.training);
  visit("recipe", o.recipe);
  visit("augment", o.augment);
  visit("mixup", o.mixup);
  visit("class_balanced", o.class_balanced);
  visit("real_share", o.real_share);
  visit("layer_decay", o.layer_decay);
  visit("loss", o.loss);
  visit("checkpoint_activations", o.checkpoint_activations);
}

/// A network with what is needed to apply it to raw pixels.
struct Classifier {
  ViT model{nullptr};
  Normalization normalization;
  std::vector<std::string> classes;
  DermoscopyOptions preprocessing = {};  ///< of the images it was trained on, and is to be shown

  Encoder encoder() const { return {model.ptr(), model->options, normalization}; }
};

/// Trains on `training`, from a pre-trained encoder when `encoder` is given, else from scratch. The
/// stage is called `name`. `normalization` must come from real training images
/// (measure_normalization). With `validation`, which must share no lesion with training or test
/// part, the weights of the best balanced accuracy on it are kept instead of the last ones.
Classifier train_classifier(const PixelSet& training, const Normalization& normalization,
                            ClassifierOptions options, const StageContext& context,
                            const std::string& name, TrainResult* result = nullptr,
                            const Encoder& encoder = {}, const PixelSet* validation = nullptr);

/// The fine-tuning that MAE's authors use for ViT-B, L and H (FINETUNE.md): layer decay and drop
/// path by depth, mean pooling, learning rate for a batch of 256, label smoothing 0.1.
ClassifierOptions mae_finetuning(ViTOptions model);

/// Logits [N, C] on the CPU of uint8 images [N, 3, S, S].
at::Tensor predict_logits(const Classifier& classifier, const at::Tensor& images,
                          std::int64_t batch_size = 128);
/// softmax of the logits: [N, C]; with 2 or 8 `views` (see right_angle_view) the mean over them:
/// test-time augmentation.
Eigen::MatrixXd predict_probabilities(const Classifier& classifier, const at::Tensor& images,
                                      std::int64_t views = 1);
/// Mean of the members' probabilities. \throws std::invalid_argument unless all know the same
/// classes in the same order
Eigen::MatrixXd predict_probabilities(const std::vector<Classifier>& ensemble,
                                      const at::Tensor& images, std::int64_t views = 1);
/// The feature before the head: [N, D]; what generation metrics compare.
Eigen::MatrixXd encoder_features(const Classifier& classifier, const at::Tensor& images);

/// A float tensor [N, D] as doubles.
Eigen::MatrixXd to_eigen(const at::Tensor& matrix);

/// How a classifier does on a set.
struct Evaluation {
  std::vector<std::string> classes;
  std::vector<int> labels, predictions;
  std::vector<std::string> lesions;
  Eigen::MatrixXd probabilities;  ///< [N, C]
  Interval balanced_accuracy;     ///< bootstrap by lesion
  double accuracy = 0;
  double macro_auc = 0;
  double calibration_error = 0;
  PerClass per_class;
};

/// Judges probabilities [N, C] for the images of `set`.
Evaluation evaluate(const Eigen::MatrixXd& probabilities, const PixelSet& set);
inline Evaluation evaluate(const Classifier& classifier, const PixelSet& set) {
  return evaluate(predict_probabilities(classifier, set.images), set);
}
/// balanced_accuracy{mean,lo,hi}, accuracy, macro_auc, calibration_error, per_class{...},
/// confusion.
Json to_json(const Evaluation& evaluation);

/// Median milliseconds for a batch of `batch_size` images, after warm-up, with the threads LibTorch
/// has now.
double latency_ms(const Classifier& classifier, std::int64_t batch_size, int repeats = 50);
inline double batch_one_latency_ms(const Classifier& classifier) {
  return latency_ms(classifier, 1);
}

/// A ViT file with classes and normalisation; load_classifier throws std::runtime_error on any
/// other file.
void save_classifier(const std::filesystem::path& path, const Classifier& classifier);
Classifier load_classifier(const std::filesystem::path& path, at::Device device = at::kCPU);

/// Normalisation in model files.
Json to_json(const Normalization& normalization);
Normalization normalization_from_json(const Json& json);

}  // namespace dermis
