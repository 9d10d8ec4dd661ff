#include "dermis/experiment/prompt_following.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

#include "dermis/core/random.hpp"
#include "dermis/io/lesion_mask.hpp"
#include "dermis/metrics/classification.hpp"
#include "dermis/metrics/rank_correlation.hpp"

namespace dermis {
namespace {

using Measured = std::vector<std::optional<LesionMeasures>>;
using Values = std::vector<double>;
using Rows = std::vector<std::int64_t>;

/// None for a lesion that is too small or leaves no skin.
std::optional<LesionMeasures> measured_inside(const Image& image, const Image& mask) {
  try {
    return measure_lesion(image, mask);
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
}

/// `value` of what was measured, NaN where nothing was.
template <class Value>
Values values_of(const Measured& measured, const Value& value) {
  Values values;
  for (const auto& m : measured)
    values.push_back(m ? static_cast<double>(value(*m)) : std::numeric_limits<double>::quiet_NaN());
  return values;
}
template <class Value>
Values asked_of(const std::vector<LesionDescription>& asked, const Value& value) {
  Values values;
  for (const auto& a : asked) values.push_back(static_cast<double>(value(a)));
  return values;
}

/// What is asked and measured of one attribute.
struct Pair {
  Values asked, measured;

  double correlation(const Rows& asked_rows, const Rows& measured_rows) const {
    return spearman(select(asked, asked_rows), select(measured, measured_rows));
  }
};

bool names(const LesionDescription& description, const std::string& colour) {
  return std::find(description.colours.begin(), description.colours.end(), colour) !=
         description.colours.end();
}

std::vector<Pair> colour_pairs(const std::vector<LesionDescription>& asked,
                               const Measured& measured) {
  std::vector<Pair> pairs;
  for (std::size_t c = 0; c < dermoscopic_colours; ++c) {
    const auto& colour = dermoscopic_colour_names()[c];
    pairs.push_back({asked_of(asked, [&](const auto& a) { return names(a, colour); }),
                     values_of(measured, [&](const auto& m) { return m.colour_shares[c]; })});
  }
  return pairs;
}

double mean_correlation(const std::vector<Pair>& pairs, const Rows& asked, const Rows& measured) {
  std::vector<double> values;
  for (const auto& pair : pairs) values.push_back(pair.correlation(asked, measured));
  return mean_defined(values);
}

/// A correlation for rows of what is asked and of what is measured.
using Statistic = std::function<double(const Rows& asked, const Rows& measured)>;

PromptFollowing followed(const std::vector<LesionDescription>& asked, const Measured& measured,
                         const std::function<Interval(const Statistic&)>& interval) {
  check_argument(
      asked.size() == measured.size() && asked.size() >= 3,
      "[prompt_following] expected three images or more, each with its description, got ",
      measured.size(), " and ", asked.size());
  const auto of = [&](const Pair& pair) {
    return interval([&](const auto& a, const auto& m) { return pair.correlation(a, m); });
  };
  const auto colours = colour_pairs(asked, measured);
  PromptFollowing result;
  result.images = static_cast<std::int64_t>(asked.size());
  result.measured =
      std::count_if(measured.begin(), measured.end(), [](const auto& m) { return m.has_value(); });
  result.asymmetry = of({asked_of(asked, [](const auto& a) { return a.asymmetric_axes; }),
                         values_of(measured, [](const auto& m) {
                           return m.shape_asymmetry[0] + m.shape_asymmetry[1];
                         })});
  result.border = of({asked_of(asked, [](const auto& a) { return static_cast<int>(a.outline); }),
                      values_of(measured, [](const auto& m) { return m.irregularity; })});
  result.colour =
      interval([&](const auto& a, const auto& m) { return mean_correlation(colours, a, m); });
  for (std::size_t c = 0; c < colours.size(); ++c)
    result.colours.push_back({dermoscopic_colour_names()[c],
                              std::count(colours[c].asked.begin(), colours[c].asked.end(), 1.0),
                              of(colours[c])});
  return result;
}

}  // namespace

std::optional<LesionMeasures> measured_lesion(const Image& image) {
  return measured_inside(image, lesion_mask(image));
}

Measured measured_lesions(const at::Tensor& images) {
  Measured measured;
  for (const auto& image : images.unbind()) measured.push_back(measured_lesion(to_image(image)));
  return measured;
}

Measured measured_lesions(const at::Tensor& images, const at::Tensor& masks) {
  check_argument(images.size(0) == masks.size(0),
                 "[prompt_following] expected a mask an image, got ", masks.size(0), " for ",
                 images.size(0));
  Measured measured;
  for (std::int64_t i = 0; i < images.size(0); ++i)
    measured.push_back(
        measured_inside(to_image(images[i]),
                        to_image((masks[i] * 255).unsqueeze(0).expand({3, -1, -1}).contiguous())));
  return measured;
}

PromptFollowing prompt_following(const std::vector<LesionDescription>& asked,
                                 const Measured& measured, const BootstrapOptions& options) {
  const std::vector<std::string> groups(asked.size());  // every image its own
  return followed(asked, measured, [&](const Statistic& statistic) {
    return bootstrap_interval(
        groups, [&](const Rows& rows) { return statistic(rows, rows); }, options);
  });
}

PromptFollowing shuffled_following(const std::vector<LesionDescription>& asked,
                                   const Measured& measured, std::uint64_t seed,
                                   std::int64_t shuffles) {
  check_argument(shuffles >= 1, "[prompt_following] expected at least 1 shuffle, got ", shuffles);
  const auto count = static_cast<std::int64_t>(asked.size());
  Rows rows(asked.size());
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  return followed(asked, measured, [&](const Statistic& statistic) {
    std::vector<double> values;
    for (std::int64_t i = 0; i < shuffles; ++i)
      values.push_back(statistic(
          RandomStream(seed, "prompt_following/shuffled", 0, static_cast<std::uint64_t>(i))
              .permutation(count),
          rows));
    return percentile_interval(mean_defined(values), values, 0.95);
  });
}

Json to_json(const PromptFollowing& following) {
  Json colours = Json::object();
  for (const auto& one : following.colours) {
    auto figures = to_json(one.correlation);
    figures["asked"] = one.asked;
    colours[one.colour] = figures;
  }
  return Json::object({{"images", following.images},
                       {"measured", following.measured},
                       {"asymmetry", to_json(following.asymmetry)},
                       {"border", to_json(following.border)},
                       {"colour", to_json(following.colour)},
                       {"colours", colours}});
}

}  // namespace dermis
