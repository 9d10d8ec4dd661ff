#pragma once
/// \file
/// Everything that is asked of a set of synthetic images before anybody trains on it, in one call.

#include <optional>
#include <string>
#include <vector>

#include "dermis/audit/distribution.hpp"
#include "dermis/audit/dose_curve.hpp"
#include "dermis/audit/fidelity.hpp"
#include "dermis/audit/leakage.hpp"
#include "dermis/audit/membership.hpp"
#include "dermis/audit/memorisation.hpp"
#include "dermis/audit/realness.hpp"
#include "dermis/audit/shortcuts.hpp"
#include "dermis/audit/skin_tone.hpp"
#include "dermis/audit/transfer.hpp"
#include "dermis/metrics/group_gaps.hpp"

namespace dermis {

/// What must be looked at before the images are used.
struct Finding {
  std::string about;  ///< memorisation, leakage, ...
  std::string text;   ///< one sentence
};

struct AuditResults {
  std::int64_t real_train = 0, real_held_out = 0, synthetic = 0;  ///< images
  std::vector<std::string> classes;
  std::optional<DistributionAudit> distribution;
  ClassFidelity fidelity, fidelity_real;  ///< of synthetic and, for comparison, of held-out images
  std::optional<RealnessAudit> realness;
  std::optional<MemorisationResult> memorisation;
  Json memorisation_json;    ///< with names of training images
  Image memorisation_pairs;  ///< synthetic, nearest training image, difference; nearest first
  LeakageResult leakage;
  std::vector<ToneEstimate> real_tones,
      synthetic_tones;  ///< of the training part, of the synthetic
  std::vector<ToneComparison> tones;
  GroupGaps group_gaps;     ///< of the judge on held-out images, by skin tone
  ShortcutProbe shortcuts;  ///< of the judge
  std::vector<ArtefactLink> real_links, synthetic_links;
  std::string generator, split;                ///< hashes, by audit_generator()
  std::optional<MembershipResult> membership;  ///< by audit_generator()
  std::optional<TransferAudit> transfer;       ///< needs trainings: filled by the caller
  std::optional<DoseCurve> dose;               ///< likewise

  std::vector<Finding> not_measured;  ///< what the data are too few for, and why

  std::vector<Finding> findings() const;
};

/// Audits `synthetic` against the training part that its generator learned from and the test part,
/// which it must not have seen. What there are too few images for is left out and named in
/// `not_measured`; other errors are those of the single audits. \param judge  a classifier trained
/// on real training images alone; its features are what distances are measured in
/// \param progress  whether to say on stderr which question is being asked
AuditResults audit(const DataParts& parts, const PixelSet& synthetic, const Classifier& judge,
                   std::uint64_t seed, bool progress = false);

/// Adds what only the generator itself can tell: its hashes, and whether it knows its training
/// images.
void audit_generator(AuditResults& results, const Generator& generator, const DataParts& parts,
                     std::uint64_t seed);

/// findings and not_measured [{about, text}], images, and under the names of the audits what each
/// found.
Json to_json(const AuditResults& results);

}  // namespace dermis
