#pragma once
/// \file
/// The class-conditioned generator: a UNet trained on cached latents by diffusion or rectified
/// flow, sampled with guidance, decoded.

#include "dermis/diffusion/ddim.hpp"
#include "dermis/diffusion/denoiser.hpp"
#include "dermis/diffusion/rectified_flow.hpp"
#include "dermis/metrics/bootstrap.hpp"
#include "dermis/models/unet.hpp"
#include "dermis/train/autoencoder.hpp"

namespace dermis {

/// What the network is asked to predict.
enum class Objective { Epsilon, Velocity, Flow };
std::string name(Objective objective);
void from_name(Objective& objective, const std::string& text);

struct GeneratorOptions {
  UNetOptions model;  ///< num_classes and channel counts of the latents are taken from the data
  StageSchedule training;
  Objective objective = Objective::Velocity;
  NoiseScheduleOptions schedule = cosine_schedule();  ///< not used by flow
  double label_dropout = 0.1;  ///< share of labels replaced by the null class, for guidance
  bool class_balanced = true;  ///< every class is drawn equally often
  std::int64_t latent_views =
      2;  ///< cached latents an image: 1, 2 (mirrored) or 8 (all right angles, mirrored)
  std::int64_t sampling_steps = 25;
  double guidance_scale = 2.0;  ///< 1 = the plain conditional model
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, GeneratorOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("model", o.model);
  visit("training", o.training);
  visit("objective", o.objective);
  visit("schedule", o.schedule);
  visit("label_dropout", o.label_dropout);
  visit("class_balanced", o.class_balanced);
  visit("latent_views", o.latent_views);
  visit("sampling_steps", o.sampling_steps);
  visit("guidance_scale", o.guidance_scale);
}

/// Both stages of latent diffusion, ready to draw.
struct Generator {
  KLVAE autoencoder{nullptr};
  UNet unet{nullptr};
  GeneratorOptions options;
  std::vector<std::string> classes;
  std::int64_t image_size = 0;

  /// One uint8 image per label: [N, 3, S, S]. Image i depends on (seed, labels[i], indices[i])
  /// alone, not on the batch it is drawn in.
  at::Tensor sample(const std::vector<int>& labels, const std::vector<std::int64_t>& indices,
                    std::uint64_t seed) const;
};

/// Caches the latents of `training`, then trains a UNet on them. The latents' scale is the
/// autoencoder's.
Generator train_generator(const PixelSet& training, const KLVAE& autoencoder,
                          GeneratorOptions options, const StageContext& context,
                          const std::string& name = "generator", TrainResult* result = nullptr);

/// Held-out denoising: mean squared error on the same latents, times and noise.
struct DenoisingComparison {
  double model = 0;               ///< with true labels
  double shuffled = 0;            ///< with another image's label
  double linear = 0;              ///< the best linear (Gaussian) denoiser of the training latents
  Interval linear_minus_model;    ///< paired by image: above 0, the model beats the linear denoiser
  Interval shuffled_minus_model;  ///< paired by image: above 0, the model uses its labels
};
DenoisingComparison compare_denoising(const Generator& generator, const PixelSet& training,
                                      const PixelSet& held_out, std::uint64_t seed,
                                      std::int64_t times = 16);

/// How many images of each class to draw so that every class reaches `target` real + synthetic
/// images (0: as many as the most frequent class has), but at least `minimum` of every class: where
/// only rare classes hold synthetic images, looking synthetic gives them away.
std::vector<std::int64_t> balancing_plan(const std::vector<std::int64_t>& class_counts,
                                         std::int64_t target, std::int64_t minimum = 0);

/// Draws plan[c] images of each class c, with ids synthetic_<class>_<number>. With a directory
/// every image is written there as <class>/<id>.png beside labels.csv, and images found there with
/// the same fingerprint of generator and seed are not drawn again.
PixelSet synthesize(const Generator& generator, const std::vector<std::int64_t>& plan,
                    std::uint64_t seed, const std::filesystem::path& directory = {},
                    bool progress = true);

/// Images that synthesize() wrote, at the size and with the classes of `like`, marked synthetic.
/// Throws std::runtime_error naming the file for a label that `like` does not know.
PixelSet load_synthetic(const std::filesystem::path& directory, const PixelSet& like, int threads);

/// autoencoder.safetensors and generator.safetensors in `directory`.
void save_generator(const std::filesystem::path& directory, const Generator& generator);
Generator load_generator(const std::filesystem::path& directory, at::Device device = at::kCPU);

}  // namespace dermis
