#pragma once
/// \file
/// One step of train(), computed in equal parts.

#include <functional>
#include <vector>

#include "dermis/train/loop.hpp"

namespace dermis::detail {

/// Part `part` of the draws of `step`, with its generator.
Batch part_of_step(const TrainOptions& options, std::int64_t step, const std::vector<Draw>& draws,
                   std::int64_t part);

/// The step function's loss, under autocast. Throws std::invalid_argument unless it is a scalar
/// that depends on a trained parameter.
StepLoss loss_of(const std::function<StepLoss(const Batch&)>& step_function, const Batch& batch,
                 const TrainOptions& options, at::DeviceType device);

}  // namespace dermis::detail
