#pragma once
/// \file
/// The training loop: everything around a loss function that every stage needs.

#include <ATen/core/Generator.h>
#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/train/optimizer.hpp"
#include "dermis/train/sampler.hpp"
#include "dermis/train/schedule.hpp"

namespace dermis {

struct TrainOptions {
  std::string name = "train";  ///< of the stage: label of the progress bar, key of random streams
  std::filesystem::path
      directory;                 ///< of metrics.jsonl and checkpoint/; empty = nothing is written
  std::int64_t steps = 1000;     ///< optimizer steps
  std::int64_t batch_size = 32;  ///< images a step
  std::int64_t accumulate = 1;   ///< equal parts that a batch is computed in, one after the other,
                                 ///< to save memory; their gradients add up to the batch's
  double learning_rate = 1e-3;   ///< at the end of the warm-up
  double minimum_learning_rate = 0;  ///< at the end of training
  std::int64_t warmup_steps = 0;
  Decay decay = Decay::Cosine;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double clip_norm = 0;                 ///< largest L2 norm of all gradients together; 0 = off
  double ema_decay = 0;                 ///< in [0, 1); 0 = off
  bool bf16 = false;                    ///< bfloat16 autocast around the step function
  std::uint64_t seed = 0;               ///< of Batch::generator
  std::int64_t log_every = 50;          ///< steps; the last step is always logged
  std::int64_t checkpoint_every = 500;  ///< steps; 0 = only on Ctrl-C and at the end
  std::int64_t keep_checkpoints = 1;  ///< the newest that stay on the disk; resuming takes the last
  std::int64_t validate_every = 0;    ///< steps, a multiple of log_every; 0 = at the end only
  std::int64_t preview_every = 0;     ///< steps between TrainHooks::preview; 0 = none
  bool resume = false;                ///< go on from the checkpoint; false removes an earlier run
  bool progress = true;               ///< on stderr: what the run is, then a progress bar
  bool tensorboard = false;           ///< event files in directory/tensorboard, at log points
  Json configuration = Json::object();  ///< must agree on resume: model, data, loss
};

/// What a step function gets.
struct Batch {
  std::int64_t step;        ///< from 0
  std::vector<Draw> draws;  ///< batch_size / accumulate of them
  at::Tensor indices;       ///< int64 [draws], draws[i].index, on the CPU
  at::Generator generator;  ///< CPU, seeded by (seed, name, part, step): drop path, masks, noise
};

/// What a step function returns.
struct StepLoss {
  at::Tensor loss;                                       ///< scalar with a graph
  std::vector<std::pair<std::string, double>> values{};  ///< parts of it, accuracies ...: logged
};

/// A point of the curve: means over the steps since the point before (skipped steps left out).
struct LogPoint {
  std::int64_t step = 0;     ///< steps done
  double loss = 0;           ///< NaN if every step was skipped
  double learning_rate = 0;  ///< of the last step
  double gradient_norm = 0;  ///< before clipping
  std::vector<std::pair<std::string, double>> values{};
  bool operator==(const LogPoint&) const = default;
};

struct TrainResult {
  std::int64_t steps = 0;         ///< as asked for; steps of earlier, interrupted runs included
  std::int64_t image_passes = 0;  ///< steps * batch_size
  std::int64_t skipped = 0;    ///< steps without update because loss or gradients were not finite
  double seconds = 0;          ///< wall clock, earlier runs included
  bool loaded = false;         ///< the run was finished before: weights came from the disk
  std::int64_t best_step = 0;  ///< of the weights that were kept; `steps` without validation
  std::vector<LogPoint> curve;
};

/// What a caller may add to a run.
struct TrainHooks {
  std::function<void(std::int64_t step)> on_log{};  ///< after each log point, with the steps done
  /// How good the module is now, higher is better; called in eval mode, without gradients and with
  /// the EMA weights where EMA is on. The weights of the best value are what the run ends with (and
  /// what a resumed run still knows); the value is logged as "validation".
  std::function<double()> validate{};
  /// Pictures of how far it is: called every preview_every steps and after the last one, as
  /// validate is.
  std::function<void(std::int64_t step)> preview{};
};

/// Trains `module` with AdamW; afterwards it holds the final (EMA, if on) weights in eval
/// mode, or with TrainHooks::validate the best ones.
///
/// A step: train mode; `step` under autocast; backward; gradient clipping; AdamW with the scheduled
/// learning rate; EMA. A loss or gradient that is not finite skips the update; twenty in a row
/// abort, and no checkpoint is ever written with a weight that is not finite. Nothing draws from
/// torch's global generator, so k steps, a stop and the other n - k equal n steps bit for bit on
/// one machine with one number of threads.
///
/// In `directory`: metrics.jsonl, one line a log point, no step twice; checkpoint/, see
/// checkpoint.hpp. With `resume`, an unfinished run goes on and a finished one is only loaded. If
/// the program holds an InterruptGuard, Ctrl-C finishes the step in hand and saves.
///
///     const auto step = [&](const Batch& batch) -> StepLoss {
///       const at::Tensor images = pixels.index_select(0, batch.indices);
///       return {loss_of(model->forward(images)), {}};
///     };
///     train(*model, parameter_groups(*model, {.weight_decay = 0.05}), sampler, step, options);
///
/// \param module  owner of every parameter of `groups` (two modules trained together: a container)
/// \param groups  see parameter_groups, layer_decay_groups
/// \throws Interrupted after Ctrl-C (see InterruptGuard)
/// \throws std::invalid_argument on options out of range, parameters outside of `module`, a loss
///         that is no scalar or has no graph
/// \throws std::runtime_error if the loss stays non-finite, a file cannot be written, or the
///         checkpoint is of another configuration
TrainResult train(torch::nn::Module& module, std::vector<ParameterGroup> groups,
                  const Sampler& sampler, const std::function<StepLoss(const Batch&)>& step,
                  const TrainOptions& options, const TrainHooks& hooks = {});

/// The curve as JSON, an array of objects with step, loss, learning_rate, gradient_norm and the
/// values.
Json to_json(const std::vector<LogPoint>& curve);

}  // namespace dermis
