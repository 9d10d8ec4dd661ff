#include "dermis/train/parts.hpp"

#include "dermis/core/file.hpp"
#include "dermis/data/image_folder.hpp"
#include "dermis/io/csv.hpp"

namespace dermis {

DataParts phantom_parts(const PhantomOptions& options, int threads) {
  const auto data = make_phantom(options);
  DataParts parts;
  const LoadOptions load{.threads = threads, .report = &parts.report};
  parts.train = load_pixels(data.train, options.image_size, load);
  parts.validation = load_pixels(data.validation, options.image_size, load);
  parts.test = load_pixels(data.test, options.image_size, load);
  parts.source = "phantom";
  parts.split =
      text("by lesion; training imbalanced as ISIC 2019, validation and test balanced; seed ",
           options.seed);
  return parts;
}

DataParts folder_parts(const std::filesystem::path& images, const std::filesystem::path& labels_csv,
                       const FolderOptions& folder, const SplitOptions& split,
                       std::int64_t image_size, int threads,
                       const DermoscopyOptions& preprocessing) {
  auto [data, report] = labels_csv.empty() ? read_class_folders(images, folder)
                                           : read_labelled_folder(images, labels_csv, folder);
  const auto indices = grouped_stratified_split(data, split);
  DataParts parts;
  parts.report = std::move(report);
  const LoadOptions load{
      .threads = threads, .report = &parts.report, .preprocessing = preprocessing};
  parts.train = load_pixels(data.subset(indices.train), image_size, load);
  parts.validation = load_pixels(data.subset(indices.validation), image_size, load);
  parts.test = load_pixels(data.subset(indices.test), image_size, load);
  auto folder_name = std::filesystem::absolute(images).lexically_normal();
  if (folder_name.filename().empty()) folder_name = folder_name.parent_path();
  parts.source = folder_name.filename().string();
  parts.split = text("by lesion and patient, stratified by class; validation ", split.validation,
                     ", test ", split.test, ", seed ", split.seed);
  return parts;
}

Json to_json(const DataParts& parts) {
  const auto counts = [](const PixelSet& set) {
    Json by_class = Json::object();
    const auto of = set.class_counts();
    for (std::size_t c = 0; c < of.size(); ++c) by_class[set.classes[c]] = of[c];
    return by_class;
  };
  return Json::object({{"source", parts.source},
                       {"classes", parts.train.classes},
                       {"image_size", parts.train.images.size(2)},
                       {"train", counts(parts.train)},
                       {"validation", counts(parts.validation)},
                       {"test", counts(parts.test)},
                       {"split", parts.split},
                       {"left_out", Json::object({{"missing", parts.report.missing},
                                                  {"corrupt", parts.report.corrupt},
                                                  {"unlabelled", parts.report.unlabelled},
                                                  {"unmapped", parts.report.unmapped}})}});
}

void write_split(const std::filesystem::path& path, const DataParts& parts) {
  std::string csv = csv_line({"image", "label", "lesion_id", "part"}) + "\n";
  const auto add = [&](const PixelSet& set, const char* part) {
    for (const auto& sample : set.samples)
      csv += csv_line({sample.id, set.classes[static_cast<std::size_t>(sample.label)],
                       sample.lesion, part}) +
             "\n";
  };
  add(parts.train, "train");
  add(parts.validation, "validation");
  add(parts.test, "test");
  write_atomically(path, csv);
}

}  // namespace dermis
