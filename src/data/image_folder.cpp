#include "dermis/data/image_folder.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "labels.hpp"

namespace fs = std::filesystem;

namespace dermis {

FolderData read_class_folders(const fs::path& folder, const FolderOptions& options) {
  check_argument(options.label_column.empty(),
                 "[data] expected no label_column for class folders, got ", options.label_column);
  const detail::ImageIndex images(folder);
  const auto source = text(folder.string(), " (no labels file: its sub-folders are the classes)");
  detail::LabelTable labels{.source = source};
  std::set<std::string> classes;
  std::vector<std::string> outside;
  for (std::size_t i = 0; i < images.paths().size(); ++i) {
    const std::string& path = images.relative(i);
    const std::size_t slash = path.find('/');
    if (slash == std::string::npos) {
      outside.push_back(path);
      continue;
    }
    labels.rows.push_back({path, path.substr(0, slash)});
    classes.insert(labels.rows.back().label);
  }
  labels.classes.assign(classes.begin(), classes.end());
  if (options.classes.empty() && options.class_map.empty()) {  // a copy that failed, most likely
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      check_runtime(!entry.is_directory() || name.starts_with('.') || classes.contains(name),
                    "[data] ", source, ": expected images in every class folder, got none in ",
                    name);
    }
  }
  FolderData result = detail::labelled_images(images, std::move(labels), options);
  if (!outside.empty()) {
    result.report.unlabelled += static_cast<int64_t>(outside.size());
    result.report.messages.push_back(text(
        outside.size(),
        " images lie beside the class folders and are left out: ", detail::first_few(outside)));
  }
  return result;
}

}  // namespace dermis
