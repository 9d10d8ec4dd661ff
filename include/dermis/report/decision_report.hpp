#pragma once
/// \file
/// What a classifier's probabilities are worth for decisions: calibration, an operating point,
/// prediction sets, abstention, and readers beside it. Everything is fitted on one part of the data
/// and judged on another.

#include <Eigen/Core>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/metrics/calibration.hpp"
#include "dermis/metrics/decision.hpp"
#include "dermis/metrics/reader_study.hpp"

namespace dermis {

/// A part of the data as a classifier sees it.
struct ScoredPart {
  Eigen::MatrixXd logits;            ///< [N, C]; log-probabilities serve
  std::vector<int> labels;           ///< [N]
  std::vector<std::string> images;   ///< [N] ids, as a readers' table writes them
  std::vector<std::string> lesions;  ///< [N], see bootstrap_interval
};

struct DecisionOptions {
  std::vector<std::string> positive;  ///< classes that count as positive, e.g. the malignant ones
  double sensitivity = 0.95;          ///< that the operating point must reach on the fitting part
  double alpha = 0.1;                 ///< prediction sets hold the truth with 1 - alpha, by class
};

/// Calibration of one set of probabilities.
struct CalibrationFigures {
  double expected_error = 0;  ///< ECE
  double adaptive_error = 0;  ///< ACE
  double brier = 0;
  std::vector<ReliabilityBin> bins;
};

struct DecisionFigures {
  std::vector<std::string> classes;
  DecisionOptions options;
  double temperature = 1;              ///< fitted; 1 where none can be told
  std::string temperature_remark;      ///< why it was left at 1; empty otherwise
  CalibrationFigures raw, calibrated;  ///< on the test part, before and after the temperature
  double auc = 0, partial_auc = 0;  ///< positive against the rest; partial: above 80 % sensitivity
  std::vector<OperatingPoint> roc;  ///< on the test part
  OperatingPoint point;             ///< chosen on the fitting part
  AppliedPoint achieved;            ///< on the test part
  ConformalSets sets;
  SetFigures set_figures;
  RiskCoverage risk_coverage;
  std::vector<ReaderFigures> readers;  ///< empty without readers
};

/// Fits temperature, operating point and prediction sets on `fitting` and judges all on `test`. The
/// score of an image is the sum of the positive classes' calibrated probabilities. Throws
/// std::invalid_argument for positive classes that `classes` does not have, none or all of them.
DecisionFigures decision_figures(const std::vector<std::string>& classes, const ScoredPart& fitting,
                                 const ScoredPart& test, const DecisionOptions& options,
                                 const std::optional<ReaderDecisions>& readers = {});

/// temperature, calibration{raw,calibrated}, auc, partial_auc, operating_point, prediction_sets,
/// abstention, readers.
Json to_json(const DecisionFigures& figures);

/// The figures as a page: reliability diagram, ROC with the operating point and the readers on it,
/// prediction sets by class, abstention curve.
void write_decision_page(const std::filesystem::path& path, const DecisionFigures& figures,
                         const std::string& subtitle);

}  // namespace dermis
