#pragma once
/// \file
/// Cascading Distillation (SkinDistilViT, arXiv 2308.08669): a chain of ViTs, each a block
/// shallower than the one before and taught in turn.

#include "dermis/train/distillation.hpp"

namespace dermis {

/// Who teaches the model of depth K.
enum class CascadeTeacher {
  Down,  ///< that of depth K + 1, the deepest the original teacher
  Up,    ///< that of depth K - 1 (as the committed script has it), the shallowest the original
         ///< teacher
  Own    ///< the original teacher at every depth
};
std::string name(CascadeTeacher teacher);
void from_name(CascadeTeacher& teacher, const std::string& text);

/// One model of the chain. A depth of 0 stands for the original teacher.
struct CascadeLink {
  std::int64_t depth = 0;
  std::int64_t initial = 0;  ///< its first `depth` blocks, final norm and head are begun with
  std::int64_t teacher = 0;
  bool operator==(const CascadeLink&) const = default;
};

/// The models in the order of their training, of a teacher with `depth` blocks. Down and Own go
/// from the deepest to the shallowest, each begun with its trained predecessor. Up goes from the
/// shallowest to the deepest; the deeper model is not trained yet when its layers are wanted, so
/// all begin with the original teacher's.
std::vector<CascadeLink> cascade_links(std::int64_t depth, CascadeTeacher teacher);

/// Trains one classifier a depth, returned shallowest first: element K - 1 has K blocks. Each is a
/// stage of its own, <name>_<K>, resumed or loaded as any. `options` are those of each model;
/// `model` and `layers` are not read. All see the same views, so that answers of one teacher to
/// several students are asked for once where context.cache is set. `results` has one element a
/// depth.
std::vector<Classifier> train_cascade(const Classifier& teacher, const PixelSet& training,
                                      StudentOptions options, CascadeTeacher direction,
                                      const StageContext& context,
                                      const std::string& name = "cascade",
                                      std::vector<TrainResult>* results = nullptr);

}  // namespace dermis
