#pragma once
/// \file
/// Labelled images as a value: what they are called, which class, lesion and patient they belong
/// to, and how to get their pixels. Whether the pixels come from a folder, from the phantom or from
/// a generator is the loader's business alone.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dermis/io/image.hpp"

namespace dermis {

/// What is known of one image besides its pixels.
struct Sample {
  std::string id = {};          ///< unique name within its data set, e.g. ISIC_0000000
  int label = 0;                ///< index into Dataset::classes()
  std::string lesion = {};      ///< shared by the views of a lesion; empty = unknown, its own
  std::string patient = {};     ///< shared by the lesions of a patient; empty = unknown
  bool synthetic = false;       ///< made by a generative model: belongs in training parts only
  int64_t original_width = 0;   ///< pixels before any crop or resize; 0 = not decoded yet
  int64_t original_height = 0;  ///< as original_width
};

/// What was wrong with the data and was left out; `messages` holds one readable line a finding.
struct DataReport {
  int64_t missing = 0;     ///< label rows whose image is not there
  int64_t corrupt = 0;     ///< images that do not decode
  int64_t unlabelled = 0;  ///< images without a label row
  int64_t unmapped = 0;    ///< images of classes that a class map leaves out
  std::vector<std::string> messages;
};

/// Samples with their pixels on demand. Copies share everything, so pass it by value or reference
/// as you like.
///
///     Dataset data(classes, samples, [](int64_t i) { return read_image(paths[i]); });
///     Image first = data.subset(split.train).load(0);
class Dataset {
 public:
  /// Yields the pixels of sample `i` (index into the samples given beside it). Called by several
  /// threads at once.
  using Loader = std::function<Image(int64_t)>;

  /// No classes, no samples.
  Dataset();
  /// Throws std::invalid_argument on a label outside `classes`, a repeated class name or id, or a
  /// missing loader.
  Dataset(std::vector<std::string> classes, std::vector<Sample> samples, Loader loader);

  const std::vector<std::string>& classes() const;
  const std::vector<Sample>& samples() const;
  int64_t size() const;  ///< number of samples

  /// Pixels of sample `i`, any size, 8-bit RGB. Thread-safe. std::invalid_argument when `i` is out
  /// of range; whatever the loader throws (std::runtime_error naming the file for a corrupt image)
  /// passes through.
  Image load(int64_t i) const;

  /// The samples at `indices`, in that order, classes unchanged.
  /// Throws std::invalid_argument on an index out of range or given twice.
  Dataset subset(const std::vector<int64_t>& indices) const;

  std::vector<int> labels() const;            ///< label of each sample
  std::vector<std::string> lesions() const;   ///< lesion of each sample, empty where unknown
  std::vector<std::string> patients() const;  ///< patient of each sample, empty where unknown
  std::vector<int64_t> class_counts() const;  ///< number of samples of each class

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

/// `a` followed by `b` (e.g. real and synthetic training images). Equal lesion and patient names in
/// both mean the same lesion and patient. Throws std::invalid_argument unless both have the same
/// classes in the same order and no id in common.
Dataset concatenate(const Dataset& a, const Dataset& b);

}  // namespace dermis
