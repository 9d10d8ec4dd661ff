#pragma once
/// \file
/// Membership inference by loss: a model that remembers its training images denoises them better
/// than images it has not seen (after Yeom et al., arXiv 1709.01604; a check of privacy, not a
/// proof: stronger attacks exist).

#include <cstdint>
#include <string>
#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/metrics/bootstrap.hpp"
#include "dermis/train/generator.hpp"

namespace dermis {

/// A loss per image and the image's lesion, as bootstrap_interval takes them.
struct ImageLosses {
  std::vector<double> losses;
  std::vector<std::string> lesions;
};

struct MembershipResult {
  std::int64_t members = 0, others = 0;
  double member_loss = 0, other_loss = 0;  ///< means
  /// Probability that a training image has a lower loss than a held-out one; 1/2 = nothing to tell
  /// them by. With its interval by lesion.
  Interval auc;
  /// Share of training images told as such where 1 % of the held-out ones are taken for training
  /// images, with its interval by lesion. NaN below 100 held-out images, which hold no 1 %.
  Interval tpr_at_1_percent;

  bool exposed() const { return auc.lo > 0.5; }  ///< membership can be told
};

/// Compares losses of training images and of held-out images of other lesions, all measured alike
/// (e.g. denoising_loss at the same times, averaged). Throws std::invalid_argument unless each side
/// has at least 2 images, a lesion a loss, and finite losses.
MembershipResult membership_audit(const ImageLosses& members, const ImageLosses& others,
                                  const BootstrapOptions& options = {});

/// The same for a generator: mean squared denoising errors at `times` noise levels, with the
/// images' labels, on equally many training and held-out images of each class.
MembershipResult membership_audit(const Generator& generator, const PixelSet& training,
                                  const PixelSet& held_out, std::uint64_t seed,
                                  std::int64_t times = 8);

/// members, others, member_loss, other_loss, auc, tpr_at_1_percent, exposed.
Json to_json(const MembershipResult& result);

}  // namespace dermis
