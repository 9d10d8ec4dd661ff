#pragma once
/// \file
/// Planted faults against the audit: found and false, as rows of a table.

#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include "audit/planted.hpp"
#include "dermis/audit/leakage.hpp"
#include "dermis/audit/memorisation.hpp"

namespace dermis::test {

/// Of all seeds together. Planted faults, and clean items beside them.
struct PlantedRow {
  std::string fault;
  std::int64_t planted = 0, found = 0;
  std::int64_t clean = 0, false_alarms = 0;
};

/// Whether each of the first `count` images of `set` was called a copy, and of the rest.
inline void count_copies(PlantedRow& row, const MemorisationResult& result, std::int64_t count) {
  for (std::size_t i = 0; i < result.images.size(); ++i) {
    const bool planted = static_cast<std::int64_t>(i) < count;
    (planted ? row.planted : row.clean) += 1;
    (planted ? row.found : row.false_alarms) += result.images[i].copy;
  }
}

/// `seeds` data sets, each with every fault; `clean_seeds` without. About 15 s a seed.
inline std::vector<PlantedRow> planted_rows(std::uint64_t seeds, std::uint64_t clean_seeds) {
  constexpr std::int64_t count = 10;
  std::vector<PlantedRow> copies, leaks, rows;
  for (const auto& disguise : disguises()) {
    copies.push_back({"copy: " + disguise.name});
    leaks.push_back({"copy in test: " + disguise.name});
  }
  PlantedRow one{"set of 200 with a single copy"};
  PlantedRow overfitted20{"set overfitted on 20 images, noised"};
  PlantedRow blended20{"the same, blended by up to 1/2"};
  PlantedRow blended100{"set overfitted on 100 images, blended by up to 1/5"};
  PlantedRow views{"other view of a training lesion in test, lesion named"};
  PlantedRow renamed{"the same under another lesion name"};
  PlantedRow clean_sets{"clean set called memorised or of low diversity"};
  PlantedRow clean_images{"image of a clean set"};
  PlantedRow clean_splits{"clean split"};

  for (std::uint64_t seed = 0; seed < std::max(seeds, clean_seeds); ++seed) {
    const auto data = planted_data(seed);
    const auto audit = [&](const PixelSet& synthetic) {
      return memorisation_audit(data.training, data.held_out, synthetic);
    };
    if (seed < clean_seeds) {
      const auto result = audit(data.synthetic);
      count_copies(clean_images, result, 0);
      ++clean_sets.clean;
      clean_sets.false_alarms += result.memorised() || result.low_diversity;
    }
    if (seed >= seeds) continue;
    const auto all = disguises();
    for (std::size_t k = 0; k < all.size(); ++k)
      count_copies(copies[k], audit(with_copies(data, all[k], count, seed)), count);
    const auto count_set = [&](PlantedRow& row, const PixelSet& set) {
      ++row.planted;
      row.found += audit(set).memorised();
    };
    count_set(one, with_copies(data, all.back(), 1, seed));
    count_set(overfitted20, overfitted(data, 20, 0, seed));
    count_set(blended20, overfitted(data, 20, 0.5, seed));
    count_set(blended100, overfitted(data, 100, 0.2, seed));

    const auto clean = clean_parts(data);
    ++clean_splits.clean;
    clean_splits.false_alarms += !leakage_audit(clean).clean();
    for (std::size_t k = 0; k < all.size(); ++k) {
      auto parts = clean;
      leak_copies(parts, all[k], count, seed);
      std::set<std::string> found;
      for (const auto& pair : leakage_audit(parts).duplicates) {
        const bool planted = pair.id_b.rfind("leaked", 0) == 0;
        if (planted)
          found.insert(pair.id_b);
        else
          ++leaks[k].false_alarms;
      }
      leaks[k].planted += count;
      leaks[k].found += static_cast<std::int64_t>(found.size());
      leaks[k].clean += clean.test.size();
    }
    for (auto* row : {&views, &renamed}) {
      auto parts = clean;
      row->planted += leak_views(parts, count, row == &renamed);
      const auto result = leakage_audit(parts);
      row->found += static_cast<std::int64_t>(result.lesions.size() + result.duplicates.size());
    }
  }
  for (auto* list : {&copies, &leaks}) rows.insert(rows.end(), list->begin(), list->end());
  for (const auto& row : {one, overfitted20, blended20, blended100, views, renamed, clean_images,
                          clean_sets, clean_splits})
    rows.push_back(row);
  return rows;
}

/// The rows as a table in Markdown.
inline std::string table(const std::vector<PlantedRow>& rows) {
  std::string lines = "| fault | found | false alarms |\n|---|---|---|\n";
  const auto share = [](std::int64_t hits, std::int64_t of) {
    if (of == 0) return std::string("-");
    char percent[32];
    std::snprintf(percent, sizeof percent, " (%.1f %%)",
                  100.0 * static_cast<double>(hits) / static_cast<double>(of));
    return std::to_string(hits) + " of " + std::to_string(of) + percent;
  };
  for (const auto& row : rows)
    lines += "| " + row.fault + " | " + share(row.found, row.planted) + " | " +
             share(row.false_alarms, row.clean) + " |\n";
  return lines;
}

}  // namespace dermis::test
