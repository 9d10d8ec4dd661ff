#pragma once
/// \file
/// Training a student beside its teacher.

#include "dermis/distill/student.hpp"
#include "dermis/train/classifier.hpp"

namespace dermis {

struct StudentOptions {
  ViTOptions model;  ///< num_classes and image_size are the teacher's; with `layers`, everything is
  std::vector<std::int64_t> layers =
      {};  ///< teacher blocks the student starts from; empty: `model`, from scratch
  DistillationOptions loss;
  StageSchedule training;
  Recipe recipe = Recipe::Lesion;  ///< how training images are augmented
  AugmentOptions augment;          ///< of Recipe::Lesion
  bool class_balanced = true;
  double real_share = 0.6;  ///< with synthetic images: share of real ones among the draws of a
                            ///< class; 0: as many as there are
  std::string views = {};   ///< stages with the same name here see the same images in the same
                            ///< order; empty: the stage's own name
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, StudentOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("model", o.model);
  visit("layers", o.layers);
  visit("loss", o.loss);
  visit("training", o.training);
  visit("recipe", o.recipe);
  visit("augment", o.augment);
  visit("class_balanced", o.class_balanced);
  visit("real_share", o.real_share);
  visit("views", o.views);
}

/// The student's network and schedule without a teacher: what a student is compared with.
ClassifierOptions without_teacher(const StudentOptions& options);

/// Trains a student on `training` with the teacher's normalisation. The teacher is not changed.
/// `layers` are those of `initial` where it is given, else the teacher's. With context.cache the
/// teacher's answers are kept for other students (see TeacherCache); the weights are the same.
Classifier distill(const Classifier& teacher, const PixelSet& training, StudentOptions options,
                   const StageContext& context, const std::string& name = "student",
                   TrainResult* result = nullptr, const Classifier* initial = nullptr);

}  // namespace dermis
