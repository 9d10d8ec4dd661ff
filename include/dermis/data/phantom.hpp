#pragma once
/// \file
/// The phantom: procedural dermoscopic images of eight kinds of lesion, the data set that comes
/// with the library. Everything is a pure function of the options, so nothing is stored or
/// downloaded, and the ground truth of every image is known. Drawings, not patients: useful to try
/// and test the whole pipeline, of no clinical meaning.
///
/// The class lies in structure alone: outline, texture and arrangement. Palette, lightness, skin
/// tone, size, place, illumination and artefacts (hair, ruler, vignette, gel) are drawn from one
/// distribution for all classes, and the tones inside every lesion are brought to a mean and spread
/// drawn the same way, so colour statistics and pixel positions say little about the class.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dermis/data/dataset.hpp"
#include "dermis/io/image.hpp"

namespace dermis {

/// The three parts. Their lesions are different ones.
enum class PhantomPart { Train, Validation, Test };

struct PhantomOptions {
  std::uint64_t seed = 0;
  /// Images of the training part, over classes as in ISIC 2019 (MEL 4522, NV 12875, BCC 3323, AK
  /// 867, BKL 2624, DF 239, VASC 253, SCC 628); several views of a lesion.
  std::int64_t train_images = 2000;
  /// Images that even the rarest class has, as a share of train_images: at the published shares two
  /// classes would hold about 1 % each, too few lesions to learn from in a set of this size.
  double minimum_share = 0.02;
  std::int64_t validation_lesions_per_class = 40;  ///< one view each
  std::int64_t test_lesions_per_class = 200;       ///< one view each
  std::int64_t image_size = 64;                    ///< pixels along a side; at least 8
};

/// Throws std::invalid_argument on counts below zero, no training image at all, a minimum share
/// outside [0, 1/8] or an image size outside [8, 4096].
void validate(const PhantomOptions& options);

/// Ground truth of one image. Lengths of structures are not given: presence and number are.
struct PhantomAttributes {
  // What a lesion is; equal in all its views.
  std::string lesion;                ///< e.g. L000123
  int label = 0;                     ///< index into phantom_classes()
  int asymmetry_axes = 0;            ///< 0-2: axes about which outline or structure is asymmetric
  double border_irregularity = 0;    ///< rms deviation of the radius from an ellipse, relative
  double border_abruptness = 0;      ///< 0 fades into the skin .. 1 cut off sharply
  double diameter_mm = 0;            ///< of the circle of equal area
  std::vector<std::string> colours;  ///< names of the pigment colours
  std::string network;               ///< none, regular, atypical, delicate or pseudo
  std::string vessels;               ///< none, arborising or hairpin
  int globules = 0;
  int streaks = 0;
  int blotches = 0;
  int nests = 0;
  int cysts = 0;
  int comedo_openings = 0;
  int follicles = 0;
  int white_circles = 0;
  int lacunae = 0;
  bool ridges = false;
  bool scar = false;
  bool keratin = false;
  bool scale = false;
  // How this view was taken; drawn independently of the class.
  int view = 0;         ///< 0 .. views of the lesion - 1
  double rotation = 0;  ///< degrees
  bool mirrored = false;
  double zoom = 1;
  int skin_type = 0;  ///< 0 lightest .. 4 darkest; belongs to the lesion's patient
  int hairs = 0;
  bool ruler = false;
  bool vignette = false;
  int bubbles = 0;
  int reflections = 0;
};

/// MEL, NV, BCC, AK, BKL, DF, VASC, SCC: the classes and order of ISIC 2019.
const std::vector<std::string>& phantom_classes();

/// The plan of a phantom data set (which lesion and view each image shows) and its renderer. A
/// cheap value; const members are thread-safe, and what they return depends on options, part and
/// index only.
///
///     Phantom phantom(PhantomOptions{.seed = 7, .image_size = 128});
///     Image image = phantom.render(PhantomPart::Test, 0);
///     PhantomAttributes truth = phantom.attributes(PhantomPart::Test, 0);
class Phantom {
 public:
  /// Validates `options` (std::invalid_argument).
  explicit Phantom(const PhantomOptions& options = {});

  const PhantomOptions& options() const;
  /// Number of images of a part.
  std::int64_t size(PhantomPart part) const;
  /// Names, labels and lesions of a part's images.
  const std::vector<Sample>& samples(PhantomPart part) const;
  /// Pixels of image `index`: RGB8, image_size x image_size. std::invalid_argument if out of range.
  Image render(PhantomPart part, std::int64_t index) const;
  /// The same image at another size: the same lesion and artefacts with more or less detail.
  Image render(PhantomPart part, std::int64_t index, std::int64_t image_size) const;
  /// The lesion's segmentation in that view: white where the lesion covers at least half, else
  /// black.
  Image mask(PhantomPart part, std::int64_t index) const;
  /// As the sized render.
  Image mask(PhantomPart part, std::int64_t index, std::int64_t image_size) const;
  /// Ground truth of image `index`.
  PhantomAttributes attributes(PhantomPart part, std::int64_t index) const;
  /// A part as a data set that renders its images when they are loaded.
  Dataset dataset(PhantomPart part) const;

 private:
  struct Plan;
  std::shared_ptr<const Plan> plan_;
};

/// The three parts as data sets.
struct PhantomData {
  Dataset train, validation, test;
};

/// Phantom(options) in one call. Throws as validate().
PhantomData make_phantom(const PhantomOptions& options = {});

}  // namespace dermis
