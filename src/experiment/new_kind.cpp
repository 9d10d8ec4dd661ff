#include "dermis/experiment/new_kind.hpp"

#include <algorithm>
#include <cmath>

#include "dermis/core/hash.hpp"
#include "dermis/core/random.hpp"
#include "dermis/io/csv.hpp"
#include "dermis/metrics/generation.hpp"
#include "dermis/train/latent_cache.hpp"
#include "dermis/version.hpp"
#include "dermis/weights/lora.hpp"

namespace dermis {
namespace {

/// The row of `class_prompts` of each class and of the empty prompt.
struct Prompts {
  Prompts(const NewKindRecipe& recipe, std::vector<std::string> names, std::uint64_t seed)
      : classes(std::move(names)),
        rows(class_prompts(classes, recipe.text_tokens, recipe.text_dim, seed)) {}

  FluxPrompt of(const std::vector<std::string>& names) const {
    std::vector<std::int64_t> picked;
    for (const auto& name : names) picked.push_back(1 + index(name));
    const auto indices = torch::tensor(picked, torch::kLong);
    return {rows.text.index_select(0, indices), rows.pooled.index_select(0, indices)};
  }
  FluxPrompt empty(std::int64_t count) const {
    return {rows.text.slice(0, 0, 1).expand({count, -1, -1}),
            rows.pooled.slice(0, 0, 1).expand({count, -1})};
  }
  std::int64_t index(const std::string& name) const {
    return std::find(classes.begin(), classes.end(), name) - classes.begin();
  }

  std::vector<std::string> classes;
  FluxPrompt rows;
};

/// `count` views of the images of class `label`: every image once before any of them a second time.
std::vector<std::int64_t> views_of(const PixelSet& set, std::int64_t label, std::int64_t count,
                                   std::int64_t views) {
  std::vector<std::int64_t> images, picked;
  for (std::int64_t i = 0; i < set.size(); ++i)
    if (set.samples[static_cast<std::size_t>(i)].label == label) images.push_back(i);
  check_argument(!images.empty(), "[new_kind] no training image of ",
                 set.classes.at(static_cast<std::size_t>(label)));
  const auto n = static_cast<std::int64_t>(images.size());
  for (std::int64_t j = 0; j < count; ++j)
    picked.push_back(images[static_cast<std::size_t>(j % n)] + (j / n) % views * set.size());
  return picked;
}

/// What is drawn from: the latents of all views and which of them belong to whom.
struct Drawings {
  const NewKindRecipe& recipe;
  const PixelSet& training;
  at::Tensor latents;  ///< [views N, C, h, w]
  const Prompts& prompts;

  /// `counts[c]` views of class c.
  FluxTrainingSet of(const std::vector<std::int64_t>& counts) const {
    std::vector<std::int64_t> rows, labels;
    for (std::size_t c = 0; c < counts.size(); ++c) {
      if (counts[c] == 0) continue;
      const auto label = static_cast<std::int64_t>(c);
      const auto views = views_of(training, label, counts[c], recipe.latent_views);
      rows.insert(rows.end(), views.begin(), views.end());
      labels.insert(labels.end(), views.size(), 1 + label);
    }
    return {latents.index_select(0, torch::tensor(rows, torch::kLong)),
            torch::tensor(labels, torch::kLong), prompts.rows.text, prompts.rows.pooled};
  }
};

PromptedGenerator generator_of(const NewKindRecipe& recipe, const Flux& flux,
                               const KLVAE& autoencoder, const Prompts& prompts,
                               const PixelSet& training) {
  const auto device = flux.ptr()->img_in->weight.device();
  const auto on = [device](const FluxPrompt& p) {
    return FluxPrompt{p.text.to(device), p.pooled.to(device)};
  };
  const auto& sampling = recipe.sampling;
  return {.latents =
              [flux, sampling, prompts, on, device](const auto& names, const at::Tensor& noise) {
                const torch::NoGradGuard no_grad;
                return sample_flux(flux, on(prompts.of(names)), noise.to(device), sampling,
                                   on(prompts.empty(noise.size(0))));
              },
          .autoencoder = autoencoder,
          .image_size = training.images.size(2),
          .mark = {.generator = fingerprint(
                       text(fingerprint(state_dict(*flux)), fingerprint(state_dict(*autoencoder)))),
                   .split = lineage_of(training).split,
                   .guidance_scale = sampling.true_guidance,
                   .sampler = sampling.heun ? "heun" : "euler",
                   .steps = sampling.steps,
                   .settings = fingerprint(options_to_json(recipe).dump()),
                   .version = version},
          .lineage = lineage_of(training)};
}

std::vector<ImageRequest> requests_of(const std::vector<std::string>& classes,
                                      std::int64_t images_per_kind) {
  std::vector<ImageRequest> requests;
  for (std::size_t c = 0; c < classes.size(); ++c)
    for (std::int64_t i = 0; i < images_per_kind; ++i)
      requests.push_back(
          {classes[c], static_cast<std::int64_t>(c) * images_per_kind + i, classes[c]});
  return requests;
}

/// The share of images of one label that the judge names rightly, of `images` less of `base`.
Interval gain(const KindImages& images, const KindImages& base,
              const std::function<bool(int)>& counts) {
  std::vector<double> gains;
  const auto& after = images.fidelity.evaluation;
  const auto& before = base.fidelity.evaluation;
  for (std::size_t i = 0; i < after.labels.size(); ++i)
    if (counts(after.labels[i]))
      gains.push_back(static_cast<double>(after.predictions[i] == after.labels[i]) -
                      static_cast<double>(before.predictions[i] == before.labels[i]));
  return bootstrap_interval(std::vector<std::string>(gains.size()), [&](const auto& rows) {
    double sum = 0;
    for (const auto row : rows) sum += gains[static_cast<std::size_t>(row)];
    return sum / static_cast<double>(rows.size());
  });
}

double root_mean_square(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).div(255).square().mean().sqrt().item<double>();
}

at::Tensor images_of_others(const PixelSet& set, std::int64_t label) {
  return set.images.index_select(0, set.labels.ne(label).nonzero().flatten());
}

/// NaN for a kind with fewer than 4 real images.
std::vector<Interval> distances(const Classifier& judge, const PixelSet& drawn,
                                const PixelSet& real) {
  std::vector<Interval> result;
  for (std::int64_t c = 0; c < static_cast<std::int64_t>(drawn.classes.size()); ++c) {
    const auto images = [&](const PixelSet& set) {
      return set.images.index_select(0, set.labels.eq(c).nonzero().flatten());
    };
    result.push_back(images(real).size(0) < 4
                         ? Interval{NAN, NAN, NAN}
                         : kernel_distance(encoder_features(judge, images(drawn)),
                                           encoder_features(judge, images(real))));
  }
  return result;
}

void drop_adapters(Flux& flux) {
  for (const auto& [path, linear] : linear_layers(*flux)) linear->drop_low_rank();
}

}  // namespace

FluxPrompt class_prompts(const std::vector<std::string>& classes, std::int64_t tokens,
                         std::int64_t dim, std::uint64_t seed) {
  const auto count = static_cast<std::int64_t>(classes.size());
  const auto values = torch::zeros({1 + count, tokens + 1, dim});
  auto* value = values.data_ptr<float>() + (tokens + 1) * dim;
  for (const auto& name : classes) {
    RandomStream stream(seed, "class_prompts/" + name);
    for (std::int64_t i = 0; i < (tokens + 1) * dim; ++i)
      *value++ = static_cast<float>(stream.normal());
  }
  return {values.slice(1, 0, tokens).contiguous(), values.select(1, tokens).contiguous()};
}

NewKindResults learn_new_kind(const NewKindRecipe& recipe, const std::string& kind,
                              const DataParts& parts, const StageContext& context) {
  validate(recipe);
  const auto& training = parts.train;
  const auto& classes = training.classes;
  const Prompts prompts(recipe, classes, context.seed);
  const auto label = prompts.index(kind);
  const auto others = static_cast<std::int64_t>(classes.size()) - 1;
  check_argument(label <= others, "[new_kind] expected one of the classes ", detail::join(classes),
                 ", got ", kind);

  const auto judge =
      train_classifier(training, measure_normalization(training), recipe.judge, context, "judge");
  const auto autoencoder = train_autoencoder(training, recipe.autoencoder, context);
  const Drawings drawings{recipe, training,
                          cached_latents(autoencoder, training.images, recipe.latent_views,
                                         context.out.empty() ? context.out : context.out / "base"),
                          prompts};
  auto model = recipe.model;
  model.in_channels = 4 * autoencoder->options.latent_channels;
  model.text_dim = model.pooled_dim = recipe.text_dim;
  Flux flux(model, first_weights(context, "base"));
  flux->to(context.device);

  NewKindResults results{.kind = kind,
                         .classes = classes,
                         .new_images = training.class_counts()[static_cast<std::size_t>(label)],
                         .real = class_fidelity(judge, parts.test),
                         .models = {}};
  const auto requests = requests_of(classes, recipe.images_per_kind);
  const auto examine = [&](const std::string& name) {
    KindImages found{.model = name, .images = {}, .fidelity = {}, .distance = {}};
    found.images = draw_images(
        generator_of(recipe, flux, autoencoder, prompts, training), requests, classes, context.seed,
        context.out.empty() ? context.out : context.out / name / "images", context.progress);
    found.fidelity = class_fidelity(judge, found.images);
    found.distance = distances(judge, found.images, parts.test);
    const auto& base = results.models.empty() ? found : results.models.front();
    found.learned = gain(found, base, [&](int c) { return c == label; });
    found.kept = gain(found, base, [&](int c) { return c != label; });
    found.drift = root_mean_square(images_of_others(found.images, label),
                                   images_of_others(base.images, label));
    results.models.push_back(std::move(found));
  };

  std::vector<std::int64_t> old_kinds(classes.size(), recipe.draws_per_kind);
  old_kinds[static_cast<std::size_t>(label)] = 0;
  train_flux(flux, drawings.of(old_kinds), recipe.base, context, "base");
  examine("base");
  const auto drawn = images_of_others(results.models.front().images, label);
  const auto by_kind =
      drawn.view({others, recipe.images_per_kind, 3, drawn.size(2), drawn.size(3)});
  results.chance_drift = root_mean_square(by_kind, by_kind.roll({1}, {1}));

  const auto adapt = [&](const std::string& name, std::int64_t of_each_old_kind) {
    std::vector<std::int64_t> counts(classes.size(), of_each_old_kind);
    counts[static_cast<std::size_t>(label)] = recipe.draws_per_kind;
    train_flux(flux, drawings.of(counts), recipe.adapter, context, name);
    if (!context.out.empty())
      write_lora_kohya(context.out / (name + ".safetensors"), collect_lora(*flux));
    examine(name);
    drop_adapters(flux);
  };
  adapt("adapter", 0);
  adapt("adapter_replay", (recipe.draws_per_kind + others - 1) / others);
  return results;
}

Json to_json(const NewKindResults& r) {
  Json models = Json::object();
  for (const auto& m : r.models) {
    Json distance = Json::object();
    for (std::size_t c = 0; c < r.classes.size(); ++c)
      distance[r.classes[c]] = to_json(m.distance[c]);
    models[m.model] = Json::object({{"fidelity", to_json(m.fidelity)},
                                    {"kid", distance},
                                    {"learned", to_json(m.learned)},
                                    {"kept", to_json(m.kept)},
                                    {"drift", m.drift}});
  }
  return Json::object({{"kind", r.kind},
                       {"new_images", r.new_images},
                       {"real", to_json(r.real)},
                       {"models", models},
                       {"chance_drift", r.chance_drift}});
}

}  // namespace dermis
