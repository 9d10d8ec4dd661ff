#pragma once
/// \file
/// Readers (dermatologists, other people) beside a model on the same images: each one's sensitivity
/// and specificity for one class against the rest, and the model's sensitivity at the reader's own
/// specificity.

#include <cstdint>
#include <string>
#include <vector>

#include "dermis/io/csv.hpp"
#include "dermis/metrics/bootstrap.hpp"
#include "dermis/metrics/decision.hpp"

namespace dermis {

/// What one reader said about one image.
struct ReaderDecision {
  std::string reader;
  std::string image;
  int positive = 0;       ///< 1 or 0; `undecided` where the cell was empty
  std::int64_t line = 0;  ///< in the file, from 1
};

struct ReaderDecisions {
  std::string source;  ///< file name, for messages
  std::vector<ReaderDecision> rows;
};

/// Decisions from a table with the columns reader, image and decision (others are ignored). A
/// decision is 0 or 1, or the name of one of `classes`: positive if it is among `positive`. An
/// empty decision is a missing read. Throws std::runtime_error naming file and line for missing
/// columns or rows, empty readers or images, other decisions, a second decision of a reader about
/// an image; std::invalid_argument for classes without positive ones, or positive ones that are no
/// classes.
ReaderDecisions reader_decisions(const Table& table, const std::vector<std::string>& classes = {},
                                 const std::vector<std::string>& positive = {});

/// The model's side, an entry an image.
struct ScoredImages {
  std::vector<std::string> images;   ///< ids, as the readers' table writes them
  std::vector<double> scores;        ///< of the positive class
  std::vector<int> positive;         ///< truth, non-zero = positive
  std::vector<std::string> lesions;  ///< see bootstrap_interval
};

/// One reader and the model on the images that the reader decided on. Figures are NaN where the
/// reader saw no positives, or no negatives.
struct ReaderFigures {
  std::string reader;
  std::int64_t reads = 0;
  std::int64_t missing = 0;  ///< scored images without a decision of this reader
  Interval sensitivity;      ///< the reader's
  Interval specificity;      ///< the reader's
  OperatingPoint model;      ///< point_at_specificity: at least as specific as the reader
  Interval difference;       ///< the model's sensitivity there less the reader's, paired by lesion
};

/// Every reader in order of first appearance. The model's threshold is chosen on the very images
/// it is judged on, which favours the model a little; each resample of the interval of the
/// difference chooses it anew at the reader's specificity there. As the specificity is not
/// interpolated, ties and few negatives favour the reader. Throws std::runtime_error naming file
/// and line for an image that is not among the scored ones; std::invalid_argument for unequal
/// lengths, an image scored twice, scores that are not finite.
std::vector<ReaderFigures> reader_study(const ReaderDecisions& readers, const ScoredImages& model,
                                        const BootstrapOptions& options = {});

}  // namespace dermis
