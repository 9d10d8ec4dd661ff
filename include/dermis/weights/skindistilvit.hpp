#pragma once
/// \file
/// Files of SkinDistilViT (arXiv 2308.08669, Longman-Stan/SkinDistilVit): DistilViT, and the ViTs
/// with a head at every depth, FCViT and FCViTProbs. Their configurations are ViTConfig's:
/// vit_options_from_transformers.

#include "dermis/models/vit.hpp"
#include "dermis/weights/key_map.hpp"

namespace dermis {

/// Tensors of a DistilViTForImageClassification (transformers' names behind `distilvit.`) for our
/// ViT.
/// \param source  usually the file, named in errors
/// \throws std::runtime_error naming the unknown tensors and, if it can be told, whose file it is
StateDict vit_from_distilvit(const StateDict& tensors, const std::string& source = "weights");

/// The way back.
/// \throws std::runtime_error if DistilViT has no place for a tensor (fc_norm, LayerScale)
StateDict vit_to_distilvit(const StateDict& tensors);

/// A ViT with a linear head at every depth.
struct DepthHeadTensors {
  StateDict vit;    ///< for a ViT with num_classes 0
  StateDict heads;  ///< N.weight [C, D] and N.bias [C] for N = 0 (after the first block) to the
                    ///< last: for a ModuleList of Linear
};

/// Tensors of a FCViTForImageClassification or FCViTForImageClassificationProbs (`vit.` and
/// `classifiers.N.`). The features of level N are the class token of hidden state N + 1, normalised
/// by the next block's norm1, for the last level by the final norm. FCViTProbs uses the last head
/// at every depth; the others lie unused in its files.
/// \throws std::runtime_error as above
DepthHeadTensors depth_heads_from_fcvit(const StateDict& tensors,
                                        const std::string& source = "weights");

/// The way back.
StateDict depth_heads_to_fcvit(const DepthHeadTensors& tensors);

}  // namespace dermis
