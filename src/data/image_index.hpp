#pragma once
/// \file
/// Private to src/data: finds the image file that a CSV means by a name.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace dermis::detail {

/// `name` with forward slashes, without "./" and without a .jpg, .jpeg or .png extension of any
/// case.
std::string bare_name(const std::string& name);
/// The last component of bare_name(name).
std::string bare_stem(const std::string& name);
/// ISIC 2019 calls some images NAME_downsampled which other lists call NAME: `name` with that
/// suffix taken off or put on.
std::string other_size_name(const std::string& name);

/// The images below a folder, by path and by name.
class ImageIndex {
 public:
  /// Throws std::runtime_error when `folder` is no folder or holds no image.
  explicit ImageIndex(const std::filesystem::path& folder);

  const std::vector<std::filesystem::path>& paths() const { return paths_; }
  const std::filesystem::path& folder() const { return folder_; }
  /// Path below the folder, with extension, forward slashes.
  const std::string& relative(std::size_t index) const { return relative_[index]; }
  /// Index into paths() of the image called `name` or, failing that, other_size_name(name); none if
  /// there is no such image. `where` (file:line) names the place of `name` in the error for a name
  /// that fits several files.
  std::optional<std::size_t> find(const std::string& name, const std::string& where) const;
  /// Unique name of an image: its stem, or its path below the folder if another image has that
  /// stem.
  std::string id(std::size_t index) const;

 private:
  using Places = std::unordered_map<std::string, std::vector<std::size_t>>;

  /// Images whose path ends in `path` (without extension) or, failing that, that have its stem.
  std::vector<std::size_t> candidates(const std::string& path) const;

  std::filesystem::path folder_;
  std::vector<std::filesystem::path> paths_;
  std::vector<std::string> relative_;  ///< below folder_, with extension, forward slashes
  Places by_path_, by_stem_;           ///< both without extension
};

}  // namespace dermis::detail
