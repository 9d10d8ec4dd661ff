#include "dermis/data/groups.hpp"

#include <algorithm>
#include <numeric>
#include <string>
#include <unordered_map>

#include "dermis/core/check.hpp"

namespace dermis {
namespace {

/// Disjoint sets with path halving; the smallest index stands for its set.
class DisjointSets {
 public:
  explicit DisjointSets(std::size_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  }
  std::size_t find(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void unite(std::size_t a, std::size_t b) {
    const auto [low, high] = std::minmax({find(a), find(b)});
    parent_[high] = low;
  }

 private:
  std::vector<std::size_t> parent_;
};

}  // namespace

std::vector<int64_t> joined_groups(const std::vector<Sample>& samples,
                                   const std::vector<IndexPair>& together) {
  DisjointSets sets(samples.size());
  std::unordered_map<std::string, std::size_t> first_of_lesion, first_of_patient;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Sample& sample = samples[i];
    if (!sample.lesion.empty())
      sets.unite(i, first_of_lesion.emplace(sample.lesion, i).first->second);
    if (!sample.patient.empty())
      sets.unite(i, first_of_patient.emplace(sample.patient, i).first->second);
  }
  const auto count = static_cast<int64_t>(samples.size());
  for (const auto& [a, b] : together) {
    check_argument(a >= 0 && a < count && b >= 0 && b < count,
                   "[groups] expected pairs of indices in [0, ", count, "), got ", a, " and ", b);
    sets.unite(static_cast<std::size_t>(a), static_cast<std::size_t>(b));
  }
  std::vector<int64_t> group_of(samples.size());
  int64_t groups = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::size_t first = sets.find(i);
    group_of[i] = first == i ? groups++ : group_of[first];
  }
  return group_of;
}

}  // namespace dermis
