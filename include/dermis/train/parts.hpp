#pragma once
/// \file
/// Training, validation and test parts in memory, from the phantom or from a user's folder.

#include <concepts>
#include <type_traits>

#include "dermis/core/json.hpp"
#include "dermis/data/duplicates.hpp"
#include "dermis/data/isic.hpp"
#include "dermis/data/phantom.hpp"
#include "dermis/data/pixels.hpp"
#include "dermis/data/split.hpp"

namespace dermis {

/// Which images, and how they are divided.
struct PartsOptions {
  std::int64_t image_size = 64;                    ///< pixels
  std::int64_t phantom_images = 2000;              ///< training images, where there are no others
  std::int64_t phantom_validation_per_class = 40;  ///< lesions
  std::int64_t phantom_test_per_class = 200;       ///< lesions
  double validation_share = 0.15, test_share = 0.25;  ///< of a user's folder
  Fit fit = Fit::CenterSquare;
  bool split_by_image = false;  ///< see split_parts_by_image; the phantom then is pooled and split
                                ///< too
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, PartsOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("image_size", o.image_size);
  visit("phantom_images", o.phantom_images);
  visit("phantom_validation_per_class", o.phantom_validation_per_class);
  visit("phantom_test_per_class", o.phantom_test_per_class);
  visit("validation_share", o.validation_share);
  visit("test_share", o.test_share);
  visit("fit", o.fit);
  visit("split_by_image", o.split_by_image);
}

/// A user's folder of labelled images, and what is done to them.
struct FolderSource {
  std::filesystem::path images;
  std::filesystem::path labels = {};  ///< empty: a sub-folder a class
  FolderOptions folder = {};
  DermoscopyOptions preprocessing = {};
  std::int64_t image_size = 64;  ///< pixels
  Fit fit = Fit::CenterSquare;
  int threads = 1;
  bool find_duplicates = true;  ///< near-duplicates among the squared images (data/duplicates.hpp)
};

/// Labelled images in memory, not yet split.
struct LabelledImages {
  PixelSet set;
  std::string source;                     ///< the folder's name
  DataReport report;                      ///< what was left out
  std::vector<NearDuplicate> duplicates;  ///< indices into `set`
};

/// Reads labels and images. Errors are those of read_labelled_folder, read_class_folders and
/// load_pixels.
LabelledImages load_folder(const FolderSource& source);

/// The three parts of a data set. Nothing but `train` may reach a weight.
struct DataParts {
  PixelSet train, validation, test;
  std::string source;  ///< "phantom" or the folder's name
  std::string split;   ///< how the parts were made, for people
  DataReport report;   ///< what was left out
  std::vector<PlacedDuplicate> duplicates;
};

/// How many of the near-duplicates leak from one part into another.
std::int64_t crossing_duplicates(const DataParts& parts);

/// The phantom's own parts.
DataParts phantom_parts(const PhantomOptions& options, int threads);

/// Splits by lesion and patient, and with `keep_duplicates_together` by near-duplicate too.
DataParts split_parts(const LabelledImages& images, SplitOptions split,
                      bool keep_duplicates_together = true);

/// Splits by image, as if no two showed the same lesion: what some published figures rest on, and
/// what flatters them, since views of one lesion then lie in several parts. The images keep their
/// lesions.
DataParts split_parts_by_image(const LabelledImages& images, const SplitOptions& split);

/// A line for each class with fewer than `minimum` real images in `training`: too few to learn it
/// from scratch.
std::vector<std::string> few_images(const PixelSet& training, std::int64_t minimum = 50);

/// source, classes, image_size, train, validation, test (images by class), split,
/// near_duplicates{pairs, across_parts}, left_out{missing, corrupt, unlabelled, unmapped}.
Json to_json(const DataParts& parts);

/// Writes the split as files: DIR/split.csv, image,label,lesion_id,patient_id,part for every image,
/// and, where near-duplicates were found, DIR/duplicates.csv (see write_duplicates).
void write_split(const std::filesystem::path& directory, const DataParts& parts);

}  // namespace dermis
