#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "dermis/audit/shortcuts.hpp"
#include "dermis/core/check.hpp"
#include "dermis/core/random.hpp"

namespace dermis {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// A row a lesion.
struct Lesions {
  Eigen::MatrixXd scores;  ///< mean over the views, NaN where no view has one
  std::vector<int> labels;
};

Lesions mean_by_lesion(const Eigen::MatrixXd& scores, const std::vector<int>& labels,
                       const std::vector<std::string>& names) {
  std::map<std::string, std::size_t> places;
  Lesions lesions;
  std::vector<std::size_t> place;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    std::size_t at = lesions.labels.size();
    if (!names[i].empty()) at = places.emplace(names[i], at).first->second;
    if (at == lesions.labels.size()) lesions.labels.push_back(labels[i]);
    place.push_back(at);
  }
  const auto count = static_cast<Eigen::Index>(lesions.labels.size());
  Eigen::ArrayXXd sums = Eigen::ArrayXXd::Zero(count, scores.cols()), views = sums;
  for (Eigen::Index i = 0; i < scores.rows(); ++i) {
    const auto at = static_cast<Eigen::Index>(place[static_cast<std::size_t>(i)]);
    for (Eigen::Index a = 0; a < scores.cols(); ++a) {
      if (std::isnan(scores(i, a))) continue;
      sums(at, a) += scores(i, a);
      ++views(at, a);
    }
  }
  lesions.scores = sums / views;  // 0 / 0 is NaN
  return lesions;
}

/// Mid-ranks from 1; rows that are NaN get the mean rank, which speaks for no side.
Eigen::VectorXd mid_ranks(const Eigen::VectorXd& values) {
  std::vector<Eigen::Index> order;
  for (Eigen::Index i = 0; i < values.size(); ++i)
    if (!std::isnan(values[i])) order.push_back(i);
  std::sort(order.begin(), order.end(),
            [&](Eigen::Index a, Eigen::Index b) { return values[a] < values[b]; });
  const auto missing = static_cast<double>(values.size()) - static_cast<double>(order.size());
  Eigen::VectorXd ranks =
      Eigen::VectorXd::Constant(values.size(), (static_cast<double>(values.size()) + 1) / 2);
  for (std::size_t first = 0; first < order.size();) {
    std::size_t end = first;
    while (end < order.size() && values[order[end]] == values[order[first]]) ++end;
    const double rank = static_cast<double>(first + end + 1) / 2 + missing / 2;
    for (; first < end; ++first) ranks[order[first]] = rank;
  }
  return ranks;
}

/// AUC of each class against the rest, by artefact: [A, C], from ranks [L, A].
Eigen::MatrixXd aucs(const Eigen::MatrixXd& ranks, const std::vector<int>& labels,
                     const Eigen::ArrayXd& counts) {
  Eigen::MatrixXd sums = Eigen::MatrixXd::Zero(ranks.cols(), counts.size());
  for (Eigen::Index i = 0; i < ranks.rows(); ++i)
    sums.col(labels[static_cast<std::size_t>(i)]) += ranks.row(i).transpose();
  const auto total = static_cast<double>(ranks.rows());
  for (Eigen::Index c = 0; c < counts.size(); ++c) {
    const double n = counts[c];
    sums.col(c) = ((sums.col(c).array() - n * (n + 1) / 2) / (n * (total - n))).matrix();
  }
  return sums;
}

}  // namespace

Eigen::MatrixXd artefact_scores(const PixelSet& set) {
  Eigen::MatrixXd scores(set.size(), static_cast<Eigen::Index>(all_artefacts.size()));
  for (int64_t i = 0; i < set.size(); ++i) {
    const auto values = artefact_scores(to_image(set.images[i]));
    for (std::size_t a = 0; a < values.size(); ++a)
      scores(i, static_cast<Eigen::Index>(a)) = values[a];
  }
  return scores;
}

std::vector<ArtefactLink> artefact_links(const Eigen::MatrixXd& scores,
                                         const std::vector<int>& labels,
                                         const std::vector<std::string>& lesions,
                                         const std::vector<std::string>& classes,
                                         const ArtefactLinkOptions& options) {
  const auto rows = static_cast<std::size_t>(scores.rows());
  check_argument(scores.cols() == static_cast<Eigen::Index>(all_artefacts.size()),
                 "[shortcut] expected scores [N, ", all_artefacts.size(), "], got ", scores.cols(),
                 " columns");
  check_argument(labels.size() == rows && lesions.size() == rows,
                 "[shortcut] expected labels and lesions of ", rows, " images, got ", labels.size(),
                 " and ", lesions.size());
  for (const int label : labels)
    check_argument(label >= 0 && label < static_cast<int>(classes.size()),
                   "[shortcut] expected labels in 0 .. ", static_cast<int>(classes.size()) - 1,
                   ", got ", label);
  check_argument(options.alpha > 0 && options.alpha < 1,
                 "[shortcut] expected alpha between 0 and 1, got ", options.alpha);
  check_argument(options.permutations > 0, "[shortcut] expected at least 1 permutation, got ",
                 options.permutations);

  Lesions data = mean_by_lesion(scores, labels, lesions);
  Eigen::MatrixXd ranks(data.scores.rows(), scores.cols());
  for (Eigen::Index a = 0; a < scores.cols(); ++a) ranks.col(a) = mid_ranks(data.scores.col(a));
  const auto total = static_cast<double>(ranks.rows());
  Eigen::ArrayXd counts = Eigen::ArrayXd::Zero(static_cast<Eigen::Index>(classes.size()));
  for (const int label : data.labels) ++counts[label];
  // Standard deviation of an AUC by chance; untested classes have weight 0.
  Eigen::ArrayXd weight = Eigen::ArrayXd::Zero(counts.size());
  for (Eigen::Index c = 0; c < counts.size(); ++c) {
    const double n = counts[c];
    if (n >= static_cast<double>(options.least_lesions) && n < total)
      weight[c] = std::sqrt(12 * n * (total - n) / (total + 1));
  }
  const auto statistic = [&](const std::vector<int>& order) {
    Eigen::ArrayXXd z = aucs(ranks, order, counts).array();
    for (Eigen::Index c = 0; c < counts.size(); ++c) {
      if (weight[c] > 0)
        z.col(c) = (z.col(c) - 0.5).abs() * weight[c];
      else
        z.col(c) = 0;
    }
    return z;
  };
  const Eigen::ArrayXXd observed = statistic(data.labels);
  Eigen::ArrayXXd as_large = Eigen::ArrayXXd::Ones(observed.rows(), observed.cols());
  for (std::int64_t k = 0; k < options.permutations; ++k) {
    RandomStream random(options.seed, "artefact links", 0, static_cast<std::uint64_t>(k));
    std::vector<int> shuffled = data.labels;
    random.shuffle(shuffled);
    const double largest = statistic(shuffled).maxCoeff();
    as_large += (observed <= largest + 1e-12).cast<double>();
  }
  const Eigen::MatrixXd auc = aucs(ranks, data.labels, counts);
  std::vector<ArtefactLink> links;
  for (std::size_t a = 0; a < all_artefacts.size(); ++a) {
    for (std::size_t c = 0; c < classes.size(); ++c) {
      const auto row = static_cast<Eigen::Index>(a), column = static_cast<Eigen::Index>(c);
      ArtefactLink link{all_artefacts[a], classes[c], nan, nan, false};
      if (weight[column] > 0) {
        link.auc = auc(row, column);
        link.p = as_large(row, column) / static_cast<double>(options.permutations + 1);
        link.found = link.p < options.alpha && std::abs(link.auc - 0.5) >= options.least_effect;
      }
      links.push_back(std::move(link));
    }
  }
  return links;
}

std::vector<ArtefactLink> artefact_links(const PixelSet& set, const ArtefactLinkOptions& options) {
  return artefact_links(artefact_scores(set), labels_of(set), lesions_of(set), set.classes,
                        options);
}

Json to_json(const std::vector<ArtefactLink>& links) {
  Json json = Json::array();
  for (const ArtefactLink& link : links)
    json.push_back(Json::object({{"artefact", name_of(link.artefact)},
                                 {"class", link.name},
                                 {"auc", link.auc},
                                 {"p", link.p},
                                 {"found", link.found}}));
  return json;
}

}  // namespace dermis
