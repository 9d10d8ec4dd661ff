#include "dermis/train/cross_validation.hpp"

#include "dermis/core/check.hpp"

namespace dermis {

namespace {

/// The fold of each image; -1 for none.
std::vector<std::int64_t> fold_of_image(std::int64_t size,
                                        const std::vector<std::vector<std::int64_t>>& folds) {
  std::vector<std::int64_t> fold_of(static_cast<std::size_t>(size), -1);
  for (std::size_t f = 0; f < folds.size(); ++f) {
    for (const auto i : folds[f]) {
      check_argument(i >= 0 && i < size, "[cross_validation] expected indices below ", size,
                     ", got ", i, " in fold ", f);
      auto& fold = fold_of[static_cast<std::size_t>(i)];
      check_argument(fold == -1, "[cross_validation] expected disjoint folds, got image ", i,
                     " in folds ", fold, " and ", f);
      fold = static_cast<std::int64_t>(f);
    }
  }
  return fold_of;
}

}  // namespace

Eigen::MatrixXd cross_validate(const PixelSet& set,
                               const std::vector<std::vector<std::int64_t>>& folds,
                               const FoldRun& run) {
  check_argument(folds.size() >= 2, "[cross_validation] expected at least 2 folds, got ",
                 folds.size());
  const auto fold_of = fold_of_image(set.size(), folds);
  const auto classes = static_cast<Eigen::Index>(set.classes.size());
  Eigen::MatrixXd all(set.size(), classes);
  for (std::size_t i = 0; i < fold_of.size(); ++i)
    check_argument(fold_of[i] >= 0, "[cross_validation] expected every image in a fold, got image ",
                   i, " in none");
  for (std::size_t f = 0; f < folds.size(); ++f) {
    std::vector<std::int64_t> others;
    for (std::size_t i = 0; i < fold_of.size(); ++i)
      if (fold_of[i] != static_cast<std::int64_t>(f))
        others.push_back(static_cast<std::int64_t>(i));
    const auto probabilities =
        run(set.subset(others), set.subset(folds[f]), static_cast<std::int64_t>(f));
    check_argument(probabilities.rows() == static_cast<Eigen::Index>(folds[f].size()) &&
                       probabilities.cols() == classes,
                   "[cross_validation] expected probabilities [", folds[f].size(), ", ", classes,
                   "] for fold ", f, ", got [", probabilities.rows(), ", ", probabilities.cols(),
                   "]");
    for (std::size_t k = 0; k < folds[f].size(); ++k)
      all.row(static_cast<Eigen::Index>(folds[f][k])) =
          probabilities.row(static_cast<Eigen::Index>(k));
  }
  return all;
}

}  // namespace dermis
