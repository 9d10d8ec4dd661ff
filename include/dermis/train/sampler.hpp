#pragma once
/// \file
/// Which image comes when: the order of training as a pure function of the step, so that a resumed
/// run needs no history.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "dermis/core/json.hpp"

namespace dermis {

/// One image of a batch.
struct Draw {
  std::int64_t index;  ///< into the data set
  std::int64_t epoch;  ///< (index, epoch) never repeats in a run: the key of an augmentation stream
  bool operator==(const Draw&) const = default;
};

/// An endless sequence of draws; batch b of size n is its positions [b n, (b + 1) n), so that
/// batches may span the ends of passes and the number of image passes is steps * batch_size
/// exactly. A cheap value; what it yields depends on its construction and the position only. It
/// remembers the latest permutations, so give each thread its own copy.
///
///     const auto sampler = Sampler::class_balanced(labels, seed, "finetune");
///     for (const Draw& draw : sampler.batch(step, 32)) ...
class Sampler {
 public:
  /// Every image once a pass, each pass in an order of its own; epoch = the number of the pass.
  static Sampler natural(std::int64_t size, std::uint64_t seed, const std::string& name);

  /// Every class equally often: each run of C positions holds each of the C classes that occur in
  /// `labels` once, in random order (a class drawn uniformly, without the chance imbalance of
  /// independent draws). A class's images come without replacement, reshuffled when used up; epoch
  /// = the number of times the class was used up.
  static Sampler class_balanced(const std::vector<int>& labels, std::uint64_t seed,
                                const std::string& name);

  /// The same, of a set of real and synthetic images: of each class that has both, a share of
  /// `real_share` (0 to 1) of the draws is real, evenly spread. Real images and synthetic ones each
  /// come without replacement; epoch = the number of times the class's images of the kind were used
  /// up. Real images alone are drawn as by the sampler above: what is compared with them differs in
  /// the images, not in the draw.
  /// \param synthetic  which images are, one a label
  static Sampler class_balanced(const std::vector<int>& labels, const std::vector<bool>& synthetic,
                                double real_share, std::uint64_t seed, const std::string& name);

  /// Number of images drawn from.
  std::int64_t size() const { return size_; }

  /// The draws of a step.
  /// \throws std::invalid_argument unless step >= 0 and batch_size >= 1
  std::vector<Draw> batch(std::int64_t step, std::int64_t batch_size) const;

  /// Passes over as many images as the set has, completed before this step.
  std::int64_t epoch(std::int64_t step, std::int64_t batch_size) const {
    return step * batch_size / size_;
  }

  /// What must agree for two samplers to yield the same, as JSON: kind, name, seed, size and a
  /// fingerprint of the labels, and the share of real images.
  const Json& configuration() const { return configuration_; }

 private:
  struct Order {  // the latest permutation of some images
    std::int64_t cycle = -1;
    std::vector<std::int64_t> permutation;
  };
  struct Class {                                      // natural order: of all images
    std::array<std::vector<std::int64_t>, 2> images;  // real, synthetic
    double phase = 0;  // where in the spread of real draws it starts: classes differ
    mutable std::array<Order, 2> orders;
  };

  Sampler(const std::string& kind, std::uint64_t seed, const std::string& name, std::int64_t size,
          const std::string& content);
  Draw at(std::int64_t position) const;
  Draw draw_of_class(std::size_t which, std::int64_t occurrence) const;

  std::uint64_t seed_;
  std::string name_;
  std::int64_t size_;
  Json configuration_;
  double real_share_ = 1;
  std::vector<Class> classes_;
  mutable Order class_order_;  // the latest run of classes
};

}  // namespace dermis
