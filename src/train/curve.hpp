#pragma once
/// \file
/// Log points: running means and their JSON form.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/train/loop.hpp"

namespace dermis::detail {

/// Means over the steps since the last log point. Its state goes into checkpoints, so that a
/// resumed run logs the very same means.
class Meter {
 public:
  void add(double loss, double gradient_norm,
           const std::vector<std::pair<std::string, double>>& values);
  /// The point of `step`; starts over.
  LogPoint take(std::int64_t step, double learning_rate);

  Json state() const;
  void load(const Json& state);

 private:
  struct Mean {
    double sum = 0;
    std::int64_t count = 0;
    double value() const;
  };

  Mean loss_, gradient_norm_;
  std::vector<std::pair<std::string, Mean>> values_;  // in the order of first appearance
};

/// Adds values / parts to the sums of the same name: the values of a step computed in parts.
void add_mean(std::vector<std::pair<std::string, double>>& sums,
              const std::vector<std::pair<std::string, double>>& values, double parts);

Json to_json(const LogPoint& point);
std::vector<LogPoint> curve_from_json(const Json& curve);

}  // namespace dermis::detail
