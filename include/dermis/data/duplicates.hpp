#pragma once
/// \file
/// Near-duplicates: the same photograph twice, resized, recompressed, mirrored or turned by right
/// angles. Public dermoscopic data sets hold many under different names (Abhishek et al.,
/// "Investigating the quality of DermaMNIST and Fitzpatrick17k dermatological image datasets",
/// Scientific Data 12:196, 2025), and lesion and patient names do not tell all of them.

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "dermis/data/dataset.hpp"
#include "dermis/data/groups.hpp"
#include "dermis/data/split.hpp"
#include "dermis/io/image.hpp"

namespace dermis {

/// DCT hash of the whole image squashed to 32 x 32 luminance: bit k (from the highest, row by row)
/// tells whether the k-th of the 8 x 8 lowest coefficients is above their median. Equals
/// `imagehash.phash` 4.3, but for coefficients within rounding of the median.
std::uint64_t perceptual_hash(const Image& image);

/// perceptual_hash of the image (first), and of its seven mirrored and turned versions.
std::array<std::uint64_t, 8> perceptual_hashes(const Image& image);

struct DuplicateOptions {
  /// Largest Hamming distance of the hashes, the least over the eight versions, 0 to 64. On ISIC
  /// images recompressing, resizing, flips and right angles change it by at most 4, 20 % more
  /// brightness by at most 8, 2 % less border by 4 in the median. Of 314,000 pairs of different
  /// photographs 0.015 % lie within 8: dermoscopic images are alike in their low frequencies.
  int max_distance = 8;
  /// Least correlation of the two 32 x 32 luminances, the most over the versions within
  /// max_distance. Rejects such chance pairs: none of those within distance 8 was above 0.95, every
  /// known duplicate above 0.99. -1 = hash alone.
  double min_correlation = 0.97;
  int threads = 1;               ///< the result does not depend on it
  DataReport* report = nullptr;  ///< corrupt images are left out, counted and named here
};

/// Samples a < b of a data set.
struct NearDuplicate {
  int64_t a = 0, b = 0;
  int distance = 0;        ///< of their hashes
  double correlation = 0;  ///< of their luminances; 0 when one is of one grey only
};

/// Every such pair, all pairs compared (about 25 million a second and thread), ordered by (a, b).
/// Decodes every image once. With the default options, of 400 ISIC images all copies that were
/// recompressed, resized, mirrored or turned by right angles were found, 69 % of those cropped by
/// 2 % at each side, 5 % of those cropped by 5 %, 1 % of those turned by 5 degrees: those call for
/// another search. Which samples are paired does not depend on their order. Throws
/// std::invalid_argument on options out of range; without a report a corrupt image is the loader's
/// std::runtime_error.
std::vector<NearDuplicate> find_near_duplicates(const Dataset& dataset,
                                                const DuplicateOptions& options = {});

/// The pairs as SplitOptions::together and joined_groups take them.
std::vector<IndexPair> index_pairs(const std::vector<NearDuplicate>& duplicates);

/// A pair of near-duplicates by name, and where a split put its two images.
struct PlacedDuplicate {
  std::string id_a, id_b;
  int distance = 0;
  std::string part_a, part_b;  ///< "" for a sample in no part

  /// Whether it leaks from one part into another.
  bool crosses() const { return !part_a.empty() && !part_b.empty() && part_a != part_b; }
};

/// A part's name and its samples' indices.
using NamedPart = std::pair<std::string, std::vector<int64_t>>;

/// Every pair with its parts, in the order of `duplicates`. Throws std::invalid_argument on an
/// index out of range or in two parts.
std::vector<PlacedDuplicate> place_duplicates(const std::vector<Sample>& samples,
                                              const std::vector<NearDuplicate>& duplicates,
                                              const std::vector<NamedPart>& parts);
/// The same with the parts train, validation and test.
std::vector<PlacedDuplicate> place_duplicates(const std::vector<Sample>& samples,
                                              const std::vector<NearDuplicate>& duplicates,
                                              const Split& split);

/// Writes `id_a,id_b,distance,part_a,part_b`, atomically; the folder must exist.
void write_duplicates(const std::filesystem::path& path, const std::vector<PlacedDuplicate>& rows);

}  // namespace dermis
