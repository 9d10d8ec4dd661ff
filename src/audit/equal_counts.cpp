#include "dermis/audit/equal_counts.hpp"

#include <algorithm>

#include "dermis/core/random.hpp"

namespace dermis {

ClassRows class_rows(const PixelSet& set) {
  ClassRows rows(set.classes.size());
  for (std::int64_t i = 0; i < set.size(); ++i)
    rows[static_cast<std::size_t>(set.samples[static_cast<std::size_t>(i)].label)].push_back(i);
  return rows;
}

std::vector<ClassRows> equal_class_rows(const std::vector<const PixelSet*>& sets,
                                        std::uint64_t seed) {
  check_argument(!sets.empty(), "[equal_counts] expected at least 1 set, got none");
  std::vector<ClassRows> rows;
  for (std::size_t s = 0; s < sets.size(); ++s) {
    check_argument(sets[s]->classes == sets[0]->classes,
                   "[equal_counts] expected the same classes in the same order in all sets; set ",
                   s, " has others than set 0");
    rows.push_back(class_rows(*sets[s]));
  }
  for (std::size_t c = 0; c < sets[0]->classes.size(); ++c) {
    auto fewest = rows[0][c].size();
    for (const auto& of_set : rows) fewest = std::min(fewest, of_set[c].size());
    for (std::size_t s = 0; s < rows.size(); ++s) {
      RandomStream stream(seed, "equal_counts", s, c);
      stream.shuffle(rows[s][c]);
      rows[s][c].resize(fewest);
    }
  }
  return rows;
}

std::vector<std::int64_t> joined(const ClassRows& rows) {
  std::vector<std::int64_t> all;
  for (const auto& of_class : rows) all.insert(all.end(), of_class.begin(), of_class.end());
  return all;
}

}  // namespace dermis
