#include "card_fields.hpp"
#include "dermis/report/card.hpp"

namespace dermis {

using detail::by_class;
using detail::disclosed;
using detail::member;
using detail::show;

namespace {

/// The sum of counts by class; null without any.
Json total(const Json& counts) {
  if (!counts.is_object() || counts.size() == 0) return {};
  std::int64_t sum = 0;
  for (const auto& [name, count] : counts.items()) sum += count.get<std::int64_t>();
  return sum;
}

CardSection generator(const Json& metrics, const Json& audit) {
  const auto recipe = member(metrics, {"recipe", "generator"});
  return {"Generator",
          "A class-conditioned latent diffusion model, trained on the training part alone.",
          {{"Hash of the generator", show(audit, {"provenance", "generator"})},
           {"Hash of the split", show(audit, {"provenance", "split"})},
           {"Source of the training images", show(metrics, {"data", "source"})},
           {"Split", show(metrics, {"data", "split"})},
           {"Network", show(recipe, {"model"})},
           {"Objective", show(recipe, {"objective"})},
           {"Schedule of training", show(recipe, {"training"})},
           {"Autoencoder's PSNR, dB", show(metrics, {"autoencoder", "psnr"})},
           {"PSNR of bicubic resizing by 8, dB", show(metrics, {"autoencoder", "bicubic_psnr"})},
           {"Held-out denoising error", show(metrics, {"denoising"})}}};
}

CardSection images(const Json& metrics, const Json& audit) {
  const auto plan = member(metrics, {"synthetic_training_images"});
  const auto recipe = member(metrics, {"recipe", "generator"});
  return {"Images",
          "Drawn to balance the classes of a training set.",
          {{"Images by class",
            by_class({{"synthetic", plan},
                      {"real training images", member(metrics, {"data", "train"})}})},
           {"Synthetic images", total(plan)},
           {"Image size, pixels", show(metrics, {"data", "image_size"})},
           {"Seed", show(metrics, {"seed"})},
           {"Sampler", show(recipe, {"sampler"})},
           {"Sampling steps", show(recipe, {"sampling_steps"})},
           {"Guidance scale", show(recipe, {"guidance_scale"})},
           {"Guidance rescale", show(recipe, {"guidance_rescale"})},
           {"Guidance interval", show(recipe, {"guidance_interval"})},
           {"Provenance marks", show(audit, {"provenance", "marks"})},
           {"Codec", show(audit, {"provenance", "codec"})},
           {"Set aside as copies", show(audit, {"provenance", "quarantined"})}}};
}

CardSection quality(const Json& metrics, const Json& audit) {
  const auto generation = member(metrics, {"generation"});
  const auto fidelity = member(generation, {"class_fidelity"});
  return {"Quality",
          "The floor is the distance between two real sets, training against held-out.",
          {{"KID", show(generation, {"kid"})},
           {"KID, floor", show(generation, {"kid_real"})},
           {"FID", show(generation, {"fid"})},
           {"FID, floor", show(generation, {"fid_real"})},
           {"Images on either side", show(generation, {"n"})},
           {"KID, FID, precision, recall, density and coverage by class",
            show(audit, {"distribution"})},
           {"Intended class recognised", show(fidelity, {"balanced_accuracy"})},
           {"Intended class recognised, by class",
            by_class({{"recall", member(fidelity, {"per_class_recall"})}})},
           {"Fidelity, as the audit found it", show(audit, {"fidelity"})},
           {"Real against synthetic, by a probe", show(audit, {"realness"})}}};
}

/// Effects of the doses over seeds; the runs one by one would fill pages.
Json dose(const Json& audit) {
  const auto effects = show(audit, {"dose", "effects"});
  return effects.is_null() ? show(audit, {"dose"}) : effects;
}

CardSection utility(const Json& metrics, const Json& audit) {
  return {"Utility",
          "Balanced accuracy on real test images; equal image passes.",
          {{"Trained on real images alone",
            show(metrics, {"arms", "real_balanced", "balanced_accuracy"})},
           {"Trained on real and synthetic images",
            show(metrics, {"arms", "real_synthetic", "balanced_accuracy"})},
           {"Trained on synthetic, tested on real, and the reverse", show(audit, {"utility"})},
           {"Dose", dose(audit)}}};
}

}  // namespace

Card synthetic_data_card(const Json& metrics, const Json& audit) {
  check_argument(metrics.is_object(), "[card] expected metrics as an object, got ", metrics.dump());
  check_argument(audit.is_object(), "[card] expected an audit as an object, got ", audit.dump());
  return {"Synthetic-data card",
          {{"Intended use",
            "Training images for research on classifiers of skin lesions, beside real ones. Every "
            "image "
            "was drawn by a model; whether any repeats a training image stands under Privacy.",
            {}},
           {"Not intended for",
            "Validation or test sets, teaching what a disease looks like, or any decision about a "
            "person. Research software, not a medical device; no clinical claim is made.",
            {}},
           generator(metrics, audit),
           images(metrics, audit),
           quality(metrics, audit),
           utility(metrics, audit),
           {"Privacy",
            "",
            {{"Memorisation of training images", show(audit, {"memorisation"})},
             {"Leakage across the split", show(audit, {"leakage"})},
             {"Consent and approval of the training images", show(audit, {"dataset", "consent"})}}},
           {"Representation",
            "",
            {{"Skin tone", show(audit, {"skin_tone"})},
             {"Gaps between groups", show(audit, {"group_gaps"})}}},
           {"Known artefacts", "", {{"Artefacts tied to a class", show(audit, {"shortcuts"})}}},
           {"Limits",
            "Synthetic images repeat what the training images show and leave out what they lack; "
            "they add no patients.",
            {}},
           {"Terms",
            "",
            {{"Licence", show(audit, {"licence"})}, {"Contact", show(audit, {"contact"})}}}}};
}

}  // namespace dermis
