#pragma once
/// \file
/// The mark that every generated image carries: that it is synthetic, for machines and for people,
/// and what drew it. It holds no path and no name of a patient, lesion or training image.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "dermis/io/png_text.hpp"

namespace dermis {

/// What drew an image: enough to draw it again, and to tell whether its generator saw a test image.
struct Provenance {
  std::string generator;      ///< fingerprint of the weights, 16 hexadecimal digits
  std::string split;          ///< Lineage::split of what the generator was trained on
  std::string class_name;     ///< the class it was asked for
  std::int64_t number = 0;    ///< of the image within its class
  std::uint64_t seed = 0;     ///< of the noise
  double guidance_scale = 1;  ///< 1 = none
  std::string sampler;        ///< ddim, euler, ...
  std::int64_t steps = 0;     ///< of the sampler
  std::string settings;       ///< fingerprint of all of the generator's options
  std::string version;        ///< of this library
  std::string prompt = "";    ///< what it was asked for in words; empty: by class alone

  bool operator==(const Provenance&) const = default;
};

/// The texts for encode_png(): `XML:com.adobe.xmp` with IPTC's digital source type
/// trainedAlgorithmicMedia (IPTC Photo Metadata 2023.1, the mark that machines look for) and the
/// fields above as attributes in the namespace urn:dermis:provenance#, and a Description for
/// people. What XML cannot hold as it is (beyond printable ASCII, and %) is written as %XX.
PngText png_text(const Provenance& provenance);

/// Whether the texts of a PNG, whoever wrote it, say that it was made, or made in part, by a
/// generative model: by IPTC's digital source type or by our Description.
bool declares_synthetic(const PngText& text);

/// Whether a file is a PNG that says so. A file whose texts cannot be read does not: decoding it
/// tells what is wrong. Reads what is in front of the pixels alone.
bool declares_synthetic(const std::filesystem::path& file);

/// What png_text() wrote; none where there is none of it. `name` is named in the
/// std::runtime_error for a mark that is incomplete or damaged.
std::optional<Provenance> read_provenance(const PngText& text, const std::string& name);
/// The same of a file; also errors of read_png_text(). None for a JPEG.
std::optional<Provenance> read_provenance(const std::filesystem::path& file);

}  // namespace dermis
