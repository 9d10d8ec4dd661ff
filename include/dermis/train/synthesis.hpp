#pragma once
/// \file
/// Folders of synthetic images: which are drawn, how they are marked, and how they are read back
/// and checked. Such a folder holds CLASS/synthetic_CLASS_NUMBER.png, each with its Provenance;
/// plan.json (generator, split, seed, and for each class how many images are real, synthetic and
/// both together); lineage.json, what the generator was trained on; and, once all are drawn,
/// labels.csv.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "dermis/data/lineage.hpp"
#include "dermis/data/provenance.hpp"
#include "dermis/train/generator.hpp"

namespace dermis {

/// How many images of each class to draw so that every class reaches `target` real + synthetic
/// images (0: as many as the most frequent class has), but at least `minimum` of every class: where
/// only rare classes hold synthetic images, looking synthetic gives them away.
std::vector<std::int64_t> balancing_plan(const std::vector<std::int64_t>& class_counts,
                                         std::int64_t target, std::int64_t minimum = 0);

/// Fingerprint of a generator's weights, classes and image size.
std::string generator_hash(const Generator& generator);

/// The mark of the images that `generator` draws with its present options; class and number are
/// the caller's to fill in.
Provenance provenance_of(const Generator& generator, std::uint64_t seed);

/// Draws plan[c] images of each class c, with ids synthetic_<class>_<number>. With a directory the
/// folder described above is written there. An image found in it that carries the very mark it
/// would be given is taken over; any other is drawn (again). Images are drawn in the same batches
/// however many are missing: a run that was stopped and resumed leaves the bytes of one that was
/// not. Throws std::invalid_argument unless the plan has a count for each class, Interrupted after
/// Ctrl-C.
PixelSet synthesize(const Generator& generator, const std::vector<std::int64_t>& plan,
                    std::uint64_t seed, const std::filesystem::path& directory = {},
                    bool progress = true);

/// Images that synthesize() wrote, at the size and with the classes of `like`, marked synthetic.
/// Throws std::runtime_error naming the file for a label that `like` does not know, a missing
/// image, a mark that contradicts labels.csv or lineage.json, and, where there is a lineage.json,
/// an image without a mark.
PixelSet load_synthetic(const std::filesystem::path& directory, const PixelSet& like, int threads);

/// DIRECTORY/lineage.json; the unknown lineage where there is no such file.
Lineage read_lineage(const std::filesystem::path& directory);

/// check_unseen(Lineage) for the generator that drew the images in `directory`.
void check_unseen(const std::filesystem::path& directory, const PixelSet& held_out,
                  const std::string& name);

/// What one image says of itself, and what is wrong with that.
struct MarkFinding {
  std::filesystem::path file;
  bool synthetic = false;                ///< it says so
  std::optional<Provenance> provenance;  ///< our mark
  std::string fault;                     ///< empty: none
};

/// Looks at one file or, sorted, at all images below a folder. A folder that synthesize() wrote,
/// told by its plan.json, answers for every image in it: one without a mark has a fault, and so has
/// one that labels.csv lists but that is not there or whose mark contradicts its name, labels.csv,
/// plan.json or lineage.json. Anywhere a damaged mark is a fault. Throws std::runtime_error where
/// there is no such file, no image below the folder, or where one of these three files is missing
/// or damaged.
std::vector<MarkFinding> inspect_marks(const std::filesystem::path& path);

/// How images compare with what their model draws.
struct Redrawn {
  std::int64_t images = 0;  ///< drawn again
  std::int64_t equal = 0;   ///< of these, equal to the last bit
  int largest = 0;          ///< largest difference of a colour value, 0 to 255
};

/// Draws `count` (or all, if there are fewer) of the images in a folder of synthesize() again, in
/// the batches they were drawn in: with the same machine and number of threads they are equal,
/// elsewhere some values are one off. Throws std::runtime_error where an image's mark is not what
/// this generator, with the guidance and steps of the mark, would give it.
Redrawn redraw(Generator generator, const std::filesystem::path& directory, std::int64_t count);

}  // namespace dermis
