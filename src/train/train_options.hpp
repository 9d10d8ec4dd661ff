#pragma once
/// \file
/// What a run checks before it starts and compares before it resumes.

#include <string>
#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/train/loop.hpp"

namespace dermis::detail {

/// Throws std::invalid_argument naming the first option out of range.
void check(const TrainOptions& options);

/// What must agree on resume: everything that changes the weights, in a readable form.
Json configuration_of(const TrainOptions& options, const std::vector<ParameterGroup>& groups,
                      const Sampler& sampler);

/// One line for people before a run: steps, image passes, effective learning rate, parameters,
/// memory of the training state.
std::string announcement(const TrainOptions& options, const std::vector<ParameterGroup>& groups);

/// Bytes of weights, gradients and AdamW's two moments in float32, with EMA its copy too.
std::int64_t state_bytes(std::int64_t parameters, bool ema);

}  // namespace dermis::detail
