#include "dermis/train/loop.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <optional>
#include <unordered_set>

#include "curve.hpp"
#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"
#include "dermis/core/interrupt.hpp"
#include "dermis/core/progress.hpp"
#include "dermis/train/checkpoint.hpp"
#include "dermis/train/ema.hpp"
#include "metrics_log.hpp"
#include "step.hpp"
#include "train_options.hpp"

namespace dermis {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kPatience = 20;  // skipped steps in a row before giving up

/// One run of train(): the state that a checkpoint holds and the ways to change it.
class Run {
 public:
  Run(torch::nn::Module& module, std::vector<ParameterGroup> groups, const Sampler& sampler,
      const TrainOptions& options)
      : module_(module),
        sampler_(sampler),
        options_(options),
        configuration_(detail::configuration_of(options, groups, sampler)),
        optimizer_(std::move(groups), {options.beta1, options.beta2, options.epsilon}),
        device_(optimizer_.groups().front().parameters.front().device().type()) {
    check_ownership();
    if (options.ema_decay > 0) ema_.emplace(module, options.ema_decay);
  }

  TrainResult operator()(const std::function<StepLoss(const Batch&)>& step_function,
                         const TrainHooks& hooks) {
    open();
    if (finished_) return result();
    std::optional<Progress> progress;
    if (options_.progress) {
      std::cerr << detail::announcement(options_, optimizer_.groups()) << '\n';
      progress.emplace(options_.name, options_.steps, "step");
    }
    if (progress) progress->update(step_);
    module_.train();
    while (step_ < options_.steps) {
      step(step_function);
      if (step_ % options_.log_every == 0 || step_ == options_.steps) {
        log(hooks);
        if (hooks.on_log) hooks.on_log(step_);
        module_.train();  // on_log may have evaluated
      }
      if (hooks.preview && options_.preview_every > 0 &&
          (step_ % options_.preview_every == 0 || step_ == options_.steps)) {
        with_evaluated_weights([&] { hooks.preview(step_); });
        module_.train();
      }
      if (progress) progress->update(step_, text("loss ", latest_loss_));
      if (step_ == options_.steps) break;
      if (InterruptGuard::requested()) stop();
      if (options_.checkpoint_every > 0 && step_ % options_.checkpoint_every == 0) save();
    }
    finish();
    if (progress) progress->finish(text("loss ", latest_loss_));
    return result();
  }

 private:
  fs::path checkpoint_directory() const { return options_.directory / "checkpoint"; }

  void check_ownership() const {
    std::unordered_set<const at::TensorImpl*> owned;
    for (const at::Tensor& parameter : module_.parameters()) {
      owned.insert(parameter.unsafeGetTensorImpl());
    }
    for (const ParameterGroup& group : optimizer_.groups()) {
      for (std::size_t i = 0; i < group.names.size(); ++i) {
        check_argument(owned.count(group.parameters[i].unsafeGetTensorImpl()) > 0, "[train] ",
                       options_.name, ": expected only parameters of the module, got '",
                       group.names[i], "', which would be lost on resume");
      }
    }
  }

  /// Takes up or clears away an earlier run in the directory.
  void open() {
    if (options_.directory.empty()) return;
    make_directories(options_.directory);
    if (options_.resume) {
      if (const auto checkpoint = load_checkpoint(checkpoint_directory())) restore(*checkpoint);
    } else {
      remove_checkpoint(checkpoint_directory());
    }
    if (!finished_)
      metrics_.emplace(options_.directory / "metrics.jsonl", step_,
                       options_.tensorboard ? options_.directory / "tensorboard" : fs::path());
  }

  void restore(const Checkpoint& checkpoint) {
    const std::string source = checkpoint_directory().string();
    check_configuration(checkpoint, configuration_, source);
    load_state_dict(module_, without_prefix(checkpoint.tensors, "model."), source);
    if (!checkpoint.finished) {
      optimizer_.load(without_prefix(checkpoint.tensors, "optimizer."), source);
      if (ema_) ema_->load(without_prefix(checkpoint.tensors, "ema."), source);
      best_ = without_prefix(checkpoint.tensors, "best.");
    }
    best_step_ = checkpoint.progress.at("best_step").get<std::int64_t>();
    if (best_step_ > 0) best_value_ = checkpoint.progress.at("best_value").get<double>();
    step_ = checkpoint.step;
    saved_step_ = step_;
    finished_ = loaded_ = checkpoint.finished;
    skipped_ = checkpoint.progress.at("skipped").get<std::int64_t>();
    skipped_in_a_row_ = checkpoint.progress.at("skipped_in_a_row").get<std::int64_t>();
    earlier_seconds_ = checkpoint.progress.at("seconds").get<double>();
    curve_ = detail::curve_from_json(checkpoint.progress.at("curve"));
    meter_.load(checkpoint.progress.at("meter"));
    if (finished_) module_.eval();
  }

  void step(const std::function<StepLoss(const Batch&)>& step_function) {
    optimizer_.zero_grad();
    rate_ = learning_rate(step_, {options_.learning_rate, options_.minimum_learning_rate,
                                  options_.warmup_steps, options_.steps, options_.decay});
    const auto draws = sampler_.batch(step_, options_.batch_size);
    const auto parts = static_cast<double>(options_.accumulate);
    std::vector<std::pair<std::string, double>> values;
    double norm = 0, mean_loss = 0;
    for (std::int64_t part = 0; part < options_.accumulate && std::isfinite(mean_loss); ++part) {
      const StepLoss result = detail::loss_of(
          step_function, detail::part_of_step(options_, step_, draws, part), options_, device_);
      const double loss = result.loss.item<double>();
      mean_loss += loss / parts;
      if (std::isfinite(loss))
        (options_.accumulate > 1 ? result.loss / parts : result.loss).backward();
      detail::add_mean(values, result.values, parts);
    }
    latest_loss_ = mean_loss;
    bool finite = std::isfinite(mean_loss);
    if (finite) {
      norm = optimizer_.clip_gradients(options_.clip_norm);
      finite = std::isfinite(norm);
    }
    ++step_;
    if (!finite) return skip();
    skipped_in_a_row_ = 0;
    optimizer_.step(rate_);
    if (ema_) ema_->update(module_);
    meter_.add(latest_loss_, norm, values);
  }

  void skip() {
    ++skipped_;
    ++skipped_in_a_row_;
    check_runtime(skipped_in_a_row_ < kPatience, "[train] ", options_.name,
                  ": loss or gradients were not finite in ", kPatience,
                  " steps in a row, up to step ", step_, " (loss ", latest_loss_,
                  "); lower the learning rate or clip gradients");
  }

  void log(const TrainHooks& hooks) {
    LogPoint& point = curve_.emplace_back(meter_.take(step_, rate_));
    const bool due = options_.validate_every > 0 && step_ % options_.validate_every == 0;
    if (hooks.validate && (due || step_ == options_.steps))
      point.values.emplace_back("validation", validate(hooks));
    if (!metrics_) return;
    Json line = detail::to_json(point);
    line["image_passes"] = step_ * options_.batch_size;
    line["skipped"] = skipped_;
    line["seconds"] = seconds();
    metrics_->append(line);
  }

  /// The value of the weights that would be kept now; the best ones so far are set aside.
  double validate(const TrainHooks& hooks) {
    double value = 0;
    with_evaluated_weights([&] {
      value = hooks.validate();
      check_runtime(std::isfinite(value), "[train] ", options_.name,
                    ": expected a finite validation value after step ", step_, ", got ", value);
      if (best_step_ > 0 && value <= best_value_) return;
      best_step_ = step_;
      best_value_ = value;
      best_.clear();
      for (const auto& [name, tensor] : state_dict(module_))
        best_.emplace_back(name, tensor.detach().clone());
    });
    return value;
  }

  /// Runs `body` on the module as it would be kept: EMA weights, eval mode, no gradients.
  void with_evaluated_weights(const std::function<void()>& body) {
    const torch::NoGradGuard no_grad;
    if (ema_) ema_->swap(module_);
    module_.eval();
    body();
    if (ema_) ema_->swap(module_);
  }

  /// What goes to disk: of a finished run its final weights only.
  StateDict tensors() const {
    StateDict tensors;
    append(tensors, state_dict(module_), "model.");
    if (!finished_) {
      append(tensors, optimizer_.state(), "optimizer.");
      if (ema_) append(tensors, ema_->state(), "ema.");
      append(tensors, best_, "best.");
    }
    for (const auto& [name, tensor] : tensors) {
      check_runtime(!tensor.is_floating_point() || at::isfinite(tensor).all().item<bool>(),
                    "[train] ", options_.name, ": ", name, " is not finite after step ", step_,
                    "; not saved, ",
                    saved_step_ > 0 ? text("the checkpoint of step ", saved_step_, " still stands")
                                    : "there is no earlier checkpoint");
    }
    return tensors;
  }

  void save() {
    const StateDict tensors = this->tensors();
    if (options_.directory.empty()) return;
    Json progress = Json::object({{"skipped", skipped_},
                                  {"skipped_in_a_row", skipped_in_a_row_},
                                  {"seconds", seconds()},
                                  {"best_step", best_step_},
                                  {"best_value", best_value_},
                                  {"curve", to_json(curve_)},
                                  {"meter", meter_.state()}});
    save_checkpoint(checkpoint_directory(),
                    {options_.name, step_, finished_, configuration_, std::move(progress), tensors},
                    options_.keep_checkpoints);
    saved_step_ = step_;
  }

  [[noreturn]] void stop() {
    save();
    throw Interrupted(text("[train] ", options_.name, ": stopped after step ", step_, " of ",
                           options_.steps,
                           options_.directory.empty() ? "; nothing was saved: no directory"
                                                      : "; saved, resume to go on"));
  }

  void finish() {
    optimizer_.zero_grad();
    if (best_step_ > 0) {
      load_state_dict(module_, best_, options_.name);
    } else if (ema_) {
      ema_->copy_to(module_);
    }
    module_.eval();
    finished_ = true;
    save();
  }

  double seconds() const {
    const std::chrono::duration<double> now = std::chrono::steady_clock::now() - start_;
    return earlier_seconds_ + now.count();
  }

  TrainResult result() {
    return {options_.steps,   options_.steps * options_.batch_size,
            skipped_,         loaded_ ? earlier_seconds_ : seconds(),
            loaded_,          best_step_ > 0 ? best_step_ : options_.steps,
            std::move(curve_)};
  }

  torch::nn::Module& module_;
  const Sampler& sampler_;
  const TrainOptions& options_;
  Json configuration_;
  AdamW optimizer_;
  at::DeviceType device_;
  std::optional<EMA> ema_;
  std::optional<detail::MetricsLog> metrics_;

  std::int64_t step_ = 0;  // steps done
  std::int64_t saved_step_ = 0;
  std::int64_t skipped_ = 0;
  std::int64_t skipped_in_a_row_ = 0;
  bool finished_ = false;
  bool loaded_ = false;
  double rate_ = 0;
  double latest_loss_ = 0;
  std::int64_t best_step_ = 0;  // 0: never validated
  double best_value_ = 0;
  StateDict best_;
  double earlier_seconds_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  detail::Meter meter_;
  std::vector<LogPoint> curve_;
};

}  // namespace

TrainResult train(torch::nn::Module& module, std::vector<ParameterGroup> groups,
                  const Sampler& sampler, const std::function<StepLoss(const Batch&)>& step,
                  const TrainOptions& options, const TrainHooks& hooks) {
  detail::check(options);
  return Run(module, std::move(groups), sampler, options)(step, hooks);
}

}  // namespace dermis
