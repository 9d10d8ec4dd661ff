#pragma once
/// \file
/// A folder of formula images with labels, made for one test and removed after it.

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "dermis/data/isic.hpp"
#include "dermis/io/image.hpp"
#include "folder.hpp"

namespace dermis::test {

/// Smooth and asymmetric, so that a flip, a shift or a swapped channel shows.
inline Image formula_image(int64_t width, int64_t height, int variant = 0) {
  Image image = make_image(width, height);
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      std::uint8_t* pixel = image.pixel(x, y);
      pixel[0] = static_cast<std::uint8_t>(40 + 160 * x / width);
      pixel[1] = static_cast<std::uint8_t>(30 + 180 * y / height);
      pixel[2] = static_cast<std::uint8_t>((37 * variant + 100 * (x + y) / (width + height)) % 256);
    }
  }
  return image;
}

/// A folder to fill with images and CSV files.
class ImageFolder : public ScratchFolder {
 public:
  /// Writes a file (folders are made) and returns its path.
  std::filesystem::path write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories((path() / name).parent_path());
    std::ofstream(path() / name, std::ios::binary) << bytes;
    return path() / name;
  }
  /// Writes formula images, JPEG or PNG by extension.
  void write_image(const std::string& name, int variant = 0, int64_t width = 24,
                   int64_t height = 16) const {
    const Image image = formula_image(width, height, variant);
    write(name, name.ends_with(".png") ? encode_png(image) : encode_jpeg(image, 95));
  }
};

/// images/<stem>1.jpg .. images/<stem>4.jpg, to be read with labels that a test writes.
struct FourImages {
  ImageFolder folder;
  explicit FourImages(const std::string& stem) {
    for (int i = 1; i <= 4; ++i)
      folder.write_image("images/" + stem + std::to_string(i) + ".jpg", i);
  }
  FolderData read(const std::string& labels, const FolderOptions& options = {},
                  const std::string& name = "given.csv") const {
    return read_labelled_folder(folder.path(), folder.write(name, labels), options);
  }
};

inline std::vector<std::string> ids(const Dataset& data) {
  std::vector<std::string> names;
  for (const Sample& sample : data.samples()) names.push_back(sample.id);
  return names;
}

}  // namespace dermis::test
