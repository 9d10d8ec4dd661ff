#pragma once
/// \file
/// Which images a generator was trained on, as hashes, so that nobody is judged on images of
/// lesions or patients that reached the synthetic ones. No name, no path, no pixel is kept. The
/// hashes keep names out of sight, not secret: who knows how names look can try them all.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/data/pixels.hpp"

namespace dermis {

/// The real training images of a generator. Hashes are 16 hexadecimal digits (core/hash.hpp),
/// sorted, each once.
struct Lineage {
  std::string split;  ///< stands for all below; empty: unknown
  std::vector<std::string> images, lesions, patients;
  std::map<std::string, std::int64_t> class_counts;  ///< real images of each class

  bool operator==(const Lineage&) const = default;
};

/// The lineage of a model that was trained on `training`: of its real images, with their pixels as
/// they are trained on. Their order does not matter. Lesions and patients without name leave no
/// hash.
Lineage lineage_of(const PixelSet& training);

/// split, classes (images by class), images, lesions, patients.
Json to_json(const Lineage& lineage);
/// What to_json() wrote; anything else is std::runtime_error naming `source` and the key.
Lineage lineage_from_json(const Json& json, const std::string& source);

/// Throws std::runtime_error that counts, and names the first few of, the images in `held_out` that
/// have pixels, lesion or patient in common with `lineage`; `name` says what they are ("test
/// part"). Pixels are found only where they were prepared alike (size, preprocessing). An unknown
/// lineage is std::runtime_error, too: nothing can be said then.
void check_unseen(const Lineage& lineage, const PixelSet& held_out, const std::string& name);

}  // namespace dermis
