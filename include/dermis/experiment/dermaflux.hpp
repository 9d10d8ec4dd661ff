#pragma once
/// \file
/// DermaFlux (arXiv 2603.16392) as an experiment: a text-to-image model trained on captioned
/// images, whether its images show what their prompts ask for, and whether they help a classifier
/// of benign and malignant lesions, beside those of diffusion with the same network.

#include <concepts>
#include <filesystem>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "dermis/audit/dose_curve.hpp"
#include "dermis/data/caption_files.hpp"
#include "dermis/data/masks.hpp"
#include "dermis/experiment/prompt_following.hpp"
#include "dermis/layers/adapters.hpp"
#include "dermis/train/parts.hpp"
#include "dermis/train/prompted_images.hpp"
#include "dermis/train/recipe.hpp"

namespace dermis {

struct DermafluxRecipe {
  std::string preset = "demo";
  PartsOptions data;
  AutoencoderOptions autoencoder;
  TextToImageOptions generator;
  bool hold_out = true;  ///< see is_held_out: such images are not trained on
  LowRankOptions adapter = {.rank = 16, .alpha = 16};  ///< of train --base
  StageSchedule adapter_training;
  std::int64_t followed_images = 200;  ///< drawn to be measured
  ClassifierOptions classifier;
  std::vector<double> doses = {0, 1, 2};  ///< as DoseOptions
  std::vector<double> real_shares = {0.125, 0.25, 0.5, 1};
  std::int64_t seeds = 3;
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, DermafluxRecipe>
void visit_fields(Self& o, Visitor&& visit) {
  visit("preset", o.preset);
  visit("data", o.data);
  visit("autoencoder", o.autoencoder);
  visit("generator", o.generator);
  visit("hold_out", o.hold_out);
  visit("adapter", o.adapter);
  visit("adapter_training", o.adapter_training);
  visit("followed_images", o.followed_images);
  visit("classifier", o.classifier);
  visit("doses", o.doses);
  visit("real_shares", o.real_shares);
  visit("seeds", o.seeds);
}

/// demo: `train` and `follow` in about an hour on two cores, the phantom. std::invalid_argument for
/// another name.
DermafluxRecipe dermaflux_recipe(const std::string& preset);
/// Checks what can be known before training.
void validate(const DermafluxRecipe& recipe);
/// What `train` and one training of `classify` would do, as plan(DermaeRecipe).
std::vector<StagePlan> plan(const DermafluxRecipe& recipe);

/// benign, malignant: what DermaFlux's classifier tells apart.
const std::vector<std::string>& malignancy_classes();
/// The same images with these two classes, see is_malignant.
PixelSet by_malignancy(const PixelSet& set);

/// Images with what they show, in figures and in words.
struct CaptionedSet {
  PixelSet set;
  std::vector<LesionDescription> descriptions;
  std::vector<std::string> captions;
  std::int64_t unmeasured = 0;  ///< images left out: no lesion found in them, or no mask

  CaptionedSet subset(const std::vector<std::int64_t>& rows) const;
};

/// Captions of a part of the phantom from its truth, by (seed, index). Throws std::invalid_argument
/// unless `set` holds all of that part's images in order.
CaptionedSet captioned(const PixelSet& set, const Phantom& phantom, PhantomPart part,
                       std::uint64_t seed);
/// Captions of any images from what is measured inside the lesion that is found in them, or inside
/// the masks that are given.
CaptionedSet captioned(const PixelSet& set, std::uint64_t seed);
CaptionedSet captioned(const MaskedSet& masked, std::uint64_t seed);
/// The captions that a table or NAME.txt files give (see read_caption_table), by the image's name
/// without extension; descriptions stay. Throws std::runtime_error that counts and names images
/// without a caption.
CaptionedSet recaptioned(CaptionedSet set, const std::vector<Caption>& captions);

/// The combination that is held out of training, to be asked for afterwards: asymmetric about both
/// axes, and blue-grey.
bool is_held_out(const LesionDescription& description);
/// The images that are trained on where the recipe holds that combination out.
CaptionedSet without_held_out(const CaptionedSet& set);

/// Autoencoder, unless one is given, then text encoder and transformer, saved into context.out; the
/// combination is held out where the recipe says so.
TextToImage train_dermaflux(const DermafluxRecipe& recipe, const CaptionedSet& training,
                            const StageContext& context, KLVAE autoencoder = nullptr);

/// Low-rank adapters of `flux` alone, on captioned images: writes context.out/adapter.safetensors,
/// in kohya's form. `read` says what the text encoders make of captions.
void train_adapter(const DermafluxRecipe& recipe, Flux flux, const KLVAE& autoencoder,
                   const std::function<FluxPrompt(const std::vector<std::string>&)>& read,
                   const CaptionedSet& training, const StageContext& context);

/// Whether drawn images show what was asked for.
struct FollowingResults {
  std::int64_t held_out_prompts = 0;
  PromptFollowing truth;     ///< real test images, measured inside their true masks; without the
                             ///< phantom's truth there are none
  PromptFollowing found;     ///< the same inside the masks that are found in them
  PromptFollowing drawn;     ///< drawn images and their prompts
  PromptFollowing shuffled;  ///< the control, see shuffled_following
  /// How well asymmetry (blue-grey) tells images of the held-out combination from those of prompts
  /// that ask for symmetry (for no blue-grey): AUC, 0.5 by chance.
  Interval held_out_asymmetry, held_out_colour;
  std::vector<ImageRequest> requests;
  PixelSet images;
};

/// Draws `recipe.followed_images` prompts: descriptions of the phantom's test lesions, every fourth
/// of which is changed to the held-out combination. Images lie in context.out/following.
FollowingResults follow_prompts(const DermafluxRecipe& recipe, const TextToImage& model,
                                const Phantom& phantom, const StageContext& context);

/// One way of drawing, and what its images do for the classifier.
struct SynthesisCurve {
  std::string method;  ///< flow or diffusion
  DoseCurve curve;
  std::vector<Interval> accuracy;  ///< one an effect, over lesions and seeds
  std::vector<Interval> auc;       ///< of malignant lesions, likewise
  PixelSet examples;               ///< a few drawn images, as many of each class, class by class
};

struct ClassifyResults {
  std::vector<SynthesisCurve> curves;
  /// Balanced accuracy with flow's images less that with diffusion's, one an effect.
  std::vector<Interval> flow_minus_diffusion;
};

/// Classifiers of benign and malignant lesions by real share and dose, with images of a rectified
/// flow and of diffusion: the same network, steps and number of images. The generators are trained
/// by train_dermaflux, the flow in context.out and diffusion in context.out/diffusion, on all of
/// `training`, as DermaFlux's was on far more images than its classifier: a share below 1 tells
/// what such a generator gives to someone who has few images.
ClassifyResults classify(const DermafluxRecipe& recipe, const CaptionedSet& training,
                         const DataParts& parts, const StageContext& context);

Json to_json(const FollowingResults& results);
Json to_json(const ClassifyResults& results);

}  // namespace dermis
