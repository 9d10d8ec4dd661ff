#include "dermis/data/split.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "dermis/core/check.hpp"
#include "dermis/core/random.hpp"

namespace dermis {
namespace {

using Group = std::vector<int64_t>;  // the images of one lesion

/// Lesions of each class, ordered by name so that the order of the samples does not matter.
std::vector<std::vector<Group>> lesions_by_class(const Dataset& dataset) {
  // Named lesions and single images live apart (the bool): an id may equal some other image's
  // lesion name.
  std::map<std::pair<bool, std::string>, Group> groups;
  const std::vector<Sample>& samples = dataset.samples();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Sample& sample = samples[i];
    check_argument(!sample.synthetic, "[split] expected real images only, got synthetic ",
                   sample.id, ": add synthetic images to the training part afterwards");
    const bool named = !sample.lesion.empty();
    Group& group = groups[{named, named ? sample.lesion : sample.id}];
    if (!group.empty()) {
      const Sample& first = samples[static_cast<std::size_t>(group.front())];
      const auto class_of = [&](const Sample& s) {
        return dataset.classes()[static_cast<std::size_t>(s.label)];
      };
      check_runtime(first.label == sample.label, "[split] expected one label a lesion, got lesion ",
                    sample.lesion, " as ", class_of(first), " (", first.id, ") and as ",
                    class_of(sample), " (", sample.id, ")");
    }
    group.push_back(static_cast<int64_t>(i));
  }
  std::vector<std::vector<Group>> by_class(dataset.classes().size());
  for (auto& [name, group] : groups) {
    const int label = samples[static_cast<std::size_t>(group.front())].label;
    by_class[static_cast<std::size_t>(label)].push_back(std::move(group));
  }
  return by_class;
}

/// Which of train, validation, test each lesion goes to.
std::vector<std::size_t> assign(const std::vector<Group>& lesions,
                                const std::array<double, 3>& shares) {
  std::vector<std::size_t> part_of(lesions.size());
  std::array<std::size_t, 3> images{}, count{};
  for (std::size_t g = 0; g < lesions.size(); ++g) {
    // The part that is the furthest below its share with half of the lesion (Webster's
    // apportionment: it favours neither large nor small parts).
    std::size_t best = 3;
    double least = 0;
    for (std::size_t part = 0; part < 3; ++part) {
      if (shares[part] <= 0) continue;
      const double filled =
          (static_cast<double>(images[part]) + 0.5 * static_cast<double>(lesions[g].size())) /
          shares[part];
      if (best == 3 || filled < least) {
        best = part;
        least = filled;
      }
    }
    part_of[g] = best;
    images[best] += lesions[g].size();
    ++count[best];
  }
  for (std::size_t part = 0; part < 3; ++part) {  // a small class may have left a part empty
    if (shares[part] <= 0 || count[part] > 0) continue;
    const std::size_t donor =
        static_cast<std::size_t>(std::max_element(count.begin(), count.end()) - count.begin());
    for (std::size_t g = lesions.size(); g-- > 0;) {  // the smallest lesions come last
      if (part_of[g] != donor) continue;
      part_of[g] = part;
      --count[donor];
      ++count[part];
      break;
    }
  }
  return part_of;
}

}  // namespace

Split grouped_stratified_split(const Dataset& dataset, const SplitOptions& options) {
  check_argument(
      options.validation >= 0 && options.test >= 0 && options.validation + options.test < 1,
      "[split] expected shares of at least 0 that leave a training part, got validation ",
      options.validation, " and test ", options.test);
  const std::array<double, 3> shares = {1 - options.validation - options.test, options.validation,
                                        options.test};
  const auto parts = static_cast<std::size_t>(
      std::count_if(shares.begin(), shares.end(), [](double s) { return s > 0; }));

  Split split;
  const std::array<std::vector<int64_t>*, 3> target = {&split.train, &split.validation,
                                                       &split.test};
  std::vector<std::vector<Group>> by_class = lesions_by_class(dataset);
  for (std::size_t label = 0; label < by_class.size(); ++label) {
    std::vector<Group>& lesions = by_class[label];
    check_runtime(lesions.size() >= parts, "[split] expected at least ", parts,
                  " lesions of class ", dataset.classes()[label], ", one for each part, got ",
                  lesions.size());
    // Keyed by name: the order of the classes does not matter either.
    RandomStream(options.seed, "split " + dataset.classes()[label]).shuffle(lesions);
    std::stable_sort(lesions.begin(), lesions.end(),
                     [](const Group& a, const Group& b) { return a.size() > b.size(); });
    const std::vector<std::size_t> part_of = assign(lesions, shares);
    for (std::size_t g = 0; g < lesions.size(); ++g) {
      target[part_of[g]]->insert(target[part_of[g]]->end(), lesions[g].begin(), lesions[g].end());
    }
  }
  for (std::vector<int64_t>* part : target) std::sort(part->begin(), part->end());
  return split;
}

}  // namespace dermis
