#pragma once
/// \file
/// The keys of diffusers' scheduler_config.json and the names in it.

#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/diffusion/objective.hpp"
#include "dermis/diffusion/sampler.hpp"

namespace dermis {

/// Keys that the schedulers write. One that says nothing to the scheduler being read is not read,
/// as in diffusers.
inline constexpr const char* kSchedulerKeys =
    "algorithm_type base_image_seq_len base_shift beta_end beta_schedule beta_start clip_sample "
    "clip_sample_range dynamic_thresholding_ratio euler_at_final final_sigmas_type flow_shift "
    "interpolation_type invert_sigmas lambda_min_clipped lower_order_final max_image_seq_len "
    "max_shift num_train_timesteps prediction_type rescale_betas_zero_snr sample_max_value "
    "set_alpha_to_one shift shift_terminal sigma_max sigma_min skip_prk_steps solver_order "
    "solver_type steps_offset stochastic_sampling thresholding time_shift_type timestep_spacing "
    "timestep_type trained_betas use_beta_sigmas use_dynamic_shifting use_exponential_sigmas "
    "use_flow_sigmas use_karras_sigmas use_lu_lambdas variance_type";

/// Reads an object; every error names source, key and value.
class Keys {
 public:
  Keys(const Json& object, std::string source) : object_(object), source_(std::move(source)) {
    check_runtime(object.is_object(), "[scheduler_config] ", source_, ": expected an object, got ",
                  object.dump());
  }

  /// The value of `key`; `fallback` where it is absent or null.
  template <class T>
  T get(const char* key, T fallback) const {
    try {
      return object_.value(key, fallback);
    } catch (const std::exception&) {
      refuse(key,
             std::is_same_v<T, bool>          ? "true or false"
             : std::is_same_v<T, std::string> ? "a string"
             : std::is_integral_v<T>          ? "an integer"
                                              : "a number",
             object_.at(key));
    }
  }
  std::string get(const char* key, const char* fallback) const {
    return get<std::string>(key, std::string(fallback));
  }

  /// The value that `of` has for the name found at `key`.
  template <class T>
  T choose(const char* key, const char* fallback,
           const std::vector<std::pair<std::string, T>>& of) const {
    const auto found = get(key, fallback);
    std::string names;
    for (const auto& [text, value] : of) {
      if (text == found) return value;
      names += (names.empty() ? "" : ", ") + text;
    }
    refuse(key, names, Json(found));
  }

  /// Refuses any value of `key` but `only` and null.
  void expect(const char* key, const Json& only) const {
    if (object_.contains(key) && !object_.at(key).is_null() && object_.at(key) != only)
      refuse(key, only.dump(), object_.at(key));
  }

  [[noreturn]] void refuse(const char* key, const std::string& expected, const Json& found) const {
    throw std::runtime_error(text("[scheduler_config] ", source_, ": key '", key, "': expected ",
                                  expected, ", got ", found.dump()));
  }

  /// Refuses keys that no scheduler has. Those beginning with an underscore are diffusers' own.
  void finish() const {
    std::istringstream keys(kSchedulerKeys);
    const std::set<std::string> known{std::istream_iterator<std::string>(keys), {}};
    for (const auto& [key, value] : object_.items())
      check_runtime(key.rfind('_', 0) == 0 || known.count(key) > 0, "[scheduler_config] ", source_,
                    ": unknown key '", key, "' with value ", value.dump());
  }

 private:
  const Json& object_;
  std::string source_;
};

inline const std::vector<std::pair<std::string, Betas>> kBetas = {
    {"linear", Betas::Linear},
    {"scaled_linear", Betas::ScaledLinear},
    {"squaredcos_cap_v2", Betas::Cosine}};
inline const std::vector<std::pair<std::string, Spacing>> kSpacings = {
    {"linspace", Spacing::Linspace},
    {"leading", Spacing::Leading},
    {"trailing", Spacing::Trailing}};
inline const std::vector<std::pair<std::string, Prediction>> kPredictions = {
    {"epsilon", Prediction::Epsilon},
    {"sample", Prediction::Sample},
    {"v_prediction", Prediction::Velocity}};
inline const std::vector<std::pair<std::string, bool>> kFinalSigmas = {{"zero", true},
                                                                       {"sigma_min", false}};

}  // namespace dermis
