#include "dermis/audit/memorisation.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "dermis/core/check.hpp"
#include "dermis/data/groups.hpp"
#include "dermis/metrics/classification.hpp"
#include "nearest.hpp"

namespace dermis {
namespace {

constexpr std::int64_t kLeastLesions = 10;
constexpr double kOverfitted = 0.6;       // closeness
constexpr double kNearDuplicates = 0.05;  // share of the synthetic images
constexpr double kTail = 0.25;            // of the held-out values, what the power law is fitted to

void check_images(const PixelSet& set, const char* name, std::int64_t side) {
  check_argument(
      set.images.defined() && set.images.scalar_type() == at::kByte && set.images.dim() == 4 &&
          set.images.size(0) == set.size() && set.images.size(1) == 3 &&
          set.images.size(2) == side && set.images.size(3) == side,
      "[memorisation] expected ", name, " images uint8 [N, 3, ", side, ", ", side, "], got ",
      set.images.defined() ? text(set.images.scalar_type(), " ", set.images.sizes())
                           : "an undefined tensor");
}

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const double at = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const auto above = std::min(below + 1, values.size() - 1);
  return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
}

/// P(value < x) = kTail (x / quartile)^exponent for x below the quartile.
struct LowerTail {
  double quartile = 0, exponent = 0;

  explicit LowerTail(const std::vector<double>& values) : quartile(quantile(values, kTail)) {
    std::vector<double> logs;
    for (const double value : values)
      if (value <= quartile) logs.push_back(std::log(quartile / std::max(value, 1e-9)));
    exponent = std::log(2.0) / std::max(quantile(logs, 0.5), 1e-9);
  }
  double value_at(double probability) const {
    return quartile * std::pow(probability / kTail, 1 / exponent);
  }
};

template <class Get>
std::vector<double> values_of(const std::vector<NearestImage>& images, Get get) {
  std::vector<double> values;
  for (const auto& image : images) values.push_back(std::invoke(get, image));
  return values;
}

DistanceCalibration calibrate(std::vector<NearestImage> held_out) {
  const LowerTail tail(values_of(held_out, &NearestImage::ratio));
  DistanceCalibration calibration;
  calibration.distance_limit = quantile(values_of(held_out, &NearestImage::distance), 0.05);
  calibration.quartile = tail.quartile;
  calibration.exponent = tail.exponent;
  calibration.held_out = std::move(held_out);
  return calibration;
}

void set_p_values(std::vector<NearestImage>& images, const DistanceCalibration& calibration) {
  auto ratios = values_of(calibration.held_out, &NearestImage::ratio);
  std::sort(ratios.begin(), ratios.end());
  for (auto& image : images) {
    if (image.distance > calibration.distance_limit) continue;  // p stays 1
    const auto below = std::lower_bound(ratios.begin(), ratios.end(), image.ratio) - ratios.begin();
    image.p_value = image.ratio < calibration.quartile
                        ? kTail * std::pow(image.ratio / calibration.quartile, calibration.exponent)
                        : static_cast<double>(1 + below) / static_cast<double>(1 + ratios.size());
  }
}

/// The largest p-value that Benjamini and Hochberg reject, -1 for none.
double rejected_up_to(std::vector<double> p_values, double level) {
  std::sort(p_values.begin(), p_values.end());
  const auto count = static_cast<double>(p_values.size());
  for (auto i = p_values.size(); i > 0; --i)
    if (p_values[i - 1] <= level * static_cast<double>(i) / count) return p_values[i - 1];
  return -1;
}

Interval wilson(std::int64_t hits, std::int64_t count) {
  constexpr double z = 1.959964;
  const auto n = static_cast<double>(count);
  const double share = static_cast<double>(hits) / n;
  const double centre = (share + z * z / (2 * n)) / (1 + z * z / n);
  const double half =
      z / (1 + z * z / n) * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  return {share, std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

Interval closeness(const std::vector<NearestImage>& synthetic,
                   const std::vector<NearestImage>& held_out,
                   const std::vector<std::int64_t>& held_out_groups,
                   const MemorisationOptions& options) {
  std::vector<double> scores;
  std::vector<int> positive;
  std::vector<std::string> groups;
  for (const auto& image : synthetic) {
    scores.push_back(-image.ratio);
    positive.push_back(1);
    groups.emplace_back();
  }
  for (std::size_t i = 0; i < held_out.size(); ++i) {
    scores.push_back(-held_out[i].ratio);
    positive.push_back(0);
    groups.push_back(std::to_string(held_out_groups[i]));
  }
  return bootstrap_interval(groups,
                            [&](const std::vector<std::int64_t>& rows) {
                              return auc(select(scores, rows), select(positive, rows));
                            },
                            {.level = 1 - options.level, .seed = options.seed});
}

/// Indices of the images whose lesion and patient are in no training image.
std::vector<std::int64_t> unseen(const PixelSet& training, const PixelSet& held_out) {
  std::set<std::string> lesions, patients;
  for (const auto& sample : training.samples) {
    lesions.insert(sample.lesion);
    patients.insert(sample.patient);
  }
  const auto seen = [](const std::set<std::string>& names, const std::string& name) {
    return !name.empty() && names.count(name) > 0;
  };
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < held_out.size(); ++i) {
    const auto& sample = held_out.samples[static_cast<std::size_t>(i)];
    if (!seen(lesions, sample.lesion) && !seen(patients, sample.patient)) indices.push_back(i);
  }
  return indices;
}

std::int64_t group_count(const std::vector<std::int64_t>& groups) {
  return groups.empty() ? 0 : 1 + *std::max_element(groups.begin(), groups.end());
}

}  // namespace

MemorisationResult memorisation_audit(const PixelSet& training, const PixelSet& held_out,
                                      const PixelSet& synthetic,
                                      const MemorisationOptions& options) {
  check_argument(options.level > 0 && options.level < 1,
                 "[memorisation] expected a level between 0 and 1, got ", options.level);
  check_argument(training.images.defined() && training.images.dim() == 4,
                 "[memorisation] expected training images [N, 3, S, S], got ",
                 training.images.defined() ? text(training.images.sizes()) : "none");
  const auto side = training.images.size(2);
  check_images(training, "training", side);
  check_images(held_out, "held-out", side);
  check_images(synthetic, "synthetic", side);
  check_argument(synthetic.size() > 0, "[memorisation] expected synthetic images, got none");
  const auto groups = joined_groups(training.samples);
  const auto fresh = held_out.subset(unseen(training, held_out));
  const auto fresh_groups = joined_groups(fresh.samples);
  for (const auto& [name, count] : {std::pair("training", group_count(groups)),
                                    std::pair("held-out", group_count(fresh_groups))})
    check_argument(count >= kLeastLesions, "[memorisation] expected at least ", kLeastLesions, " ",
                   name, " lesions (held-out ones not in training), got ", count);
  check_argument(options.neighbour >= 2 && options.neighbour <= group_count(groups),
                 "[memorisation] expected neighbour in [2, ", group_count(groups),
                 "], the training lesions, got ", options.neighbour);
  const at::NoGradGuard no_grad;

  MemorisationResult result;
  result.held_out_lesions = group_count(fresh_groups);
  result.held_out_left_out = held_out.size() - fresh.size();
  result.calibrated = result.held_out_lesions >= options.minimum_held_out;
  const auto compare = [&](const auto& views_of, DistanceCalibration& calibration) {
    const auto keys = views_of(training.images)[0];
    calibration =
        calibrate(detail::nearest_images(views_of(fresh.images), keys, groups, options.neighbour));
    auto found =
        detail::nearest_images(views_of(synthetic.images), keys, groups, options.neighbour);
    set_p_values(found, calibration);
    return found;
  };
  const auto pixel = compare(detail::pixel_views, result.pixel);
  std::vector<NearestImage> feature;
  if (options.encoder) {
    const Eigen::MatrixXd raw = options.encoder(training.images);
    check_argument(raw.rows() == training.size() && raw.cols() > 0,
                   "[memorisation] expected features of shape [", training.size(), ", D], got [",
                   raw.rows(), ", ", raw.cols(), "]");
    const Eigen::RowVectorXd mean = raw.colwise().mean();
    const Eigen::RowVectorXd deviation =
        ((raw.rowwise() - mean).colwise().squaredNorm() / static_cast<double>(raw.rows()))
            .cwiseSqrt()
            .cwiseMax(1e-6);
    feature = compare(
        [&](const at::Tensor& images) {
          return detail::feature_views(options.encoder, images, mean, deviation);
        },
        result.feature.emplace());
  }

  std::vector<double> p_values;
  for (std::size_t i = 0; i < pixel.size(); ++i) {
    const auto& sample = synthetic.samples[i];
    MemorisationImage image{.id = sample.id, .label = sample.label, .pixel = pixel[i]};
    image.p_value = pixel[i].p_value;
    if (options.encoder) {
      image.feature = feature[i];
      image.p_value = std::min(1.0, 2 * std::min(image.p_value, feature[i].p_value));
    }
    p_values.push_back(image.p_value);
    result.images.push_back(std::move(image));
  }
  const double limit = rejected_up_to(p_values, options.level / 2);
  for (auto& image : result.images) {
    image.copy = image.p_value <= limit;
    result.copies += image.copy;
  }
  result.copy_share = wilson(result.copies, synthetic.size());
  result.expected_false_alarms =
      options.level / 2 * static_cast<double>(std::max<std::int64_t>(1, result.copies));

  result.closeness = closeness(pixel, result.pixel.held_out, fresh_groups, options);
  result.overfitted = result.closeness.lo > kOverfitted;
  // A synthetic pair counts if a held-out image so near to training would be called a copy.
  const double near = LowerTail(values_of(result.pixel.held_out, &NearestImage::distance))
                          .value_at(options.level / 2 / static_cast<double>(synthetic.size()));
  for (const double distance : detail::nearest_other(detail::pixel_views(synthetic.images)))
    result.near_duplicates += distance < near;
  result.low_diversity = static_cast<double>(result.near_duplicates) >
                         kNearDuplicates * static_cast<double>(synthetic.size());
  return result;
}

}  // namespace dermis
