#include "dermis/audit/audit.hpp"

#include <optional>

#include "../metrics/format.hpp"
#include "dermis/core/progress.hpp"
#include "dermis/train/synthesis.hpp"

namespace dermis {

using detail::format;
using detail::percent;

namespace {

void find_distribution(const AuditResults& r, std::vector<Finding>& findings) {
  const auto& all = r.distribution ? r.distribution->all : ClassDistribution();
  const auto &kid = all.synthetic_figures.kid, &floor = all.floor.kid;
  if (kid && floor && kid->lo > floor->hi)
    findings.push_back({"distribution", format("KID of synthetic to held-out real images %.3f, of "
                                               "real training images %.3f",
                                               kid->mean, floor->mean)});
  for (std::size_t c = 0; c < r.classes.size(); ++c) {
    const auto &drawn = r.fidelity.accuracy[c], &real = r.fidelity_real.accuracy[c];
    if (drawn.hi < real.lo)
      findings.push_back({"fidelity", text(r.classes[c], ": recognised in ", percent(drawn.mean),
                                           " of the synthetic images, in ", percent(real.mean),
                                           " of the held-out real ones")});
  }
  if (!r.realness) return;
  for (const auto& probe : r.realness->probes)
    if (probe.tells())
      findings.push_back({"realness", text("a linear classifier on ", probe.name,
                                           " features tells synthetic from real images of a class: "
                                           "AUC ",
                                           format("%.2f", probe.auc.mean))});
}

void find_groups(const AuditResults& r, std::vector<Finding>& findings) {
  for (const auto& row : r.tones)
    if (row.differs)
      findings.push_back(
          {"skin_tone", text(row.name,
                             ": synthetic images have another mix of skin tones than real "
                             "ones, mean ITA ",
                             format("%.1f degrees ", std::abs(row.shift.mean)),
                             row.shift.mean > 0 ? "higher" : "lower")});
  for (const auto& gap : r.group_gaps.gaps)
    if (gap.found)
      findings.push_back(
          {"group_gaps", text(gap.figure, " of the judge: ", gap.first,
                              format(" %.2f above ", gap.difference.mean), gap.second)});
  // What artefacts do to the judge is a measurement: classifiers of clean images are moved, too.
  const auto find_links = [&](const std::vector<ArtefactLink>& links, const char* which) {
    for (const auto& link : links)
      if (link.found)
        findings.push_back(
            {"shortcuts", text(name_of(link.artefact), " is ", link.auc > 0.5 ? "more" : "less",
                               " frequent in ", link.name, " among the ", which, " images")});
  };
  find_links(r.real_links, "real training");
  find_links(r.synthetic_links, "synthetic");
}

}  // namespace

std::vector<Finding> AuditResults::findings() const {
  std::vector<Finding> findings;
  if (memorisation && (memorisation->memorised() || !memorisation->calibrated))
    findings.push_back({"memorisation", memorisation->verdict()});
  if (memorisation && memorisation->low_diversity)
    findings.push_back({"memorisation", text(memorisation->near_duplicates, " of ", synthetic,
                                             " synthetic images have another one as near as a copy "
                                             "would be")});
  if (membership && membership->exposed())
    findings.push_back(
        {"membership", text("the generator denoises training images better than others: AUC ",
                            format("%.2f", membership->auc.mean), " of telling them apart")});
  if (!leakage.clean())
    findings.push_back(
        {"leakage", text(leakage.duplicates.size(), " near-duplicates, ", leakage.lesions.size(),
                         " lesions, ", leakage.patients.size(), " patients and ",
                         leakage.images.size(), " image names are in more than one part; ",
                         leakage.synthetic.size(), " synthetic images in validation and test")});
  find_distribution(*this, findings);
  find_groups(*this, findings);
  return findings;
}

AuditResults audit(const DataParts& parts, const PixelSet& synthetic, const Classifier& judge,
                   std::uint64_t seed, bool progress) {
  const auto &train = parts.train, &held_out = parts.test;
  const auto features = classifier_features(judge);
  AuditResults r;
  r.classes = train.classes;
  r.real_train = train.size();
  r.real_held_out = held_out.size();
  r.synthetic = synthetic.size();
  std::optional<Progress> shown;
  constexpr std::int64_t questions = 8;
  if (progress) shown.emplace("audit", questions, "question");
  auto ask = [&, asked = std::int64_t{0}](const char* about) mutable {
    if (shown) shown->update(asked++, about);
  };
  const auto measure = [&](const char* about, const auto& body) {
    ask(about);
    try {
      body();
    } catch (const std::invalid_argument& reason) {
      r.not_measured.push_back({about, reason.what()});
    }
  };

  ask("leakage");
  r.leakage = leakage_audit(parts);
  measure("memorisation", [&] {
    r.memorisation =
        memorisation_audit(train, held_out, synthetic, {.encoder = features, .seed = seed});
    r.memorisation_json = to_json(*r.memorisation, train);
    r.memorisation_pairs = memorisation_pictures(train, synthetic, *r.memorisation, 8, 2);
  });
  measure("distribution", [&] {
    r.distribution = distribution_audit(train, held_out, synthetic, features, {.seed = seed});
  });
  // Held-out images: the judge knows the training images, and would tell them by that.
  measure("realness", [&] {
    r.realness = realness_probe(
        held_out, synthetic, {{"classifier", features}, {"codec", codec_features}}, {.seed = seed});
  });
  ask("fidelity");
  r.fidelity = class_fidelity(judge, synthetic);
  r.fidelity_real = class_fidelity(judge, held_out);

  ask("skin tone");
  r.real_tones = estimate_tones(train);
  r.synthetic_tones = estimate_tones(synthetic);
  r.tones = compare_tones(r.real_tones, train, r.synthetic_tones, synthetic);
  r.group_gaps = group_gaps(labels_of(held_out), r.fidelity_real.evaluation.probabilities,
                            tone_group_of(estimate_tones(held_out)), lesions_of(held_out));

  ask("shortcuts");
  r.shortcuts = shortcut_probe(predict_with(judge), held_out, {.seed = seed});
  ask("artefacts");
  r.real_links = artefact_links(train, {.seed = seed});
  r.synthetic_links = artefact_links(synthetic, {.seed = seed});
  if (shown) shown->update(questions);
  return r;
}

void audit_generator(AuditResults& results, const Generator& generator, const DataParts& parts,
                     std::uint64_t seed) {
  results.generator = generator_hash(generator);
  results.split = generator.lineage.split;
  results.membership = membership_audit(generator, parts.train, parts.test, seed);
}

namespace {

Json to_json(const std::vector<Finding>& findings) {
  auto json = Json::array();
  for (const auto& finding : findings)
    json.push_back(Json::object({{"about", finding.about}, {"text", finding.text}}));
  return json;
}

}  // namespace

Json to_json(const AuditResults& r) {
  auto json = Json::object(
      {{"findings", to_json(r.findings())},
       {"not_measured", to_json(r.not_measured)},
       {"images", Json::object({{"real_train", r.real_train},
                                {"real_held_out", r.real_held_out},
                                {"synthetic", r.synthetic}})},
       {"fidelity", Json::object({{"synthetic", to_json(r.fidelity)},
                                  {"held_out_real", to_json(r.fidelity_real)}})},
       {"leakage", to_json(r.leakage)},
       {"skin_tone", Json::object({{"real", tone_summary(r.real_tones)},
                                   {"synthetic", tone_summary(r.synthetic_tones)},
                                   {"comparison", to_json(r.tones)}})},
       {"group_gaps", to_json(r.group_gaps, r.classes)},
       {"shortcuts", Json::object({{"probe", to_json(r.shortcuts)},
                                   {"links_real", to_json(r.real_links)},
                                   {"links_synthetic", to_json(r.synthetic_links)}})}});
  if (r.distribution) json["distribution"] = to_json(*r.distribution);
  if (r.realness) json["realness"] = to_json(*r.realness);
  if (r.memorisation) json["memorisation"] = r.memorisation_json;
  if (!r.generator.empty())
    json["provenance"] = Json::object({{"generator", r.generator}, {"split", r.split}});
  if (r.membership) json["membership"] = to_json(*r.membership);
  if (r.transfer) json["utility"] = to_json(*r.transfer);
  if (r.dose) json["dose"] = to_json(*r.dose);
  return json;
}

}  // namespace dermis
