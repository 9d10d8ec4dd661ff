#include "dermis/edge/model.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "arena.hpp"
#include "content.hpp"
#include "dermis/core/check.hpp"
#include "dermis/io/resize.hpp"
#include "inference.hpp"
#include "kernels.hpp"
#include "team.hpp"
#include "weights.hpp"

namespace dermis::edge {
namespace {

const Kernels& kernels_named(const std::string& name) {
  const auto& kernels = supported_kernels();
  if (name.empty()) return *kernels.front();
  for (const Kernels* candidate : kernels)
    if (name == candidate->name) return *candidate;
  std::string names;
  for (const Kernels* candidate : kernels)
    names += (names.empty() ? "" : ", ") + std::string(candidate->name);
  throw std::invalid_argument(text("[edge] expected kernels ", names, ", got '", name, "'"));
}

int checked_threads(int threads) {
  check_argument(threads >= 1 && threads <= 64, "[edge] expected 1 to 64 threads, got ", threads);
  return threads;
}

/// softmax(logits / temperature), in double precision as metrics/calibration.hpp.
void probabilities_of(const float* logits, double temperature, std::vector<float>& out) {
  const double most = *std::max_element(logits, logits + out.size());
  double sum = 0;
  for (std::size_t c = 0; c < out.size(); ++c) sum += std::exp((logits[c] - most) / temperature);
  for (std::size_t c = 0; c < out.size(); ++c)
    out[c] = static_cast<float>(std::exp((logits[c] - most) / temperature) / sum);
}

const Image& square_of(const ImageView& image, const DermoscopyOptions& steps,
                       SquareResizer& resizer) {
  bool any = false;
  visit_fields(steps, [&](const char*, bool taken) { any = any || taken; });
  return any ? resizer(preprocess(copy_of(image), steps)) : resizer(image);
}

/// Pixels into `out`, see pixels_of().
void prepare(const ImageView& image, const Manifest& m, SquareResizer& resizer, float* out) {
  const Image& square = square_of(image, m.preprocessing, resizer);
  const std::int64_t pixels = square.width * square.height;
  for (std::int64_t c = 0; c < 3; ++c) {
    const auto mean = static_cast<float>(m.mean[static_cast<std::size_t>(c)]);
    const auto std = static_cast<float>(m.std[static_cast<std::size_t>(c)]);
    for (std::int64_t i = 0; i < pixels; ++i) {
      const auto byte = square.rgb[static_cast<std::size_t>(3 * i + c)];
      out[c * pixels + i] = (static_cast<float>(byte) / 255.0f - mean) / std;
    }
  }
}

std::size_t pixel_count(const Network& n) {
  return static_cast<std::size_t>(n.in_channels * n.image_size * n.image_size);
}

}  // namespace

struct Model::State {
  State(const std::filesystem::path& path, const ModelOptions& options_)
      : options(options_),
        kernels(kernels_named(options.kernels)),
        team(checked_threads(options.threads)) {
    const Content content = read_content(path);
    manifest = content.manifest;
    const auto place = [&] {
      weights = place_weights(content.file, path.string(), manifest, kernels, arena);
      memory = place_activations(manifest.network, kernels, team.size(), arena);
    };
    place();
    arena.allocate();
    place();
    const auto& n = manifest.network;
    resizer.emplace(n.image_size, Filter::Bicubic, options.largest_side);
    pixels.resize(pixel_count(n));
    all_logits.resize(static_cast<std::size_t>(n.exits() * n.num_classes));
    prediction.probabilities.resize(manifest.classes.size());
    prediction.flagged.resize(manifest.classes.size());
    if (options.attention) prediction.attention.resize(static_cast<std::size_t>(n.patches()));
  }

  /// Whether exit `exit` is sure enough. Leaves the probabilities in `prediction`.
  bool sure(std::int64_t exit, const float* logits) {
    const auto at = static_cast<std::size_t>(exit);
    probabilities_of(logits, manifest.temperatures[at], prediction.probabilities);
    const float most =
        *std::max_element(prediction.probabilities.begin(), prediction.probabilities.end());
    return most >= manifest.exit_confidences[at];
  }

  const ModelOptions options;
  const Kernels& kernels;
  Team team;
  Manifest manifest;
  Arena arena;
  Weights weights;
  Activations memory;
  std::optional<SquareResizer> resizer;
  std::vector<float> pixels, all_logits;
  Prediction prediction;
};

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (const Kernels* kernels : supported_kernels()) names.emplace_back(kernels->name);
  return names;
}

Model::Model(const std::filesystem::path& path, const ModelOptions& options)
    : state_(std::make_unique<State>(path, options)) {}
Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

const Manifest& Model::manifest() const {
  return state_->manifest;
}
const char* Model::kernels() const {
  return state_->kernels.name;
}
std::size_t Model::memory_bytes() const {
  return state_->arena.bytes();
}

const Prediction& Model::predict(const ImageView& image) {
  prepare(image, state_->manifest, *state_->resizer, state_->pixels.data());
  return predict(state_->pixels.data());
}

const Prediction& Model::predict(const float* pixels) {
  State& s = *state_;
  Inference inference(s.manifest, s.weights, s.memory, s.kernels, s.team);
  const ExitRule rule{[](void* state, std::int64_t exit, const float* logits) {
                        return static_cast<State*>(state)->sure(exit, logits);
                      },
                      &s};
  const std::int64_t exit = inference.run(pixels, s.options.attention, rule);
  Prediction& p = s.prediction;
  const auto& m = s.manifest;
  probabilities_of(s.memory.logits + exit * pad(m.network.num_classes),
                   m.temperatures[static_cast<std::size_t>(exit)], p.probabilities);
  p.exit = static_cast<int>(exit);
  p.best = static_cast<int>(std::max_element(p.probabilities.begin(), p.probabilities.end()) -
                            p.probabilities.begin());
  p.abstained = p.probabilities[static_cast<std::size_t>(p.best)] < m.abstain_below;
  for (std::size_t c = 0; c < p.flagged.size(); ++c)
    p.flagged[c] = !m.thresholds.empty() && p.probabilities[c] >= m.thresholds[c];
  if (s.options.attention) inference.attention_map(p.attention.data());
  return p;
}

const std::vector<float>& Model::logits(const float* pixels) {
  State& s = *state_;
  Inference inference(s.manifest, s.weights, s.memory, s.kernels, s.team);
  inference.run(pixels, false, {});
  const std::int64_t classes = s.manifest.network.num_classes;
  for (std::int64_t exit = 0; exit < s.manifest.network.exits(); ++exit)
    std::copy_n(s.memory.logits + exit * pad(classes), classes,
                s.all_logits.begin() + exit * classes);
  return s.all_logits;
}

std::vector<float> pixels_of(const ImageView& image, const Manifest& manifest) {
  std::vector<float> pixels(pixel_count(manifest.network));
  SquareResizer resizer(manifest.network.image_size);
  prepare(image, manifest, resizer, pixels.data());
  return pixels;
}

}  // namespace dermis::edge
