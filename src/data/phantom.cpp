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
  return draw(plan_->lesion(entry), plan_->view(entry), image_size);
}

Image Phantom::mask(PhantomPart part, std::int64_t index) const {
  return mask(part, index, plan_->options.image_size);
}

Image Phantom::mask(PhantomPart part, std::int64_t index, std::int64_t image_size) const {
  PhantomOptions sized = plan_->options;
  sized.image_size = image_size;
  validate(sized);
  const Entry& entry = plan_->at(part, index);
  return draw_mask(plan_->lesion(entry), plan_->view(entry), image_size);
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
