#pragma once
/// \file
/// How much synthetic images help, by how many of them are added and by how many real ones there
/// are. One figure at one dose may be luck; a gain that rises with the dose and falls with the
/// number of real images is not.

#include <cstdint>
#include <string>
#include <vector>

#include "dermis/train/classifier.hpp"

namespace dermis {

struct DoseOptions {
  /// Of every training: equal steps, augmentation, network. Its real_share decides how often
  /// synthetic images are drawn: above 0 it is the same for every dose, which then only varies how
  /// many different ones there are; at 0 they are drawn in proportion to their number. Above 0
  /// also, doses draw with replacement where dose 0 takes turns (stage_sampler).
  ClassifierOptions classifier;
  std::vector<double> doses = {0, 0.25, 0.5, 1, 2};  ///< synthetic images over the real images that
                                                     ///< they are added to; one of them 0
  std::vector<double> real_shares = {0.125, 0.25, 0.5, 1};  ///< of the training part, in (0, 1]
  std::int64_t seeds = 3;                                   ///< trainings of each share and dose
  std::vector<double> learning_rates = {};  ///< to choose from on the validation part; empty: the
                                            ///< classifier's own
  BootstrapOptions bootstrap = {};
  /// Where several pools are compared: trainings with images of this one lie below
  /// context.out/pool, those without in context.out, where the next pool finds them on resume.
  std::string pool = {};
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, DoseOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("classifier", o.classifier);
  visit("doses", o.doses);
  visit("real_shares", o.real_shares);
  visit("seeds", o.seeds);
  visit("learning_rates", o.learning_rates);
}

/// One training.
struct DosePoint {
  double real_share = 1;
  double dose = 0;
  std::int64_t seed = 1;  ///< 1 .. DoseOptions::seeds
  std::int64_t real_images = 0;
  std::int64_t synthetic_images = 0;
  double learning_rate = 0;
  Evaluation evaluation;  ///< on the test part
};

/// All trainings of one share and dose. The intervals are bootstrapped over lesions and seeds
/// together; few seeds understate their spread, one knows nothing of it.
struct DoseEffect {
  double real_share = 1;
  double dose = 0;
  Interval balanced_accuracy;  ///< mean over seeds
  Interval gain;  ///< over dose 0 at the same share, paired by lesion and seed; 0 for dose 0
};

struct DoseCurve {
  std::vector<DosePoint> points;    ///< by share, dose and seed
  std::vector<DoseEffect> effects;  ///< by share and dose
};

/// How many images of each of `classes` classes a dose has: dose * real_images altogether (rounded
/// to nearest), equally many of each class up to one, so that looking synthetic tells nothing about
/// the class.
std::vector<std::int64_t> dose_plan(std::int64_t real_images, std::int64_t classes, double dose);

/// The images of a share of `training`, ascending: of each class whole lesions in an order that
/// `seed` decides, as few as hold that share of the class's images and at least one, so that
/// smaller shares are within larger ones. Throws std::invalid_argument unless share is in (0, 1].
std::vector<std::int64_t> real_subset(const PixelSet& training, double share, std::uint64_t seed);

/// Where a training lies below the folder: dose_r0125_s050_seed1 has an eighth of the
/// real images and half as many synthetic ones.
std::string dose_name(double real_share, double dose, std::int64_t seed);

/// Trains and tests seeds x doses x shares classifiers on real_subset(training, share,
/// context.seed) and the first synthetic images of dose_plan() in an order that context.seed
/// decides (smaller doses within larger ones). Training k has the seed context.seed + k - 1 and,
/// whatever share and dose, the same first weights. Each is a stage of its own below
/// context.out/dose_name(), which is loaded on resume when it was finished; with several
/// `learning_rates` there is one such stage a rate, and that with the best balanced accuracy on
/// `validation`, averaged over the seeds, is taken for this share and dose.
///
/// Images of `synthetic` know all that their generator was trained on. For shares below 1 to tell
/// what fewer real images would do, the generator must have been trained on
/// real_subset(training, share, context.seed) alone: call once a share, each with its own pool.
///
/// Throws std::invalid_argument on options out of range, sets of the wrong kind or of other
/// classes, no validation part to choose a learning rate on, and, before any training, if the pool
/// has too few images: the error says how many of which class are missing.
DoseCurve dose_curve(const PixelSet& training, const PixelSet& synthetic,
                     const PixelSet& validation, const PixelSet& test, const DoseOptions& options,
                     const StageContext& context, const Encoder& encoder = {});

/// points[{real_share, dose, seed, real_images, synthetic_images, learning_rate, evaluation}],
/// effects[{real_share, dose, balanced_accuracy, gain}].
Json to_json(const DoseCurve& curve);

}  // namespace dermis
