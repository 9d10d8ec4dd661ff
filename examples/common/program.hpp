#pragma once
/// \file
/// What all programs share: common options, their recipe, their data, and exit codes.

#include <CLI/CLI.hpp>
#include <functional>

#include "dermis/train/classifier.hpp"
#include "dermis/train/parts.hpp"
#include "dermis/train/recipe.hpp"

namespace dermis {

/// A command line with the common options. Exit codes: 0 done, 1 an error (one line on stderr), 2
/// wrong usage, 130 stopped by Ctrl-C after saving.
struct Program {
  Program(const std::string& name, const std::string& description, const std::string& examples);

  /// --data, --labels, --classes, ...: whose images, and what is done to them before they are
  /// squared; without --data the embedded phantom.
  void add_data_options();
  /// --out, --preset, --image-size, --seed, --resume, --bf16, --config, --dry-run: how to train.
  void add_training_options(const std::string& default_out);
  /// --synthetic DIR: a folder that `synthesize` wrote, added to the training part.
  void add_synthetic_option();

  /// Parses, then runs `body`; returns the exit code.
  int run(int argc, char** argv, const std::function<void()>& body);
  /// What a program found, on standard output: with --json `figures`, else `summary`.
  void print(const Json& figures, const std::string& summary) const;

  DermaeRecipe recipe() const;  ///< preset, then --config, then --image-size; validated
  DermaeRecipe recipe(const std::filesystem::path& config) const;  ///< with another --config
  LabelledImages images(const PartsOptions& options) const;  ///< --data or the phantom, not split
  DataParts parts(const PartsOptions& options) const;        ///< the same, split
  LabelledImages images(const DermaeRecipe& r) const { return images(parts_options(r)); }
  DataParts parts(const DermaeRecipe& r) const { return parts(parts_options(r)); }
  PixelSet training_images(
      const DataParts& parts) const;  ///< the training part and, with --synthetic, those images
  /// The images in --synthetic; refused if their generator has seen the validation or test part.
  PixelSet synthetic_images(const DataParts& parts) const;
  /// Synthetic images through the compression of the real ones in --data; the phantom's has none.
  PixelSet recompressed(const PixelSet& images, const DataParts& parts) const;
  PhantomOptions phantom_options(const PartsOptions& options) const;  ///< without --data
  StageContext context() const;                                       ///< creates --out
  int decode_threads() const;  ///< threads for decoding images

  /// What a run would do, for --dry-run.
  struct RunPlan {
    std::int64_t image_size = 0;
    std::vector<StagePlan> stages;
  };
  /// Of a program that has another recipe than DerMAE's: its plan for so many classes.
  std::function<RunPlan(std::int64_t classes)> run_plan;

  CLI::App app;
  std::filesystem::path data, labels, lesions, class_map, out, config, synthetic;
  std::vector<std::string> classes;
  std::string preset = "demo", device = "cpu", label_column, duplicates = "together";
  DermoscopyOptions preprocessing;
  std::int64_t image_size = 0;
  std::uint64_t seed = 0;
  int threads = 0;
  bool resume = false, bf16 = false, tensorboard = false, skip_missing = false, dry_run = false,
       json = false;

 private:
  LabelledImages folder_images(const PartsOptions& options) const;
  void print_plan() const;
};

/// "67.5 %", and with an interval "67.5 % (62.9 % to 71.9 %)".
std::string percent(double share);
std::string percent(const Interval& share);

/// The figures a reader looks for first: balanced accuracy with its interval, AUC, calibration,
/// recall by class.
std::string summary(const Evaluation& evaluation);

}  // namespace dermis
