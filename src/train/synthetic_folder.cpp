#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "dermis/core/random.hpp"
#include "dermis/data/isic.hpp"
#include "dermis/io/csv.hpp"
#include "dermis/train/synthesis.hpp"
#include "dermis/version.hpp"
#include "synthesis_batches.hpp"

namespace fs = std::filesystem;

namespace dermis {
namespace {

/// The rows of DIRECTORY/labels.csv: file and class.
using Labels = std::vector<std::pair<fs::path, std::string>>;

Labels read_labels(const fs::path& directory) {
  const auto table = read_csv(directory / "labels.csv");
  const auto image = table.column("image"), label = table.column("label");
  check_runtime(image >= 0 && label >= 0, "[synthetic] ", table.source,
                ": expected columns image and label");
  Labels rows;
  for (const auto& row : table.rows)
    rows.emplace_back((directory / row[static_cast<std::size_t>(image)]).lexically_normal(),
                      row[static_cast<std::size_t>(label)]);
  return rows;
}

/// Those of labels.csv and those that were set aside from it.
Labels read_all_labels(const fs::path& directory) {
  auto rows = read_labels(directory);
  if (!fs::exists(directory / "quarantine" / "labels.csv")) return rows;
  const auto aside = read_labels(directory / "quarantine");
  rows.insert(rows.end(), aside.begin(), aside.end());
  return rows;
}

/// plan.json.
struct PlanFile {
  std::string generator, split, seed;
  std::vector<std::string> classes;
  std::vector<std::int64_t> counts;
};

PlanFile read_plan(const fs::path& directory, const Labels& labels) {
  const auto path = directory / "plan.json";
  const auto json = Json::read(path);
  PlanFile plan;
  const auto listed = static_cast<std::int64_t>(labels.size());
  std::int64_t left = listed;
  try {
    plan.generator = json.at("generator").get<std::string>();
    plan.split = json.at("split").get<std::string>();
    plan.seed = json.at("seed").get<std::string>();
    for (const auto& [name, counts] : json.at("classes").items()) {
      plan.classes.push_back(name);
      plan.counts.push_back(counts.at("synthetic").get<std::int64_t>());
      check_runtime(plan.counts.back() >= 0 && plan.counts.back() <= left, "expected the ", listed,
                    " images that labels.csv lists, got ", plan.counts.back(), " of class ", name);
      left -= plan.counts.back();
    }
    check_runtime(left == 0, "expected the ", listed, " images that labels.csv lists, got ",
                  listed - left);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(text("[synthetic] ", path.string(), ": ", error.what()));
  }
  return plan;
}

/// "expected WHAT A, its mark says B" unless they are equal.
template <class Value>
std::string contradiction(const char* what, const Value& expected, const Value& marked) {
  return expected == marked ? std::string()
                            : text("expected ", what, " ", expected, ", its mark says ", marked);
}

/// What an image in a folder of synthesize() must say.
struct Expectation {
  fs::path folder;
  PlanFile plan;
  std::map<fs::path, std::string> class_of;  ///< by normalised path

  explicit Expectation(const fs::path& directory) : folder(directory.lexically_normal()) {
    const auto labels = read_all_labels(directory);
    plan = read_plan(directory, labels);
    class_of = {labels.begin(), labels.end()};
    const auto lineage = read_lineage(directory);
    check_runtime(lineage.split == plan.split, "[synthetic] ", directory.string(),
                  ": expected one split in plan.json and lineage.json, got ", plan.split, " and ",
                  lineage.split);
  }

  bool covers(const fs::path& file) const {
    const auto below = file.lexically_relative(folder);
    return !below.empty() && *below.begin() != "..";
  }

  std::string fault_of(const MarkFinding& finding) const {
    if (!finding.synthetic) return "is not marked synthetic";
    if (!finding.provenance) return "its mark does not say what drew it";
    const auto& mark = *finding.provenance;
    const auto place = class_of.find(finding.file.lexically_normal());
    if (place == class_of.end()) return "";  // of an earlier, larger plan
    for (const auto& fault : {contradiction("class", place->second, mark.class_name),
                              contradiction("name", finding.file.stem().string(),
                                            detail::synthetic_id(mark.class_name, mark.number)),
                              contradiction("generator", plan.generator, mark.generator),
                              contradiction("split", plan.split, mark.split),
                              contradiction("seed", plan.seed, text(mark.seed))})
      if (!fault.empty()) return fault;
    return "";
  }
};

std::vector<Expectation> expectations_below(const fs::path& path) {
  std::vector<Expectation> found;
  if (!fs::is_directory(path)) return found;
  for (const auto& entry : fs::recursive_directory_iterator(path))
    if (entry.path().filename() == "plan.json") found.emplace_back(entry.path().parent_path());
  return found;
}

MarkFinding inspect(const fs::path& file) {
  MarkFinding finding{.file = file};
  try {
    const auto text = read_png_text(file);
    finding.synthetic = declares_synthetic(text);
    finding.provenance = read_provenance(text, file.string());
  } catch (const std::runtime_error& error) {
    finding.fault = error.what();
  }
  return finding;
}

}  // namespace

PixelSet load_synthetic(const fs::path& directory, const PixelSet& like, int threads) {
  const auto source = (directory / "labels.csv").string();
  const auto lineage = read_lineage(directory);
  const bool marked = fs::exists(directory / "lineage.json");
  std::vector<Sample> samples;
  std::vector<fs::path> paths;
  for (const auto& [path, name] : read_labels(directory)) {
    const auto known = std::find(like.classes.begin(), like.classes.end(), name);
    check_runtime(known != like.classes.end(), "[synthetic] ", source, ": class ", name,
                  " is none of the training data's");
    const auto mark = read_provenance(path);
    check_runtime(mark || !marked, "[synthetic] ", path.string(),
                  ": expected a mark that says what drew it, as lineage.json beside it is there");
    if (mark) {
      auto fault = contradiction("class", name, mark->class_name);
      if (fault.empty() && marked) fault = contradiction("split", lineage.split, mark->split);
      check_runtime(fault.empty(), "[synthetic] ", path.string(), ": ", fault);
    }
    paths.push_back(path);
    Sample sample;
    sample.id = path.stem().string();
    sample.lesion = sample.id;
    sample.label = static_cast<int>(known - like.classes.begin());
    sample.synthetic = true;
    samples.push_back(std::move(sample));
  }
  const Dataset dataset(like.classes, std::move(samples), [paths](std::int64_t i) {
    return read_image(paths[static_cast<std::size_t>(i)]);
  });
  return load_pixels(dataset, like.images.size(2), {.threads = threads});
}

Lineage read_lineage(const fs::path& directory) {
  const auto path = directory / "lineage.json";
  return fs::exists(path) ? lineage_from_json(Json::read(path), path.string()) : Lineage();
}

void check_unseen(const fs::path& directory, const PixelSet& held_out, const std::string& name) {
  check_runtime(fs::exists(directory / "lineage.json"), "[lineage] ", directory.string(),
                ": expected lineage.json, which tells what the generator was trained on");
  check_unseen(read_lineage(directory), held_out, name);
}

std::vector<MarkFinding> inspect_marks(const fs::path& path) {
  check_runtime(fs::exists(path), "[verify] no such file or folder: ", path.string());
  const auto files = fs::is_directory(path) ? find_images(path) : std::vector{path};
  check_runtime(!files.empty(), "[verify] ", path.string(),
                ": expected JPEG or PNG images in this folder, found none");
  const auto expectations = expectations_below(path);
  std::vector<MarkFinding> findings;
  std::set<fs::path> seen;
  for (const auto& file : files) {
    auto finding = inspect(file);
    seen.insert(file.lexically_normal());
    for (const auto& expectation : expectations)
      if (finding.fault.empty() && expectation.covers(file.lexically_normal()))
        finding.fault = expectation.fault_of(finding);
    findings.push_back(std::move(finding));
  }
  for (const auto& expectation : expectations)
    for (const auto& [file, name] : expectation.class_of)
      if (!seen.contains(file))
        findings.push_back({.file = file, .fault = "is listed in labels.csv, but missing"});
  return findings;
}

Redrawn redraw(Generator generator, const fs::path& directory, std::int64_t count) {
  check_argument(count > 0, "[verify] expected a number of images above 0, got ", count);
  const auto plan = read_plan(directory, read_all_labels(directory));
  check_runtime(plan.classes == generator.classes, "[verify] ", directory.string(),
                ": expected the model's classes ", detail::join(generator.classes), ", got ",
                detail::join(plan.classes));
  const auto images = detail::planned_images(plan.counts);
  check_runtime(!images.empty(), "[verify] ", directory.string(), ": its plan has no image");
  const auto batches = (images.size() + detail::synthesis_batch - 1) / detail::synthesis_batch;
  const auto order = RandomStream(0, "redraw").permutation(static_cast<std::int64_t>(batches));
  Redrawn result;
  for (const auto batch : order) {
    const auto first = static_cast<std::size_t>(batch) * detail::synthesis_batch;
    at::Tensor drawn;
    Provenance expected;
    for (auto i = first; i < std::min(images.size(), first + detail::synthesis_batch); ++i) {
      if (result.images == count) return result;
      const auto& name = generator.classes[static_cast<std::size_t>(images[i].label)];
      auto file = detail::quarantined_path(directory, name, images[i].number);
      if (!fs::exists(file)) file = detail::synthetic_path(directory, name, images[i].number);
      const auto mark = read_provenance(file);
      check_runtime(mark.has_value(), "[verify] ", file.string(),
                    ": its mark does not say what drew it");
      if (!drawn.defined()) {
        generator.options.guidance_scale = mark->guidance_scale;
        generator.options.sampling_steps = mark->steps;
        drawn = detail::draw_batch(generator, images, first, mark->seed).cpu();
        expected = provenance_of(generator, mark->seed);
      }
      expected.class_name = name;
      expected.number = images[i].number;
      expected.version = mark->version;  // another one may still draw the same
      check_runtime(*mark == expected, "[verify] ", file.string(),
                    ": was drawn by another generator or with other settings than the model's");
      const auto stored = to_tensor(read_image(file));
      const auto image = drawn[static_cast<std::int64_t>(i - first)];
      check_runtime(stored.sizes() == image.sizes(), "[verify] ", file.string(), ": expected ",
                    image.size(2), " x ", image.size(1), " pixels, got ", stored.size(2), " x ",
                    stored.size(1));
      const auto difference = (stored.to(at::kInt) - image.to(at::kInt)).abs().max().item<int>();
      ++result.images;
      result.equal += difference == 0;
      result.largest = std::max(result.largest, difference);
    }
  }
  return result;
}

}  // namespace dermis
