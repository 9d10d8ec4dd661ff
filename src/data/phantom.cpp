/// \file
/// Which image shows which lesion and view, and the way from there to pixels.

#include "dermis/data/phantom.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "dermis/core/check.hpp"
#include "phantom_lesion.hpp"

namespace dermis {
namespace {

using namespace detail;

/// Images of each class in the ISIC 2019 training set.
constexpr std::array<double, kinds> isic_counts{4522, 12875, 3323, 867, 2624, 239, 253, 628};

/// `total` images over the classes: ISIC's shares, but at least `minimum` each; exact by largest
/// remainders.
std::array<std::int64_t, kinds> training_counts(std::int64_t total, double minimum_share) {
  const double minimum = minimum_share * static_cast<double>(total);
  std::array<double, kinds> wanted{};
  std::array<bool, kinds> raised{};
  // Raising one class lowers the rest, which may push another below: repeat until none changes.
  for (int round = 0; round < kinds; ++round) {
    double left = static_cast<double>(total), shares = 0;
    for (int c = 0; c < kinds; ++c) {
      const auto i = static_cast<std::size_t>(c);
      if (raised[i])
        left -= minimum;
      else
        shares += isic_counts[i];
    }
    bool changed = false;
    for (int c = 0; c < kinds; ++c) {
      const auto i = static_cast<std::size_t>(c);
      wanted[i] = raised[i] ? minimum : left * isic_counts[i] / shares;
      if (!raised[i] && wanted[i] < minimum) raised[i] = changed = true;
    }
    if (!changed) break;
  }
  std::array<std::int64_t, kinds> counts{};
  std::int64_t given = 0;
  for (std::size_t i = 0; i < kinds; ++i)
    given += counts[i] = static_cast<std::int64_t>(std::floor(wanted[i]));
  for (; given < total; ++given) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < kinds; ++i)
      if (wanted[i] - static_cast<double>(counts[i]) >
          wanted[best] - static_cast<double>(counts[best]))
        best = i;
    ++counts[best];
  }
  return counts;
}

std::string numbered(char prefix, std::int64_t number, int digits) {
  char name[32];
  std::snprintf(name, sizeof name, "%c%0*lld", prefix, digits, static_cast<long long>(number));
  return name;
}

/// One image of the plan.
struct Entry {
  int label = 0;
  std::int64_t lesion = 0;
  int view = 0;
};

/// Box-filters `factor` x `factor` samples into a pixel.
Field shrink(const Field& field, int factor) {
  Field small(field.width / factor, field.height / factor);
  const float weight = 1.0F / static_cast<float>(factor * factor);
  for (int y = 0; y < small.height; ++y) {
    float* out = small.row(y);
    for (int dy = 0; dy < factor; ++dy) {
      const float* in = field.row(y * factor + dy);
      for (int x = 0; x < small.width; ++x)
        for (int dx = 0; dx < factor; ++dx) out[x] += weight * in[x * factor + dx];
    }
  }
  return small;
}

/// Gaussian blur, `sigma` in samples.
void blur(Field& field, float sigma) {
  const int reach = static_cast<int>(std::ceil(2.5F * sigma));
  if (sigma < 0.2F || reach < 1) return;
  std::vector<float> kernel;
  float sum = 0;
  for (int i = -reach; i <= reach; ++i) {
    kernel.push_back(std::exp(-0.5F * static_cast<float>(i * i) / (sigma * sigma)));
    sum += kernel.back();
  }
  for (float& k : kernel) k /= sum;
  Field pass(field.width, field.height);
  for (int y = 0; y < field.height; ++y)
    for (int x = 0; x < field.width; ++x)
      for (int i = -reach; i <= reach; ++i)
        pass.row(y)[x] += kernel[static_cast<std::size_t>(i + reach)] *
                          field.row(y)[std::clamp(x + i, 0, field.width - 1)];
  std::fill(field.values.begin(), field.values.end(), 0.0F);
  for (int y = 0; y < field.height; ++y)
    for (int i = -reach; i <= reach; ++i) {
      const float* in = pass.row(std::clamp(y + i, 0, field.height - 1));
      for (int x = 0; x < field.width; ++x)
        field.row(y)[x] += kernel[static_cast<std::size_t>(i + reach)] * in[x];
    }
}

std::uint8_t to_byte(float value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0F, 1.0F) * 255.0F));
}

/// Samples along a pixel's side: fine lines need more of them in small pictures.
int supersampling(std::int64_t size) {
  return size < 48 ? 4 : 2;
}

Image draw(const Lesion& lesion, const View& view, std::int64_t size, std::uint64_t grain_seed) {
  const int factor = supersampling(size), side = static_cast<int>(size) * factor;
  const Frame frame(side, view.angle, view.mirrored, view.zoom, view.shift);
  Planes planes(side);
  paint(planes, lesion, frame, lesion_fields(lesion, frame, side));
  add_artefacts(planes, view);

  std::array<Field, 3> channels{shrink(planes.r, factor), shrink(planes.g, factor),
                                shrink(planes.b, factor)};
  RandomStream random(grain_seed, "phantom grain");
  Image image{.width = size,
              .height = size,
              .rgb = std::vector<std::uint8_t>(static_cast<std::size_t>(3 * size * size))};
  for (Field& channel : channels) blur(channel, 0.5F * static_cast<float>(size) * view.blur);
  for (std::size_t i = 0; i < channels[0].values.size(); ++i)
    for (std::size_t c = 0; c < 3; ++c) {
      // A sum of uniforms is normal enough for sensor noise, and one word serves it.
      const std::uint32_t word = random();
      const float sum = static_cast<float>((word & 0xFFU) + (word >> 8 & 0xFFU) +
                                           (word >> 16 & 0xFFU) + (word >> 24));
      image.rgb[3 * i + c] = to_byte(channels[c].values[i] + view.grain * (sum - 510.0F) / 147.8F);
    }
  return image;
}

}  // namespace

void validate(const PhantomOptions& options) {
  check_argument(options.train_images > 0, "[phantom] expected train_images above 0, got ",
                 options.train_images);
  check_argument(options.minimum_share >= 0 && options.minimum_share <= 0.125,
                 "[phantom] expected minimum_share in [0, 0.125], got ", options.minimum_share);
  check_argument(options.validation_lesions_per_class >= 0 && options.test_lesions_per_class >= 0,
                 "[phantom] expected lesions per class of at least 0, got validation ",
                 options.validation_lesions_per_class, ", test ", options.test_lesions_per_class);
  check_argument(options.image_size >= 8 && options.image_size <= 4096,
                 "[phantom] expected image_size in [8, 4096], got ", options.image_size);
}

const std::vector<std::string>& phantom_classes() {
  static const std::vector<std::string> names{"MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC"};
  return names;
}

struct Phantom::Plan {
  PhantomOptions options;
  std::array<std::vector<Entry>, 3> entries;
  std::array<std::vector<Sample>, 3> samples;

  explicit Plan(const PhantomOptions& o) : options(o) {
    std::array<std::vector<std::vector<Entry>>, 3> lesions;  // views of each lesion
    const auto counts = training_counts(options.train_images, options.minimum_share);
    RandomStream random(options.seed, "phantom plan");
    for (int label = 0; label < kinds; ++label) {
      for (std::int64_t left = counts[static_cast<std::size_t>(label)]; left > 0;) {
        // One view is the rule in a large archive, up to four do occur.
        const double u = random.uniform();
        const std::int64_t views = std::min<std::int64_t>(left, u < 0.5    ? 1
                                                                : u < 0.75 ? 2
                                                                : u < 0.9  ? 3
                                                                           : 4);
        lesions[0].emplace_back();
        for (int view = 0; view < views; ++view) lesions[0].back().push_back({label, 0, view});
        left -= views;
      }
      for (std::int64_t i = 0; i < options.validation_lesions_per_class; ++i)
        lesions[1].push_back({{label, 0, 0}});
      for (std::int64_t i = 0; i < options.test_lesions_per_class; ++i)
        lesions[2].push_back({{label, 0, 0}});
    }
    // Neither the order of images nor a lesion's number may tell the class.
    std::int64_t next_lesion = 0, next_image = 0;
    for (std::size_t part = 0; part < 3; ++part) {
      random.shuffle(lesions[part]);
      for (auto& views : lesions[part]) {
        for (Entry& entry : views) {
          entry.lesion = next_lesion;
          entries[part].push_back(entry);
        }
        ++next_lesion;
      }
      random.shuffle(entries[part]);
      for (const Entry& entry : entries[part])
        samples[part].push_back({.id = numbered('P', next_image++, 7),
                                 .label = entry.label,
                                 .lesion = numbered('L', entry.lesion, 6),
                                 .original_width = options.image_size,
                                 .original_height = options.image_size});
    }
  }

  const Entry& at(PhantomPart part, std::int64_t index) const {
    const auto& list = entries[static_cast<std::size_t>(part)];
    check_argument(index >= 0 && index < static_cast<std::int64_t>(list.size()),
                   "[phantom] expected an index below ", list.size(), ", got ", index);
    return list[static_cast<std::size_t>(index)];
  }
  Lesion lesion(const Entry& e) const { return make_lesion(options.seed, e.label, e.lesion); }
  View view(const Entry& e) const { return make_view(options.seed, e.lesion, e.view); }
};

Phantom::Phantom(const PhantomOptions& options) {
  validate(options);
  plan_ = std::make_shared<const Plan>(options);
}

const PhantomOptions& Phantom::options() const {
  return plan_->options;
}

std::int64_t Phantom::size(PhantomPart part) const {
  return static_cast<std::int64_t>(samples(part).size());
}

const std::vector<Sample>& Phantom::samples(PhantomPart part) const {
  return plan_->samples[static_cast<std::size_t>(part)];
}

Image Phantom::render(PhantomPart part, std::int64_t index) const {
  return render(part, index, plan_->options.image_size);
}

Image Phantom::render(PhantomPart part, std::int64_t index, std::int64_t image_size) const {
  PhantomOptions sized = plan_->options;
  sized.image_size = image_size;
  validate(sized);
  const Entry& entry = plan_->at(part, index);
  const View view = plan_->view(entry);
  return draw(plan_->lesion(entry), view, image_size, view.artefact_seed);
}

Image Phantom::mask(PhantomPart part, std::int64_t index) const {
  return mask(part, index, plan_->options.image_size);
}

Image Phantom::mask(PhantomPart part, std::int64_t index, std::int64_t image_size) const {
  PhantomOptions sized = plan_->options;
  sized.image_size = image_size;
  validate(sized);
  const Entry& entry = plan_->at(part, index);
  const View view = plan_->view(entry);
  const int factor = supersampling(image_size), side = static_cast<int>(image_size) * factor;
  const Frame frame(side, view.angle, view.mirrored, view.zoom, view.shift);
  const Field coverage = shrink(lesion_fields(plan_->lesion(entry), frame, side).coverage, factor);
  Image image{.width = image_size, .height = image_size, .rgb = {}};
  image.rgb.reserve(3 * coverage.values.size());
  for (const float covered : coverage.values)
    image.rgb.insert(image.rgb.end(), 3, static_cast<std::uint8_t>(covered >= 0.5F ? 255 : 0));
  return image;
}

PhantomAttributes Phantom::attributes(PhantomPart part, std::int64_t index) const {
  const Entry& entry = plan_->at(part, index);
  PhantomAttributes truth = plan_->lesion(entry).truth;
  const View view = plan_->view(entry);
  truth.lesion = samples(part)[static_cast<std::size_t>(index)].lesion;
  truth.view = entry.view;
  truth.rotation = static_cast<double>(view.angle) * 57.29577951308232;
  truth.mirrored = view.mirrored;
  truth.zoom = static_cast<double>(view.zoom);
  truth.hairs = view.hairs;
  truth.ruler = view.ruler;
  truth.vignette = view.vignette;
  truth.bubbles = view.bubbles;
  truth.reflections = view.reflections;
  return truth;
}

Dataset Phantom::dataset(PhantomPart part) const {
  return Dataset(phantom_classes(), samples(part), [phantom = *this, part](std::int64_t index) {
    return phantom.render(part, index);
  });
}

PhantomData make_phantom(const PhantomOptions& options) {
  const Phantom phantom(options);
  return {phantom.dataset(PhantomPart::Train), phantom.dataset(PhantomPart::Validation),
          phantom.dataset(PhantomPart::Test)};
}

}  // namespace dermis
