#pragma once
/// \file
/// What must not be in two parts of a data set, and is.

#include <string>
#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/data/duplicates.hpp"
#include "dermis/train/parts.hpp"

namespace dermis {

/// A name that images of several parts carry.
struct SharedName {
  std::string name;
  std::vector<std::string> parts;  ///< of train, validation, test, at least two
};

/// An image in a part.
struct PlacedImage {
  std::string id;
  std::string part;
};

/// What leakage_audit found.
struct LeakageResult {
  std::vector<PlacedDuplicate> duplicates;  ///< pairs of near-duplicates in different parts
  std::vector<SharedName> images, lesions, patients;
  std::vector<PlacedImage> synthetic;  ///< in validation and test, where none belongs

  bool clean() const {
    return duplicates.empty() && images.empty() && lesions.empty() && patients.empty() &&
           synthetic.empty();
  }
};

/// Looks for near-duplicates (find_near_duplicates with `options`), image ids, lesions and patients
/// that are in more than one part, and for synthetic images in validation and test. Synthetic
/// images of the training part are not compared: see memorisation_audit. Another photograph of a
/// lesion under another name is no near-duplicate and is not found (lesion and patient names are
/// what tells), nor are strongly blurred copies. Throws as find_near_duplicates.
LeakageResult leakage_audit(const DataParts& parts, const DuplicateOptions& options = {});

/// clean, then of each finding count and names, at most 100 of a kind.
Json to_json(const LeakageResult& result);

}  // namespace dermis
