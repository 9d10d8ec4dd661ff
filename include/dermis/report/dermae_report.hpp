#pragma once
/// \file
/// What a DerMAE run found: its figures as JSON, its pictures as one HTML page, and the checks a
/// run must pass.

#include "dermis/audit/audit.hpp"
#include "dermis/core/json.hpp"
#include "dermis/train/baselines.hpp"
#include "dermis/train/parts.hpp"
#include "dermis/train/recipe.hpp"

namespace dermis {

/// One way of training a classifier, judged on the test part.
struct DermaeArm {
  std::string name;         ///< key in metrics.json
  std::string description;  ///< what was done, for the table
  Evaluation evaluation;
  std::int64_t image_passes =
      0;  ///< of all training that the arm's network went through, pre-training included
};

/// A classifier's cost.
struct ModelCost {
  std::int64_t parameters = 0;
  std::int64_t bytes = 0;  ///< of the model file
  double latency_ms = 0;   ///< one image, median
};

/// One thing that a run must show.
struct Check {
  std::string name, found;
  bool passed = false;
};

/// Everything that a run measured.
struct DermaeResults {
  DermaeRecipe recipe;
  std::uint64_t seed = 0;
  DataParts parts;
  std::vector<Baseline> baselines;
  double psnr = 0, bicubic_psnr = 0;  ///< dB, on validation images; bicubic: 8x down and up
  DenoisingComparison denoising;      ///< on validation images
  std::vector<std::int64_t> plan;     ///< synthetic training images by class
  PixelSet synthetic;                 ///< these, as they are trained on
  AuditResults audit;                 ///< of these
  MaskedError masked;                 ///< on validation images
  MaskedPictures masked_pictures;
  std::vector<DermaeArm> arms;
  ModelCost teacher, student;
  std::vector<std::pair<std::string, TrainResult>> curves;  ///< stage and its curve
  double seconds = 0;
  Interval teacher_margin;    ///< teacher minus the best trivial baseline, paired; by conclude()
  std::vector<Check> checks;  ///< by conclude()

  const DermaeArm& arm(const std::string& name) const;
  bool passed() const;  ///< all checks
};

/// What the figures amount to: fills in teacher_margin and checks. The checks: hidden patches at
/// least 30 % better than filling with the mean; autoencoder above bicubic; denoiser above the
/// linear one and using its labels; teacher above the best trivial baseline; synthetic images
/// recognised (at least 30 %, study: 60 %).
void conclude(DermaeResults& results);

/// Writes metrics.json, audit.json, report.html, model_card.md and synthetic_data_card.md into
/// `out`.
void write_results(const std::filesystem::path& out, const DermaeResults& results);

}  // namespace dermis
