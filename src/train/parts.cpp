#include "dermis/train/parts.hpp"

#include <algorithm>

#include "dermis/core/file.hpp"
#include "dermis/data/image_folder.hpp"
#include "dermis/io/csv.hpp"

namespace dermis {

DataParts phantom_parts(const PhantomOptions& options, int threads) {
  const auto data = make_phantom(options);
  DataParts parts;
  const PixelOptions load{.threads = threads, .report = &parts.report};
  parts.train = load_pixels(data.train, options.image_size, load);
  parts.validation = load_pixels(data.validation, options.image_size, load);
  parts.test = load_pixels(data.test, options.image_size, load);
  parts.source = "phantom";
  parts.split =
      text("by lesion; training imbalanced as ISIC 2019, validation and test balanced; seed ",
           options.seed);
  return parts;
}

LabelledImages load_folder(const FolderSource& source) {
  auto [data, report] = source.labels.empty()
                            ? read_class_folders(source.images, source.folder)
                            : read_labelled_folder(source.images, source.labels, source.folder);
  LabelledImages images;
  images.report = std::move(report);
  images.set = load_pixels(data, source.image_size,
                           {.threads = source.threads,
                            .report = &images.report,
                            .square = {.preprocessing = source.preprocessing, .fit = source.fit}});
  auto folder = std::filesystem::absolute(source.images).lexically_normal();
  if (folder.filename().empty()) folder = folder.parent_path();
  images.source = folder.filename().string();
  if (source.find_duplicates)
    images.duplicates = find_near_duplicates(images.set.dataset(), {.threads = source.threads});
  return images;
}

DataParts split_parts(const LabelledImages& images, SplitOptions split,
                      bool keep_duplicates_together) {
  if (keep_duplicates_together) {
    const auto pairs = index_pairs(images.duplicates);
    split.together.insert(split.together.end(), pairs.begin(), pairs.end());
  }
  const auto indices = grouped_stratified_split(images.set.dataset(), split);
  return {.train = images.set.subset(indices.train),
          .validation = images.set.subset(indices.validation),
          .test = images.set.subset(indices.test),
          .source = images.source,
          .split = text("by lesion",
                        keep_duplicates_together ? ", patient and near-duplicate" : " and patient",
                        ", stratified by class; validation ", split.validation, ", test ",
                        split.test, ", seed ", split.seed),
          .report = images.report,
          .duplicates = place_duplicates(images.set.samples, images.duplicates, indices)};
}

DataParts split_parts_by_image(const LabelledImages& images, const SplitOptions& split) {
  auto apart = images.set;  // shares the pixels
  for (auto& sample : apart.samples) sample.lesion = sample.patient = "";
  const auto indices = grouped_stratified_split(apart.dataset(), split);
  return {.train = images.set.subset(indices.train),
          .validation = images.set.subset(indices.validation),
          .test = images.set.subset(indices.test),
          .source = images.source,
          .split = text("by image, so that views of one lesion lie in several parts, stratified by "
                        "class; validation ",
                        split.validation, ", test ", split.test, ", seed ", split.seed),
          .report = images.report,
          .duplicates = place_duplicates(images.set.samples, images.duplicates, indices)};
}

std::int64_t crossing_duplicates(const DataParts& parts) {
  return std::count_if(parts.duplicates.begin(), parts.duplicates.end(),
                       [](const PlacedDuplicate& pair) { return pair.crosses(); });
}

std::vector<std::string> few_images(const PixelSet& training, std::int64_t minimum) {
  std::vector<std::int64_t> real(training.classes.size());
  for (const auto& sample : training.samples)
    if (!sample.synthetic) ++real[static_cast<std::size_t>(sample.label)];
  std::vector<std::string> lines;
  for (std::size_t c = 0; c < real.size(); ++c)
    if (real[c] < minimum)
      lines.push_back(text("few images: class ", training.classes[c], " has ", real[c],
                           " to train on, below ", minimum));
  return lines;
}

Json to_json(const DataParts& parts) {
  const auto counts = [](const PixelSet& set) {
    Json by_class = Json::object();
    const auto of = set.class_counts();
    for (std::size_t c = 0; c < of.size(); ++c) by_class[set.classes[c]] = of[c];
    return by_class;
  };
  return Json::object(
      {{"source", parts.source},
       {"classes", parts.train.classes},
       {"image_size", parts.train.images.size(2)},
       {"train", counts(parts.train)},
       {"validation", counts(parts.validation)},
       {"test", counts(parts.test)},
       {"split", parts.split},
       {"near_duplicates", Json::object({{"pairs", parts.duplicates.size()},
                                         {"across_parts", crossing_duplicates(parts)}})},
       {"left_out", Json::object({{"missing", parts.report.missing},
                                  {"corrupt", parts.report.corrupt},
                                  {"unlabelled", parts.report.unlabelled},
                                  {"unmapped", parts.report.unmapped}})}});
}

void write_split(const std::filesystem::path& directory, const DataParts& parts) {
  std::string csv = csv_line({"image", "label", "lesion_id", "patient_id", "part"}) + "\n";
  const auto add = [&](const PixelSet& set, const char* part) {
    for (const auto& sample : set.samples)
      csv += csv_line({sample.id, set.classes[static_cast<std::size_t>(sample.label)],
                       sample.lesion, sample.patient, part}) +
             "\n";
  };
  add(parts.train, "train");
  add(parts.validation, "validation");
  add(parts.test, "test");
  write_atomically(directory / "split.csv", csv);
  if (!parts.duplicates.empty()) write_duplicates(directory / "duplicates.csv", parts.duplicates);
}

}  // namespace dermis
