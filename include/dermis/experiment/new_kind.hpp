#pragma once
/// \file
/// A trained flow is taught, by low-rank adapters, a lesion kind that it has never seen: what it
/// learns, and what it forgets of the others. DermaFlux (arXiv 2603.16392) adapts FLUX.1 so; here
/// base, adapter and judge are small enough to ask the question with a control.

#include <concepts>
#include <string>
#include <type_traits>
#include <vector>

#include "dermis/audit/fidelity.hpp"
#include "dermis/train/flux.hpp"
#include "dermis/train/parts.hpp"
#include "dermis/train/prompted_images.hpp"
#include "dermis/train/recipe.hpp"

namespace dermis {

struct NewKindRecipe {
  std::string preset = "demo";
  PartsOptions data;
  AutoencoderOptions autoencoder;
  FluxOptions model;             ///< in_channels, text_dim and pooled_dim follow from the others
  FluxTrainingOptions base;      ///< of all kinds but the new one
  FluxTrainingOptions adapter;   ///< `low_rank` and `layers` of it
  std::int64_t text_tokens = 4;  ///< a kind's name as its text: so many fixed random tokens
  std::int64_t text_dim = 64;
  std::int64_t draws_per_kind = 400;  ///< different views of a kind's images, each kind's equally
                                      ///< often
  std::int64_t latent_views = 8;      ///< see GeneratorOptions
  FluxSamplingOptions sampling = {.steps = 25, .true_guidance = 2};
  std::int64_t images_per_kind = 100;  ///< drawn by each model
  ClassifierOptions judge;             ///< trained on real images of all kinds
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, NewKindRecipe>
void visit_fields(Self& o, Visitor&& visit) {
  visit("preset", o.preset);
  visit("data", o.data);
  visit("autoencoder", o.autoencoder);
  visit("model", o.model);
  visit("base", o.base);
  visit("adapter", o.adapter);
  visit("text_tokens", o.text_tokens);
  visit("text_dim", o.text_dim);
  visit("draws_per_kind", o.draws_per_kind);
  visit("latent_views", o.latent_views);
  visit("sampling", o.sampling);
  visit("images_per_kind", o.images_per_kind);
  visit("judge", o.judge);
}

/// demo: about half an hour on two cores, the phantom. std::invalid_argument for another name.
NewKindRecipe new_kind_recipe(const std::string& preset);
/// Checks what can be known before training.
void validate(const NewKindRecipe& recipe);
/// What a run would do, as plan(DermaeRecipe).
std::vector<StagePlan> plan(const NewKindRecipe& recipe, std::int64_t classes);

/// What stands for the words of a prompt where there is no text encoder: for each class T tokens
/// and a pooled vector of N(0, 1), drawn by (seed, the class's name); row 0, of zeros, is the empty
/// prompt, row 1 + c class c.
FluxPrompt class_prompts(const std::vector<std::string>& classes, std::int64_t tokens,
                         std::int64_t dim, std::uint64_t seed);

/// Images of one model, image i of a kind from the same noise whichever model draws it.
struct KindImages {
  std::string model;  ///< base, adapter, adapter_replay
  PixelSet images;
  ClassFidelity fidelity;          ///< whether the judge sees the kind that was asked for
  std::vector<Interval> distance;  ///< KID of each kind to real test images, features of the judge;
                                   ///< NaN where these are fewer than 4
  /// Less the base's share, the same noise: of the new kind's images (what was learned), of the
  /// others' (below 0: forgotten).
  Interval learned, kept;
  /// Root mean square difference to the base's images of the old kinds, of values in 0..1.
  double drift = 0;
};

struct NewKindResults {
  std::string kind;
  std::vector<std::string> classes;
  std::int64_t new_images = 0;  ///< real training images of the new kind
  ClassFidelity real;           ///< the judge on real test images
  std::vector<KindImages> models;
  double chance_drift = 0;  ///< drift between images of one kind from different noise
};

/// Autoencoder and judge (on all kinds), the base (on all but `kind`), and two adapters of it by
/// equal steps: one on the new kind's images alone, one on as many images of the old kinds beside
/// them (replay). Each stage resumes; adapters are written to context.out/NAME.safetensors in
/// kohya's form, images to context.out/NAME.
/// \throws std::invalid_argument if `kind` is no class or options cannot be
NewKindResults learn_new_kind(const NewKindRecipe& recipe, const std::string& kind,
                              const DataParts& parts, const StageContext& context);

Json to_json(const NewKindResults& results);

}  // namespace dermis
