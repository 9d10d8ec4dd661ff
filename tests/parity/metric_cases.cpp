/// \file
/// Classification metrics (11a), the official ISIC score (11b), distances of image sets and
/// similarity of images (11c).

#include <algorithm>
#include <cctype>
#include <cmath>

#include "case.hpp"
#include "dermis/io/csv.hpp"
#include "dermis/metrics/calibration.hpp"
#include "dermis/metrics/classification.hpp"
#include "dermis/metrics/decision.hpp"
#include "dermis/metrics/generation.hpp"
#include "dermis/metrics/image_similarity.hpp"
#include "dermis/metrics/isic_score.hpp"

namespace dermis::parity {
namespace {

void put(StateDict& out, const std::string& name, double value) {
  out.emplace_back(name, torch::tensor({value}, torch::kDouble));
}

void put(StateDict& out, const std::string& name, const std::vector<double>& values) {
  out.emplace_back(name, torch::tensor(values, torch::kDouble));
}

void put(StateDict& out, const std::string& name, const Eigen::MatrixXd& values) {
  auto tensor = torch::empty({values.rows(), values.cols()}, torch::kDouble);
  for (Eigen::Index i = 0; i < values.rows(); ++i)
    for (Eigen::Index j = 0; j < values.cols(); ++j) tensor[i][j] = values(i, j);
  out.emplace_back(name, tensor);
}

Eigen::MatrixXd matrix(const at::Tensor& tensor) {  // [N, D]
  const auto values = tensor.to(torch::kDouble).contiguous();
  return Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
      values.data_ptr<double>(), values.size(0), values.size(1));
}

Image image(const at::Tensor& pixels) {  // uint8 [H, W, 3]
  const auto values = pixels.contiguous();
  Image result = make_image(values.size(1), values.size(0));
  std::copy_n(values.data_ptr<std::uint8_t>(), result.rgb.size(), result.rgb.begin());
  return result;
}

/// scikit-learn's zero_division=0.
std::vector<double> zero_where_undefined(std::vector<double> values) {
  for (auto& value : values) value = std::isnan(value) ? 0 : value;
  return values;
}

StateDict classification(const Case& c) {
  const auto in = c.inputs();
  const auto p = matrix(at(in, "probs")), p_norm = matrix(at(in, "probs_norm"));
  const int classes = static_cast<int>(p.cols());
  std::vector<int> labels;
  const auto stored = at(in, "labels").to(torch::kLong).contiguous();
  for (std::int64_t i = 0; i < stored.numel(); ++i)
    labels.push_back(static_cast<int>(stored.data_ptr<std::int64_t>()[i]));
  const auto predicted = argmax(p);

  StateDict out;
  const auto figures = per_class(labels, predicted, classes);
  out.emplace_back("support", torch::tensor(figures.support));
  const double right = accuracy(labels, predicted);
  for (const auto& [name, values] : std::map<std::string, std::vector<double>>{
           {"precision", figures.precision}, {"recall", figures.recall}, {"f1", figures.f1}}) {
    const auto defined = zero_where_undefined(values);
    put(out, name + "_per_class", defined);
    put(out, name + "_macro", mean_defined(defined));
    put(out, name + "_weighted", mean_by_support(defined, figures.support));
    put(out, name + "_micro", right);  // every row has one prediction: all three are accuracy
  }
  put(out, "accuracy", right);
  const auto counts = confusion_matrix(labels, predicted, classes);
  auto confusion = torch::empty({classes, classes}, torch::kLong);
  for (int i = 0; i < classes; ++i)
    for (int j = 0; j < classes; ++j) confusion[i][j] = counts(i, j);
  out.emplace_back("confusion", confusion);
  const double balanced = balanced_accuracy(labels, predicted);
  const auto present = static_cast<double>(std::count_if(
      figures.support.begin(), figures.support.end(), [](auto rows) { return rows > 0; }));
  put(out, "balanced_accuracy", balanced);
  put(out, "balanced_accuracy_adjusted", (balanced - 1 / present) / (1 - 1 / present));
  put(out, "kappa", cohen_kappa(counts));
  put(out, "kappa_linear", cohen_kappa(counts, KappaWeights::Linear));
  put(out, "kappa_quadratic", cohen_kappa(counts, KappaWeights::Quadratic));
  put(out, "mcc", matthews_correlation(counts));
  put(out, "top2_accuracy", top_k_accuracy(labels, p, 2));
  put(out, "top3_accuracy", top_k_accuracy(labels, p, 3));

  put(out, "auc_per_class", auc_one_vs_rest(labels, p));
  put(out, "auc_ovr_macro_norm", macro_auc(labels, p_norm));
  put(out, "auc_ovr_weighted_norm",
      mean_by_support(auc_one_vs_rest(labels, p_norm), figures.support));
  put(out, "auc_ovo_macro_norm", auc_one_vs_one(labels, p_norm));
  const auto precision = zero_where_undefined(average_precision_one_vs_rest(labels, p));
  put(out, "ap_per_class", precision);
  put(out, "ap_macro", mean_defined(precision));
  put(out, "ap_weighted", mean_by_support(precision, figures.support));

  put(out, "brier_norm", brier_score(p_norm, labels));
  put(out, "brier_half_norm", brier_score(p_norm, labels) / 2);
  put(out, "log_loss_norm", log_loss(p_norm, labels));
  for (const int bins : {10, 15}) {
    const auto suffix = "_" + std::to_string(bins) + "_norm";
    put(out, "ece" + suffix, expected_calibration_error(p_norm, labels, bins));
    put(out, "mce" + suffix, maximum_calibration_error(p_norm, labels, bins));
    put(out, "rmsce" + suffix, rms_calibration_error(p_norm, labels, bins));
  }

  const auto name = c.config.at("classes").get<std::vector<std::string>>().at(0);
  const Eigen::VectorXd column = p.col(0);
  const std::vector<double> scores(column.data(), column.data() + column.size());
  std::vector<int> positive;
  for (const int label : labels) positive.push_back(label == 0);
  Eigen::MatrixXd two(p.rows(), 2);
  two << (1 - p.col(0).array()).matrix(), p.col(0);
  auto lower = name;
  for (auto& letter : lower)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  put(out, "brier_" + lower + "_binary", brier_score(two, positive) / 2);
  std::vector<double> fpr, tpr, thresholds;
  for (const auto& point : roc_curve(scores, positive)) {
    fpr.push_back(1 - point.specificity);
    tpr.push_back(point.sensitivity);
    thresholds.push_back(std::isinf(point.threshold) ? 1e300 : point.threshold);
  }
  put(out, "roc_" + name + ".fpr", fpr);
  put(out, "roc_" + name + ".tpr", tpr);
  put(out, "roc_" + name + ".thresholds", thresholds);
  std::vector<double> precisions, recalls, rising;
  auto curve = precision_recall_curve(scores, positive);
  std::reverse(curve.begin(), curve.end());
  for (const auto& point : curve) {
    precisions.push_back(point.precision);
    recalls.push_back(point.recall);
    if (!std::isinf(point.threshold)) rising.push_back(point.threshold);
  }
  put(out, "pr_" + name + ".precision", precisions);
  put(out, "pr_" + name + ".recall", recalls);
  put(out, "pr_" + name + ".thresholds", rising);
  return out;
}

double figure(const IsicFigures& figures, const std::string& name) {
  for (const auto& [key, value] :
       std::map<std::string, double>{{"accuracy", figures.accuracy},
                                     {"sensitivity", figures.sensitivity},
                                     {"specificity", figures.specificity},
                                     {"dice", figures.dice},
                                     {"ppv", figures.ppv},
                                     {"npv", figures.npv},
                                     {"auc", figures.auc},
                                     {"auc_sens_80", figures.auc_sens_80},
                                     {"ap", figures.ap}})
    if (key == name) return value;
  throw std::runtime_error(text("[parity] unknown figure '", name, "'"));
}

StateDict isic(const Case& c) {
  const auto columns = c.config.at("per_category_columns").get<std::vector<std::string>>();
  StateDict out;
  for (const auto& entry : std::filesystem::directory_iterator(c.directory)) {
    const auto file = entry.path().filename().string();
    const std::string ending = "_truth.csv";
    if (file.size() <= ending.size() || file.substr(file.size() - ending.size()) != ending)
      continue;
    const auto variant = file.substr(0, file.size() - ending.size());
    const auto truth = read_csv(entry.path());
    const auto prediction = read_csv(c.directory / (variant + "_pred.csv"));
    put(out, variant + ".balanced_accuracy", isic_balanced_accuracy(truth, prediction).overall);
    // The package scores no truth that lacks a class; without its JSON the figure above is all.
    if (!std::filesystem::exists(c.directory / (variant + "_score.json"))) {
      try {
        score_isic(truth, prediction);
      } catch (const std::runtime_error&) {
        continue;
      }
      throw std::runtime_error(text("[parity] expected '", variant, "' to be refused"));
    }
    for (const auto& [name, target] :
         std::map<std::string, IsicTarget>{{"balanced_accuracy", IsicTarget::BalancedAccuracy},
                                           {"auc", IsicTarget::AUC},
                                           {"ap", IsicTarget::AveragePrecision}}) {
      const auto score = score_isic(truth, prediction, target);
      put(out, text(variant, ".overall_", name), score.overall);
      put(out, text(variant, ".validation_", name), score.validation);
    }
    const auto score = score_isic(truth, prediction);
    Eigen::MatrixXd table(score.per_category.size(), columns.size());
    std::vector<double> macro;
    for (std::size_t j = 0; j < columns.size(); ++j) {
      for (std::size_t i = 0; i < score.per_category.size(); ++i)
        table(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) =
            figure(score.per_category[i], columns[j]);
      macro.push_back(figure(score.macro_average, columns[j]));
    }
    put(out, variant + ".per_category", table);
    put(out, variant + ".macro_average", macro);
  }
  return out;
}

StateDict image_sets(const Case& c) {
  const auto in = c.inputs();
  const auto a = matrix(at(in, "feat_a")), b = matrix(at(in, "feat_b")),
             few = matrix(at(in, "feat_small"));
  StateDict out;
  const auto moments = [&](const std::string& name, const Eigen::MatrixXd& features) {
    const auto of = feature_moments(features);
    put(out, "mu_" + name, std::vector<double>(of.mean.data(), of.mean.data() + of.mean.size()));
    put(out, "cov_" + name, of.covariance);
  };
  moments("a", a);
  moments("b", b);
  put(out, "fid", frechet_distance(a, b));
  put(out, "fid_eig", frechet_distance(a, b));
  put(out, "fid_small_eigh", frechet_distance(a, few));
  put(out, "kid", squared_mmd(a, b.topRows(std::min(a.rows(), b.rows()))));
  put(out, "kid_unequal", squared_mmd(a, b));

  const auto x = image(at(in, "img_a")), y = image(at(in, "img_b"));
  put(out, "psnr_u8", psnr(x, y));
  put(out, "psnr_f", psnr(x, y));
  const SSIMOptions uniform{.window = 7, .sigma = 0, .sample_covariance = true};
  put(out, "ssim_u8", ssim(x, y, uniform).mean);
  put(out, "ssim_gray", ssim(x, y, uniform).channels[0]);
  put(out, "ssim_win11", ssim(x, y, {.window = 11, .sigma = 0, .sample_covariance = true}).mean);
  const auto gaussian = ssim(x, y);
  put(out, "ssim_gauss", gaussian.mean);
  out.emplace_back("ssim_gauss_map",
                   torch::tensor(gaussian.map, torch::kDouble).view({x.height, x.width, 3}));
  put(out, "ssim_tm", ssim(x, y, {.crop = false}).mean);
  return out;
}

const Register a{"11a", classification}, b{"11b", isic}, c{"11c", image_sets};

}  // namespace
}  // namespace dermis::parity
