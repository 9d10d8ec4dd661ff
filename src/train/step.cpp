#include "step.hpp"

#include <ATen/CPUGeneratorImpl.h>

#include "dermis/core/check.hpp"
#include "dermis/core/random.hpp"
#include "dermis/layers/autocast.hpp"

namespace dermis::detail {

Batch part_of_step(const TrainOptions& options, std::int64_t step, const std::vector<Draw>& draws,
                   std::int64_t part) {
  const auto size = options.batch_size / options.accumulate;
  const auto first = draws.begin() + static_cast<std::ptrdiff_t>(part * size);
  Batch batch{step, {first, first + static_cast<std::ptrdiff_t>(size)}, {}, {}};
  std::vector<std::int64_t> indices;
  for (const Draw& draw : batch.draws) indices.push_back(draw.index);
  batch.indices = torch::tensor(indices, at::kLong);
  RandomStream stream(options.seed, "train/" + options.name, static_cast<std::uint64_t>(part),
                      static_cast<std::uint64_t>(step));
  batch.generator = at::detail::createCPUGenerator(stream.bits64());
  return batch;
}

StepLoss loss_of(const std::function<StepLoss(const Batch&)>& step_function, const Batch& batch,
                 const TrainOptions& options, at::DeviceType device) {
  const Autocast autocast(options.bf16, device);
  StepLoss result = step_function(batch);
  check_argument(result.loss.defined() && result.loss.numel() == 1, "[train] ", options.name,
                 ": expected the step to return a scalar loss");
  check_argument(result.loss.requires_grad(), "[train] ", options.name,
                 ": expected a loss that depends on a trained parameter");
  return result;
}

}  // namespace dermis::detail
