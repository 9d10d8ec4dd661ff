#pragma once
/// \file
/// What a run checks before it starts and compares before it resumes.

#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/train/loop.hpp"

namespace dermis::detail {

/// Throws std::invalid_argument naming the first option out of range.
void check(const TrainOptions& options);

/// What must agree on resume: everything that changes the weights, in a readable form.
Json configuration_of(const TrainOptions& options, const std::vector<ParameterGroup>& groups,
                      const Sampler& sampler);

}  // namespace dermis::detail
