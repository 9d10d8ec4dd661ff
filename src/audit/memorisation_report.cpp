#include <algorithm>
#include <numeric>

#include "dermis/audit/memorisation.hpp"
#include "dermis/core/check.hpp"
#include "dermis/io/contact_sheet.hpp"

namespace dermis {
namespace {

constexpr std::size_t kListed = 20;

/// Indices of the images, most suspicious first.
std::vector<std::size_t> by_suspicion(const MemorisationResult& result) {
  std::vector<std::size_t> order(result.images.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto &x = result.images[a], &y = result.images[b];
    return std::pair(x.p_value, x.pixel.ratio) < std::pair(y.p_value, y.pixel.ratio);
  });
  return order;
}

/// The space in which the image is more suspicious.
const NearestImage& nearest_of(const MemorisationImage& image) {
  return image.feature && image.feature->p_value < image.pixel.p_value ? *image.feature
                                                                       : image.pixel;
}

Json nearest_json(const NearestImage& nearest, const PixelSet& training) {
  return Json::object(
      {{"training", training.samples.at(static_cast<std::size_t>(nearest.training)).id},
       {"view", nearest.view},
       {"distance", nearest.distance},
       {"ratio", nearest.ratio},
       {"p_value", nearest.p_value}});
}

Json calibration_json(const DistanceCalibration& calibration) {
  return Json::object({{"images", calibration.held_out.size()},
                       {"distance_limit", calibration.distance_limit},
                       {"ratio_quartile", calibration.quartile},
                       {"exponent", calibration.exponent}});
}

}  // namespace

std::string MemorisationResult::verdict() const {
  const std::string weak =
      calibrated ? "" : text("; the calibration is weak: ", held_out_lesions, " held-out lesions");
  const std::string alike = low_diversity ? text("; low diversity: ", near_duplicates, " of ",
                                                 images.size(), " nearly repeat another")
                                          : "";
  if (copies > 0)
    return text("memorised: ", copies, " of ", images.size(), " are suspected copies",
                overfitted ? ", and the set as a whole is too near to training" : "", alike, weak);
  if (overfitted) return text("memorised: the set as a whole is too near to training", alike, weak);
  if (!calibrated)
    return text("not calibrated: no copies found, but only ", held_out_lesions,
                " held-out lesions to tell", alike);
  return text("no copies found among ", images.size(), alike);
}

Json to_json(const MemorisationResult& result, const PixelSet& training) {
  Json images = Json::array();
  const auto order = by_suspicion(result);
  for (std::size_t k = 0; k < order.size(); ++k) {
    const auto& image = result.images[order[k]];
    if (k >= kListed && !image.copy) continue;
    Json entry =
        Json::object({{"id", image.id},
                      {"class", training.classes.at(static_cast<std::size_t>(image.label))},
                      {"copy", image.copy},
                      {"p_value", image.p_value},
                      {"pixel", nearest_json(image.pixel, training)}});
    if (image.feature) entry["feature"] = nearest_json(*image.feature, training);
    images.push_back(std::move(entry));
  }
  Json json = Json::object({{"verdict", result.verdict()},
                            {"memorised", result.memorised()},
                            {"calibrated", result.calibrated},
                            {"synthetic_images", result.images.size()},
                            {"training_images", training.size()},
                            {"held_out_lesions", result.held_out_lesions},
                            {"held_out_left_out", result.held_out_left_out},
                            {"copies", result.copies},
                            {"copy_share", to_json(result.copy_share)},
                            {"expected_false_alarms", result.expected_false_alarms},
                            {"closeness", to_json(result.closeness)},
                            {"overfitted", result.overfitted},
                            {"near_duplicates", result.near_duplicates},
                            {"low_diversity", result.low_diversity},
                            {"pixel", calibration_json(result.pixel)}});
  if (result.feature) json["feature"] = calibration_json(*result.feature);
  json["images"] = std::move(images);
  return json;
}

Image memorisation_pictures(const PixelSet& training, const PixelSet& synthetic,
                            const MemorisationResult& result, std::int64_t count,
                            std::int64_t scale) {
  check_argument(synthetic.samples.size() == result.images.size(), "[memorisation] expected the ",
                 result.images.size(), " images of the result, got ", synthetic.size());
  check_argument(count >= 1, "[memorisation] expected a count of at least 1, got ", count);
  const auto order = by_suspicion(result);
  std::vector<Image> images;
  for (std::size_t k = 0; k < std::min(order.size(), static_cast<std::size_t>(count)); ++k) {
    const auto& nearest = nearest_of(result.images[order[k]]);
    check_argument(nearest.training >= 0 && nearest.training < training.size(),
                   "[memorisation] expected the result's training images, got ", training.size());
    const auto image = synthetic.images[static_cast<std::int64_t>(order[k])];
    const auto source = training.images.narrow(0, nearest.training, 1);
    const auto turned = right_angle_view(source, nearest.view)[0];
    const auto difference = (image.to(at::kInt) - turned.to(at::kInt)).abs().to(at::kByte);
    for (const auto& pixels : {image, turned, difference}) images.push_back(to_image(pixels));
  }
  return grid(images, 3, 2, scale);
}

}  // namespace dermis
