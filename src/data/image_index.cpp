#include "image_index.hpp"

#include <algorithm>
#include <cctype>
#include <set>
#include <system_error>

#include "dermis/core/check.hpp"
#include "dermis/data/isic.hpp"

namespace fs = std::filesystem;

namespace dermis {
namespace {

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// ".jpg" and the like if `name` ends so, else "".
std::string image_extension(const std::string& name) {
  const std::string extension = lower(fs::path(name).extension().string());
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png" ? extension
                                                                            : std::string();
}

void collect(const fs::path& folder, std::set<fs::path>& visited, std::vector<fs::path>& images) {
  if (!visited.insert(fs::canonical(folder)).second) return;  // a link back up would never end
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    std::error_code ignored;  // a dangling link is neither folder nor file
    if (name.starts_with('.')) continue;
    if (entry.is_directory(ignored)) {
      collect(entry.path(), visited, images);
    } else if (!image_extension(name).empty() && entry.is_regular_file(ignored)) {
      images.push_back(entry.path());
    }
  }
}

}  // namespace

std::vector<fs::path> find_images(const fs::path& folder) {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  check_runtime(fs::exists(status), "[data] no such folder: ", folder.string());
  check_runtime(fs::is_directory(status),
                "[data] expected a folder, got a file: ", folder.string());
  std::vector<fs::path> images;
  try {
    std::set<fs::path> visited;
    collect(folder, visited, images);
  } catch (const fs::filesystem_error& e) {
    throw std::runtime_error(
        text("[data] cannot read ", e.path1().string(), ": ", e.code().message()));
  }
  std::sort(images.begin(), images.end());
  return images;
}

namespace detail {

std::string bare_name(const std::string& name) {
  std::string path = name;
  std::replace(path.begin(), path.end(), '\\', '/');
  path = fs::path(path).lexically_normal().generic_string();
  return path.substr(0, path.size() - image_extension(path).size());
}

std::string bare_stem(const std::string& name) {
  const std::string path = bare_name(name);
  return path.substr(path.rfind('/') + 1);  // npos + 1 = 0
}

std::string other_size_name(const std::string& name) {
  static const std::string suffix = "_downsampled";
  return name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : name + suffix;
}

ImageIndex::ImageIndex(const fs::path& folder) : folder_(folder), paths_(find_images(folder)) {
  check_runtime(!paths_.empty(), "[data] no .jpg, .jpeg or .png image in ", folder.string());
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    relative_.push_back(paths_[i].lexically_relative(folder).generic_string());
    by_path_[bare_name(relative_.back())].push_back(i);
    by_stem_[bare_stem(relative_.back())].push_back(i);
  }
}

std::vector<std::size_t> ImageIndex::candidates(const std::string& path) const {
  for (std::size_t start = 0;;) {  // a/b/c, b/c, c
    if (const auto place = by_path_.find(path.substr(start)); place != by_path_.end())
      return place->second;
    const std::size_t slash = path.find('/', start);
    if (slash == std::string::npos) break;
    start = slash + 1;
  }
  const auto place = by_stem_.find(path.substr(path.rfind('/') + 1));
  return place == by_stem_.end() ? std::vector<std::size_t>() : place->second;
}

std::optional<std::size_t> ImageIndex::find(const std::string& name,
                                            const std::string& where) const {
  std::vector<std::size_t> found = candidates(bare_name(name));
  if (found.empty()) found = candidates(other_size_name(bare_name(name)));
  if (found.size() > 1) {  // the extension may decide
    const std::string file = fs::path(name).filename().string();
    std::vector<std::size_t> exact;
    for (const std::size_t i : found) {
      if (paths_[i].filename() == file) exact.push_back(i);
    }
    if (exact.size() == 1) found = exact;
  }
  if (found.empty()) return std::nullopt;
  check_runtime(found.size() == 1, "[data] ", where, ": ", name, " fits several images in ",
                folder_.string(), ": ", relative_[found[0]], " and ",
                relative_[found.size() > 1 ? found[1] : found[0]]);
  return found[0];
}

std::string ImageIndex::id(std::size_t index) const {
  const std::string stem = bare_stem(relative_[index]);
  if (by_stem_.at(stem).size() == 1) return stem;
  const std::string path = bare_name(relative_[index]);
  return by_path_.at(path).size() == 1 ? path : relative_[index];
}

}  // namespace detail
}  // namespace dermis
