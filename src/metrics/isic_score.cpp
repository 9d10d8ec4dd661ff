#include "dermis/metrics/isic_score.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "dermis/core/check.hpp"
#include "dermis/metrics/classification.hpp"
#include "isic_pair.hpp"
#include "weighted_roc.hpp"

namespace dermis {
namespace {

using detail::IsicPair;
using detail::IsicWeights;
using Figure = std::pair<const char*, double IsicFigures::*>;

constexpr std::array<Figure, 9> figures{{{"accuracy", &IsicFigures::accuracy},
                                         {"sensitivity", &IsicFigures::sensitivity},
                                         {"specificity", &IsicFigures::specificity},
                                         {"dice", &IsicFigures::dice},
                                         {"ppv", &IsicFigures::ppv},
                                         {"npv", &IsicFigures::npv},
                                         {"auc", &IsicFigures::auc},
                                         {"auc_sens_80", &IsicFigures::auc_sens_80},
                                         {"ap", &IsicFigures::ap}}};

/// Mean over classes of the weight of their right predictions over the weight of their images.
double balanced_accuracy(const IsicPair& pair, const IsicWeights& weights) {
  const std::vector<int> truth = predict_labels(pair.truth);
  const std::vector<int> predicted = predict_labels(pair.prediction);
  std::vector<double> hits(pair.classes.size()), all(pair.classes.size());
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (truth[i] == undecided) continue;
    const auto label = static_cast<std::size_t>(truth[i]);
    all[label] += weights.own[i];
    if (predicted[i] == truth[i]) hits[label] += weights.placed[i];
  }
  for (std::size_t c = 0; c < hits.size(); ++c) hits[c] /= all[c];  // NaN for a class without
  return mean_defined(hits);
}

/// Scores and truth of one class.
struct Column {
  std::vector<double> scores;
  std::vector<bool> positive;
};

Column column_of(const IsicPair& pair, std::size_t c) {
  Column column;
  for (Eigen::Index i = 0; i < pair.truth.rows(); ++i) {
    column.scores.push_back(pair.prediction(i, static_cast<Eigen::Index>(c)));
    column.positive.push_back(pair.truth(i, static_cast<Eigen::Index>(c)) > 0.5);
  }
  return column;
}

double share(double part, double whole) {
  return whole == 0 ? 1.0 : part / whole;
}

/// The figures that come from decisions at 0.5.
IsicFigures decision_figures(const Column& column, const std::vector<double>& weights) {
  double tp = 0, tn = 0, fp = 0, fn = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const bool called = column.scores[i] > 0.5;
    (column.positive[i] ? (called ? tp : fn) : (called ? fp : tn)) += weights[i];
  }
  IsicFigures result;
  result.accuracy = (tp + tn) / (tp + tn + fp + fn);
  result.sensitivity = share(tp, tp + fn);
  result.specificity = share(tn, tn + fp);
  result.dice = share(2 * tp, 2 * tp + fp + fn);
  result.ppv = share(tp, tp + fp);
  result.npv = share(tn, tn + fn);
  return result;
}

/// The curve the package draws: images that themselves weigh something, with the weights above 0 in
/// the order of lines.
detail::WeightedRoc drawn_roc(const Column& column, const IsicWeights& weights) {
  Column kept;
  std::vector<double> placed;
  for (std::size_t i = 0; i < column.scores.size(); ++i) {
    if (weights.placed[i] != 0) placed.push_back(weights.placed[i]);
    if (weights.own[i] == 0) continue;
    kept.scores.push_back(column.scores[i]);
    kept.positive.push_back(column.positive[i]);
  }
  return detail::weighted_roc(kept.scores, kept.positive, placed);
}

/// Mean over classes of a target other than balanced accuracy, by validation_weight.
double validation_mean(const IsicPair& pair, IsicTarget target) {
  const std::vector<double>& weights = pair.validation.placed;
  std::vector<double> values;
  for (std::size_t c = 0; c < pair.classes.size(); ++c) {
    const Column column = column_of(pair, c);
    if (target == IsicTarget::Dice) {
      values.push_back(decision_figures(column, weights).dice);
      continue;
    }
    const detail::WeightedRoc roc = detail::weighted_roc(column.scores, column.positive, weights);
    values.push_back(target == IsicTarget::AUC ? detail::area(roc)
                                               : detail::average_precision(roc));
  }
  return mean_defined(values);
}

/// What the package cannot score (it fails somewhere in the middle).
void check_scorable(const IsicPair& pair, const std::string& source, IsicTarget target) {
  const auto any = [](const IsicWeights& weights) {
    return std::any_of(weights.own.begin(), weights.own.end(), [](double w) { return w != 0; });
  };
  check_runtime(any(pair.score), "[isic] ", source, ": expected a score_weight above 0, got none");
  check_runtime(target == IsicTarget::Dice || any(pair.validation), "[isic] ", source,
                ": expected a validation_weight above 0, got none");
  for (std::size_t c = 0; c < pair.classes.size(); ++c) {
    bool found = false;
    for (std::size_t i = 0; i < pair.score.own.size() && !found; ++i) {
      found = pair.score.own[i] != 0 &&
              pair.truth(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(c)) == 1;
    }
    check_runtime(found, "[isic] ", source, ": expected images of every class, got none of ",
                  pair.classes[c], " (with a score_weight above 0); balanced accuracy alone needs ",
                  "none");
  }
  const std::vector<int> labels = predict_labels(pair.truth);
  check_runtime(std::any_of(labels.begin(), labels.end(), [](int l) { return l != undecided; }),
                "[isic] ", source, ": expected images of exactly one class, got none");
}

}  // namespace

IsicScore score_isic(const Table& truth, const Table& prediction, IsicTarget target) {
  const IsicPair pair = detail::read_pair(truth, prediction);
  check_scorable(pair, truth.source, target);
  IsicScore score;
  score.categories = pair.classes;
  for (std::size_t c = 0; c < pair.classes.size(); ++c) {
    const Column column = column_of(pair, c);
    const detail::WeightedRoc roc =
        detail::weighted_roc(column.scores, column.positive, pair.score.placed);
    const detail::WeightedRoc drawn = drawn_roc(column, pair.score);
    IsicFigures of_class = decision_figures(column, pair.score.placed);
    of_class.auc = detail::area(roc);
    of_class.auc_sens_80 = detail::area_above_sensitivity(drawn, 0.8);
    of_class.ap = detail::average_precision(roc);
    score.per_category.push_back(of_class);
    score.rocs.push_back(detail::corners(drawn));
  }
  for (const auto& [name, figure] : figures) {
    std::vector<double> values;
    for (const IsicFigures& of_class : score.per_category) values.push_back(of_class.*figure);
    score.macro_average.*figure = mean_defined(values);
  }
  score.balanced_accuracy = balanced_accuracy(pair, pair.score);
  switch (target) {
    case IsicTarget::BalancedAccuracy:
      score.overall = score.balanced_accuracy;
      score.validation = balanced_accuracy(pair, pair.validation);
      return score;
    case IsicTarget::AUC:
      score.overall = score.macro_average.auc;
      break;
    case IsicTarget::AveragePrecision:
      score.overall = score.macro_average.ap;
      break;
    case IsicTarget::Dice:
      score.overall = score.macro_average.dice;
      break;
  }
  score.validation = validation_mean(pair, target);
  return score;
}

IsicBalancedAccuracy isic_balanced_accuracy(const Table& truth, const Table& prediction) {
  const IsicPair pair = detail::read_pair(truth, prediction);
  return {balanced_accuracy(pair, pair.score), balanced_accuracy(pair, pair.validation)};
}

Json to_json(const IsicScore& score, bool rocs) {
  Json per_category = Json::object(), macro_average = Json::object();
  for (const auto& [name, figure] : figures) {
    Json& of_figure = per_category[name];
    of_figure = Json::object();
    for (std::size_t c = 0; c < score.categories.size(); ++c) {
      of_figure[score.categories[c]] = score.per_category[c].*figure;
    }
    macro_average[name] = score.macro_average.*figure;
  }
  Json json =
      Json::object({{"overall", score.overall},
                    {"validation", score.validation},
                    {"per_category", per_category},
                    {"macro_average", macro_average},
                    {"aggregate", Json::object({{"balanced_accuracy", score.balanced_accuracy}})}});
  if (!rocs) return json;
  Json& curves = json["rocs"];
  curves = Json::object();
  for (std::size_t c = 0; c < score.categories.size(); ++c) {
    const IsicRoc& roc = score.rocs[c];
    curves[score.categories[c]] =
        Json::object({{"threshold", roc.threshold}, {"fpr", roc.fpr}, {"tpr", roc.tpr}});
  }
  return json;
}

}  // namespace dermis
