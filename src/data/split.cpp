#include "dermis/data/split.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>

#include "dermis/core/check.hpp"
#include "dermis/core/random.hpp"

namespace dermis {
namespace {

/// Images that stay together.
struct Group {
  std::vector<int64_t> images;
  std::map<std::size_t, std::size_t> classes;  // label -> number of images
};

/// A lesion is of one class; a patient need not be.
void check_lesions(const Dataset& dataset) {
  const auto class_of = [&](const Sample& s) {
    return dataset.classes()[static_cast<std::size_t>(s.label)];
  };
  std::unordered_map<std::string, const Sample*> first_of;
  for (const Sample& sample : dataset.samples()) {
    check_argument(!sample.synthetic, "[split] expected real images only, got synthetic ",
                   sample.id, ": add synthetic images to the training part afterwards");
    if (sample.lesion.empty()) continue;
    const Sample& first = *first_of.emplace(sample.lesion, &sample).first->second;
    check_runtime(first.label == sample.label, "[split] expected one label a lesion, got lesion ",
                  sample.lesion, " as ", class_of(first), " (", first.id, ") and as ",
                  class_of(sample), " (", sample.id, ")");
  }
}

/// The same with its classes ordered by name.
Dataset with_sorted_classes(const Dataset& dataset) {
  std::vector<std::string> classes = dataset.classes();
  std::sort(classes.begin(), classes.end());
  std::vector<Sample> samples = dataset.samples();
  for (Sample& sample : samples) {
    const std::string& name = dataset.classes()[static_cast<std::size_t>(sample.label)];
    const auto place = std::lower_bound(classes.begin(), classes.end(), name);
    sample.label = static_cast<int>(place - classes.begin());
  }
  return Dataset(std::move(classes), std::move(samples),
                 [dataset](int64_t i) { return dataset.load(i); });
}

/// Ordered by name, so that the order of the samples does not matter.
std::vector<Group> named_groups(const Dataset& dataset, const std::vector<IndexPair>& together) {
  const std::vector<Sample>& samples = dataset.samples();
  const std::vector<int64_t> group_of = joined_groups(samples, together);
  std::vector<Group> groups;
  // A group is called after its first lesion by name or, if it has none, its first image. Both live
  // apart (the bool): an id may equal some other image's lesion name.
  using Name = std::pair<bool, std::string>;
  std::vector<Name> names;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto g = static_cast<std::size_t>(group_of[i]);
    const bool lesion = !samples[i].lesion.empty();
    const Name name{lesion, lesion ? samples[i].lesion : samples[i].id};
    if (g == groups.size()) {
      groups.emplace_back();
      names.push_back(name);
    }
    if (name.first > names[g].first || (name.first == names[g].first && name < names[g]))
      names[g] = name;
    groups[g].images.push_back(static_cast<int64_t>(i));
    ++groups[g].classes[static_cast<std::size_t>(samples[i].label)];
  }
  std::map<Name, Group> sorted;
  for (std::size_t g = 0; g < groups.size(); ++g) sorted.emplace(names[g], std::move(groups[g]));
  groups.clear();
  for (auto& [name, group] : sorted) groups.push_back(std::move(group));
  return groups;
}

/// Gives groups to parts.
class Assignment {
 public:
  Assignment(std::vector<double> shares, const Dataset& dataset, bool even_sizes)
      : shares_(std::move(shares)),
        even_sizes_(even_sizes),
        classes_(dataset.classes()),
        totals_(dataset.class_counts()),
        parts_(shares_.size()),
        sizes_(shares_.size()),
        images_(shares_.size(), std::vector<std::size_t>(classes_.size())),
        count_(images_) {}

  /// One after the other, each to the part that is the furthest below its share with half of the
  /// group (Webster's apportionment: it favours neither large nor small parts). In a group of
  /// several classes each weighs as in the growth of chi-square, images / all images^2.
  void fill(const std::vector<const Group*>& groups) {
    for (const Group* group : groups) {
      double whole = 0;
      for (const auto& [label, images] : group->classes) whole += weight(label, images);
      std::size_t best = shares_.size();
      double least = 0;
      for (std::size_t part = 0; part < shares_.size(); ++part) {
        if (shares_[part] <= 0) continue;
        double filled = 0;
        for (const auto& [label, images] : group->classes) {
          filled +=
              weight(label, images) / whole *  // exactly 1 in a group of one class
              ((static_cast<double>(images_[part][label]) + 0.5 * static_cast<double>(images)) /
               shares_[part]);
        }
        if (best == shares_.size() || filled < least ||
            (even_sizes_ && filled == least && sizes_[part] < sizes_[best])) {
          best = part;
          least = filled;
        }
      }
      put(group, best);
    }
  }

  /// Moves groups of a class into parts that have none of it: a small class may have left one
  /// empty. Takes the smallest from the part that has the most, and empties no other class.
  void reach_every_part(std::size_t label) {
    for (std::size_t part = 0; part < shares_.size(); ++part) {
      if (shares_[part] <= 0 || count_[part][label] > 0) continue;
      std::vector<std::size_t> donors;
      for (std::size_t p = 0; p < shares_.size(); ++p) donors.push_back(p);
      std::stable_sort(donors.begin(), donors.end(), [&](std::size_t a, std::size_t b) {
        return count_[a][label] > count_[b][label];
      });
      const Group* moved = nullptr;
      for (auto donor = donors.begin(); moved == nullptr && donor != donors.end(); ++donor)
        moved = take(*donor, label);
      check_runtime(moved != nullptr, "[split] cannot give each of the parts a group of class ",
                    classes_[label], " without taking another class from one of them");
      put(moved, part);
    }
  }

  /// Image indices of each part, ascending.
  std::vector<std::vector<int64_t>> parts() const {
    std::vector<std::vector<int64_t>> result(parts_.size());
    for (std::size_t part = 0; part < parts_.size(); ++part) {
      for (const Group* group : parts_[part])
        result[part].insert(result[part].end(), group->images.begin(), group->images.end());
      std::sort(result[part].begin(), result[part].end());
    }
    return result;
  }

 private:
  double weight(std::size_t label, std::size_t images) const {
    const auto total = static_cast<double>(totals_[label]);
    return static_cast<double>(images) / (total * total);
  }

  void put(const Group* group, std::size_t part) {
    parts_[part].push_back(group);
    sizes_[part] += group->images.size();
    for (const auto& [label, images] : group->classes) {
      images_[part][label] += images;
      ++count_[part][label];
    }
  }

  /// Takes the last group of a class out of a part (groups of one class come after the others, the
  /// smallest last); null if each of them is the part's only one of some class.
  const Group* take(std::size_t part, std::size_t label) {
    for (std::size_t g = parts_[part].size(); g-- > 0;) {
      const Group* group = parts_[part][g];
      if (!group->classes.contains(label)) continue;
      const bool spare = std::all_of(group->classes.begin(), group->classes.end(),
                                     [&](const auto& c) { return count_[part][c.first] > 1; });
      if (!spare) continue;
      parts_[part].erase(parts_[part].begin() + static_cast<std::ptrdiff_t>(g));
      sizes_[part] -= group->images.size();
      for (const auto& [other, images] : group->classes) {
        images_[part][other] -= images;
        --count_[part][other];
      }
      return group;
    }
    return nullptr;
  }

  std::vector<double> shares_;
  bool even_sizes_;
  std::vector<std::string> classes_;
  std::vector<int64_t> totals_;  // images of each class
  std::vector<std::vector<const Group*>> parts_;
  std::vector<std::size_t> sizes_;                        // images of each part
  std::vector<std::vector<std::size_t>> images_, count_;  // of each part and class; of groups
};

/// Every class needs as many groups as there are parts.
void check_enough(const std::vector<Group>& groups, const std::vector<std::string>& classes,
                  std::size_t parts, const std::string& what, bool lesions) {
  const char* grouped =
      lesions ? " lesions of " : " groups (lesions joined by patient or pair) of ";
  std::vector<std::size_t> count(classes.size());
  for (const Group& group : groups) {
    for (const auto& [label, images] : group.classes) ++count[label];
  }
  std::string few;
  for (std::size_t label = 0; label < classes.size(); ++label) {
    if (count[label] >= parts) continue;
    few += few.empty()
               ? text("class ", classes[label], ", one for each ", what, ", got ", count[label])
               : text(", and ", count[label], " of class ", classes[label]);
  }
  check_runtime(few.empty(), "[split] expected at least ", parts, grouped, few);
}

/// Into parts of these shares, or `folds`.
std::vector<std::vector<int64_t>> divide(const Dataset& given, const std::vector<double>& shares,
                                         std::uint64_t seed, const std::vector<IndexPair>& together,
                                         bool folds) {
  check_lesions(given);
  const Dataset dataset = with_sorted_classes(given);  // their order must not matter either
  const std::vector<Group> groups = named_groups(dataset, together);
  const auto parts = static_cast<std::size_t>(
      std::count_if(shares.begin(), shares.end(), [](double s) { return s > 0; }));
  const std::vector<std::string> patients = dataset.patients();
  const bool lesions =
      together.empty() && std::all_of(patients.begin(), patients.end(),
                                      [](const std::string& name) { return name.empty(); });
  check_enough(groups, dataset.classes(), parts, folds ? "fold" : "part", lesions);

  // Groups of several classes under "", then class by class.
  std::map<std::string, std::vector<const Group*>> strata;
  for (const Group& group : groups) {
    const std::size_t label = group.classes.begin()->first;
    strata[group.classes.size() > 1 ? std::string() : dataset.classes()[label]].push_back(&group);
  }
  Assignment assignment(shares, dataset, folds);
  for (auto& [name, members] : strata) {
    RandomStream(seed, (folds ? "folds " : "split ") + name).shuffle(members);
    std::stable_sort(members.begin(), members.end(), [](const Group* a, const Group* b) {
      return a->images.size() > b->images.size();
    });
    assignment.fill(members);
  }
  for (std::size_t label = 0; label < dataset.classes().size(); ++label)
    assignment.reach_every_part(label);
  return assignment.parts();
}

}  // namespace

Split grouped_stratified_split(const Dataset& dataset, const SplitOptions& options) {
  check_argument(
      options.validation >= 0 && options.test >= 0 && options.validation + options.test < 1,
      "[split] expected shares of at least 0 that leave a training part, got validation ",
      options.validation, " and test ", options.test);
  auto parts =
      divide(dataset, {1 - options.validation - options.test, options.validation, options.test},
             options.seed, options.together, false);
  return {std::move(parts[0]), std::move(parts[1]), std::move(parts[2])};
}

std::vector<std::vector<int64_t>> grouped_stratified_folds(const Dataset& dataset, int64_t count,
                                                           std::uint64_t seed,
                                                           const std::vector<IndexPair>& together) {
  check_argument(count >= 2, "[split] expected at least 2 folds, got ", count);
  const std::vector<double> shares(static_cast<std::size_t>(count), 1 / static_cast<double>(count));
  return divide(dataset, shares, seed, together, true);
}

}  // namespace dermis
