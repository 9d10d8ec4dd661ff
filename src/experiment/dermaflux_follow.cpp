#include <algorithm>
#include <cmath>

#include "dermis/core/random.hpp"
#include "dermis/data/masks.hpp"
#include "dermis/experiment/dermaflux.hpp"
#include "dermis/metrics/classification.hpp"

namespace dermis {
namespace {

constexpr std::size_t blue_grey = 4;  // of dermoscopic_colour_names()

/// Asymmetric about both axes, and blue-grey: whatever else it is.
LesionDescription as_held_out(LesionDescription d) {
  const auto& colour = dermoscopic_colour_names()[blue_grey];
  d.asymmetric_axes = 2;
  if (std::find(d.colours.begin(), d.colours.end(), colour) == d.colours.end())
    d.colours.back() = colour;
  return d;
}

/// Descriptions of the phantom's test lesions, every fourth one changed.
std::vector<LesionDescription> questions(const Phantom& phantom, std::int64_t count,
                                         std::uint64_t seed) {
  const auto part = PhantomPart::Test;
  const auto& classes = phantom_classes();
  const auto order = RandomStream(seed, "follow_prompts").permutation(phantom.size(part));
  std::vector<LesionDescription> asked;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto truth = phantom.attributes(part, order[static_cast<std::size_t>(i) % order.size()]);
    auto description =
        describe(truth, is_malignant(classes.at(static_cast<std::size_t>(truth.label))));
    asked.push_back(i % 4 == 3 ? as_held_out(std::move(description)) : std::move(description));
  }
  return asked;
}

std::vector<ImageRequest> requests_of(const std::vector<LesionDescription>& asked,
                                      std::uint64_t seed) {
  std::vector<ImageRequest> requests;
  for (std::size_t i = 0; i < asked.size(); ++i)
    requests.push_back({caption(asked[i], i, {.seed = seed + 1}), static_cast<std::int64_t>(i),
                        malignancy_classes()[asked[i].malignant ? 1 : 0]});
  return requests;
}

/// AUC of `value` for the images of held-out prompts against those of `others`.
template <class Other, class Value>
Interval separation(const std::vector<LesionDescription>& asked,
                    const std::vector<std::optional<LesionMeasures>>& measured, const Other& other,
                    const Value& value) {
  std::vector<double> scores;
  std::vector<int> positive;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (!measured[i] || !(is_held_out(asked[i]) || other(asked[i]))) continue;
    scores.push_back(value(*measured[i]));
    positive.push_back(is_held_out(asked[i]));
  }
  if (scores.empty()) return {NAN, NAN, NAN};
  return bootstrap_interval(std::vector<std::string>(scores.size()), [&](const auto& rows) {
    return auc(select(scores, rows), select(positive, rows));
  });
}

/// The measuring itself, on images whose truth is known.
void measure_truth(FollowingResults& results, const Phantom& phantom, std::int64_t count) {
  const auto part = PhantomPart::Test;
  std::vector<std::int64_t> rows;  // spread over the classes, which lie one after the other
  for (std::int64_t i = 0; i < std::min(count, phantom.size(part)); ++i)
    rows.push_back(i * phantom.size(part) / std::min(count, phantom.size(part)));
  const auto set = load_pixels(phantom.dataset(part).subset(rows), phantom.options().image_size,
                               {.progress = false});
  std::vector<LesionDescription> truth;
  for (const auto row : rows) truth.push_back(describe(phantom.attributes(part, row), false));
  const auto masks = with_phantom_masks(phantom, part, set).masks;
  results.truth = prompt_following(truth, measured_lesions(set.images, masks));
  results.found = prompt_following(truth, measured_lesions(set.images));
}

}  // namespace

FollowingResults follow_prompts(const DermafluxRecipe& recipe, const TextToImage& model,
                                const Phantom& phantom, const StageContext& context) {
  FollowingResults results;
  measure_truth(results, phantom, recipe.followed_images);
  const auto asked = questions(phantom, recipe.followed_images, context.seed);
  results.requests = requests_of(asked, context.seed);
  results.held_out_prompts = std::count_if(asked.begin(), asked.end(), is_held_out);
  results.images = draw_images(
      prompted(model), results.requests, malignancy_classes(), context.seed,
      context.out.empty() ? std::filesystem::path() : context.out / "following", context.progress);
  const auto measured = measured_lesions(results.images.images);
  results.drawn = prompt_following(asked, measured);
  results.shuffled = shuffled_following(asked, measured, context.seed);
  results.held_out_asymmetry = separation(
      asked, measured, [](const auto& d) { return d.asymmetric_axes == 0; },
      [](const auto& m) { return m.shape_asymmetry[0] + m.shape_asymmetry[1]; });
  results.held_out_colour = separation(
      asked, measured,
      [](const auto& d) {
        return std::find(d.colours.begin(), d.colours.end(),
                         dermoscopic_colour_names()[blue_grey]) == d.colours.end();
      },
      [](const auto& m) { return m.colour_shares[blue_grey]; });
  return results;
}

Json to_json(const FollowingResults& r) {
  return Json::object(
      {{"images", r.drawn.images},
       {"held_out_prompts", r.held_out_prompts},
       {"measuring",
        Json::object({{"true_masks", to_json(r.truth)}, {"found_masks", to_json(r.found)}})},
       {"drawn", to_json(r.drawn)},
       {"shuffled_prompts", to_json(r.shuffled)},
       {"held_out", Json::object({{"asymmetry_auc", to_json(r.held_out_asymmetry)},
                                  {"blue_grey_auc", to_json(r.held_out_colour)}})}});
}

}  // namespace dermis
