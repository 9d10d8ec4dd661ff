#include "dermis/data/balanced_subset.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "dermis/core/random.hpp"

namespace dermis {
namespace {

using Rows = std::vector<std::int64_t>;

/// The images of one class by lesion; lesions by name, images of a lesion by id.
std::vector<Rows> by_lesion(const std::vector<Sample>& samples, const Rows& rows) {
  std::map<std::pair<std::string, std::string>, Rows> lesions;
  for (const auto i : rows) {
    const auto& sample = samples[static_cast<std::size_t>(i)];
    lesions[{sample.lesion, sample.lesion.empty() ? sample.id : ""}].push_back(i);
  }
  std::vector<Rows> groups;
  for (auto& [name, images] : lesions) {
    std::sort(images.begin(), images.end(), [&](std::int64_t a, std::int64_t b) {
      return samples[static_cast<std::size_t>(a)].id < samples[static_cast<std::size_t>(b)].id;
    });
    groups.push_back(std::move(images));
  }
  return groups;
}

/// Whole lesions in the order given while they fit; the rest from the first that did not.
Rows taken(const std::vector<Rows>& lesions, std::size_t wanted) {
  Rows rows;
  const Rows* divided = nullptr;
  for (const auto& lesion : lesions) {
    if (rows.size() + lesion.size() <= wanted)
      rows.insert(rows.end(), lesion.begin(), lesion.end());
    else if (divided == nullptr)
      divided = &lesion;
  }
  if (rows.size() < wanted) {
    const auto missing = static_cast<std::ptrdiff_t>(wanted - rows.size());
    rows.insert(rows.end(), divided->begin(), divided->begin() + missing);
  }
  return rows;
}

}  // namespace

std::vector<std::int64_t> class_balanced_rows(const std::vector<Sample>& samples,
                                              std::int64_t per_class, std::uint64_t seed) {
  check_argument(per_class >= 0, "[balanced subset] expected at least 0 images a class, got ",
                 per_class);
  std::map<int, Rows> classes;
  for (std::size_t i = 0; i < samples.size(); ++i)
    classes[samples[i].label].push_back(static_cast<std::int64_t>(i));
  auto wanted = static_cast<std::size_t>(per_class);
  if (wanted == 0)
    for (const auto& [label, rows] : classes)
      wanted = wanted == 0 ? rows.size() : std::min(wanted, rows.size());
  Rows all;
  for (const auto& [label, rows] : classes) {
    check_argument(rows.size() >= wanted, "[balanced subset] expected at least ", wanted,
                   " images of each class, got ", rows.size(), " of class ", label);
    auto lesions = by_lesion(samples, rows);
    RandomStream stream(seed, "balanced subset", 0, static_cast<std::uint64_t>(label));
    stream.shuffle(lesions);
    const auto some = taken(lesions, wanted);
    all.insert(all.end(), some.begin(), some.end());
  }
  std::sort(all.begin(), all.end());
  return all;
}

PixelSet class_balanced_subset(const PixelSet& set, std::int64_t per_class, std::uint64_t seed) {
  return set.subset(class_balanced_rows(set.samples, per_class, seed));
}

}  // namespace dermis
