#pragma once
/// \file
/// Where a ViT's attention lies, as maps over the image.

#include "dermis/models/attention_rollout.hpp"
#include "dermis/train/classifier.hpp"

namespace dermis {

/// From tokens to patches: how much what the head sees draws from each patch. That is the class
/// token's row of `attention`, or with mean pooling, where the head does not see the class token,
/// the mean of the patches' rows.
/// \param attention  [B, 1 + N, 1 + N], rows sum to 1
/// \return [B, rows, columns] of the patch grid; not negative; sums to less than 1, because what
///         falls on the class token is left out
/// \throws std::invalid_argument for another shape
at::Tensor patch_map(const at::Tensor& attention, GridSize grid, bool mean_pooling);

/// Maps [B, h, w] enlarged to [B, height, width], bilinearly, which keeps them free of negative
/// values.
at::Tensor enlarged(const at::Tensor& maps, std::int64_t height, std::int64_t width);

/// Attention of a ViT over images, each [N, S, S] on the CPU, not negative.
struct AttentionMaps {
  at::Tensor last;     ///< the last block's, mean over heads
  at::Tensor rollout;  ///< all blocks' (attention_rollout, mean over heads)
};

/// Maps of uint8 images [N, 3, S, S]. Attention says where tokens were read from, not what for:
/// neither map knows the class. Throws std::invalid_argument for a classifier without a model.
AttentionMaps attention_maps(const Classifier& classifier, const at::Tensor& images,
                             std::int64_t batch_size = 64);

}  // namespace dermis
