#include "curve.hpp"

#include <algorithm>
#include <limits>

#include "dermis/core/check.hpp"

namespace dermis {
namespace detail {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();  // null in JSON

}  // namespace

double Meter::Mean::value() const {
  return count > 0 ? sum / static_cast<double>(count) : kNaN;
}

void Meter::add(double loss, double gradient_norm,
                const std::vector<std::pair<std::string, double>>& values) {
  const auto include = [](Mean& mean, double value) {
    mean.sum += value;
    ++mean.count;
  };
  include(loss_, loss);
  include(gradient_norm_, gradient_norm);
  for (const auto& [name, value] : values) {
    auto entry = std::find_if(values_.begin(), values_.end(),
                              [&name = name](const auto& e) { return e.first == name; });
    if (entry == values_.end()) entry = values_.insert(entry, {name, {}});
    include(entry->second, value);
  }
}

LogPoint Meter::take(std::int64_t step, double learning_rate) {
  LogPoint point{step, loss_.value(), learning_rate, gradient_norm_.value(), {}};
  for (const auto& [name, mean] : values_) point.values.emplace_back(name, mean.value());
  *this = {};
  return point;
}

Json Meter::state() const {
  const auto entry = [](const std::string& name, const Mean& mean) {
    return Json::array({name, mean.sum, mean.count});
  };
  Json state = Json::array({entry("loss", loss_), entry("gradient_norm", gradient_norm_)});
  for (const auto& [name, mean] : values_) state.push_back(entry(name, mean));
  return state;
}

void Meter::load(const Json& state) {
  *this = {};
  for (std::size_t i = 0; i < state.elements().size(); ++i) {
    const std::vector<Json>& entry = state.elements()[i].elements();
    check_runtime(entry.size() == 3, "[checkpoint] expected means as [name, sum, count], got ",
                  state.dump());
    const Json& sum = entry[1];
    const Mean mean{sum.is_null() ? kNaN : sum.get<double>(), entry[2].get<std::int64_t>()};
    if (i == 0) {
      loss_ = mean;
    } else if (i == 1) {
      gradient_norm_ = mean;
    } else {
      values_.emplace_back(entry[0].get<std::string>(), mean);
    }
  }
}

void add_mean(std::vector<std::pair<std::string, double>>& sums,
              const std::vector<std::pair<std::string, double>>& values, double parts) {
  for (const auto& [name, value] : values) {
    const auto known = std::find_if(
        sums.begin(), sums.end(), [&, &name = name](const auto& sum) { return sum.first == name; });
    if (known == sums.end()) {
      sums.emplace_back(name, value / parts);
    } else {
      known->second += value / parts;
    }
  }
}

Json to_json(const LogPoint& point) {
  Json values = Json::object();
  for (const auto& [name, value] : point.values) values[name] = value;
  return Json::object({{"step", point.step},
                       {"loss", point.loss},
                       {"learning_rate", point.learning_rate},
                       {"gradient_norm", point.gradient_norm},
                       {"values", values}});
}

std::vector<LogPoint> curve_from_json(const Json& curve) {
  std::vector<LogPoint> points;
  for (const Json& entry : curve.elements()) {
    LogPoint point{entry.at("step").get<std::int64_t>(),
                   entry.value("loss", kNaN),
                   entry.value("learning_rate", kNaN),
                   entry.value("gradient_norm", kNaN),
                   {}};
    for (const auto& [name, value] : entry.at("values").items()) {
      point.values.emplace_back(name, value.is_null() ? kNaN : value.get<double>());
    }
    points.push_back(std::move(point));
  }
  return points;
}

}  // namespace detail

Json to_json(const std::vector<LogPoint>& curve) {
  Json points = Json::array();
  for (const LogPoint& point : curve) points.push_back(detail::to_json(point));
  return points;
}

}  // namespace dermis
