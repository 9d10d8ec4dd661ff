#include "program.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <thread>

#include "dermis/core/file.hpp"
#include "dermis/core/freed_memory.hpp"
#include "dermis/core/interrupt.hpp"
#include "dermis/data/class_map.hpp"
#include "dermis/data/codec.hpp"
#include "dermis/layers/matmul.hpp"
#include "dermis/train/synthesis.hpp"

namespace dermis {
namespace {

/// The cells right-aligned in columns, the first one left-aligned.
template <class... Cells>
std::string row(const std::string& first, const Cells&... cells) {
  std::string line = first + std::string(first.size() < 28 ? 28 - first.size() : 0, ' ');
  for (const auto& cell : {text(cells)...})
    line += std::string(cell.size() < 14 ? 14 - cell.size() : 1, ' ') + cell;
  return line + '\n';
}

Program::RunPlan dermae_plan(const DermaeRecipe& recipe, std::int64_t classes) {
  return {recipe.image_size, plan(recipe, classes)};
}

}  // namespace

Program::Program(const std::string& name, const std::string& description,
                 const std::string& examples)
    : app(description + "\nResearch software, not a medical device.", name) {
  app.footer("Examples:\n" + examples);
  app.get_formatter()->column_width(34);
  app.add_option("--device", device, "cpu, or cuda[:N] where LibTorch has it")
      ->capture_default_str();
  app.add_flag("--json", json, "what was found as one JSON object on standard output");
  app.add_option("--threads", threads, "threads for computing; 0: LibTorch's default")
      ->capture_default_str();
}

void Program::add_data_options() {
  app.add_option("--data", data,
                 "folder with your JPEG and PNG images; without it the embedded phantom is used");
  app.add_option(
      "--labels", labels,
      "labels: CSV image,label[,lesion_id,patient_id], one-hot as ISIC 2018/2019, HAM10000, "
      "ISIC 2020, or metadata.jsonl; looked for in --data too; without it: a sub-folder a "
      "class");
  app.add_option("--classes", classes,
                 "classes to use, in this order: AK,SCC,DF,VASC; default: all of the CSV")
      ->delimiter(',');
  app.add_option("--lesions", lesions, "CSV with image,lesion_id, if --labels has no lesion_id");
  app.add_flag("--skip-missing", skip_missing,
               "leave out (and count) label rows whose image is missing, instead of stopping");
  app.add_option("--label-column", label_column, "column of --labels that holds the class");
  app.add_option("--class-map", class_map,
                 "CSV from,to: other names for classes; an empty `to` leaves the class out");
  app.add_option("--duplicates", duplicates,
                 "near-duplicate images: together (kept in one part, as one lesion's), report "
                 "(listed alone), ignore (not searched)")
      ->capture_default_str()
      ->check(CLI::IsMember({"together", "report", "ignore"}));
  app.add_flag("--crop-border", preprocessing.crop_border, "cut black borders off");
  app.add_flag("--remove-hair", preprocessing.remove_hair, "paint over dark hair");
  app.add_flag("--colour-constancy", preprocessing.colour_constancy,
               "as under white light (Shades of Gray)");
}

void Program::add_training_options(const std::string& default_out) {
  out = default_out;
  app.add_option("--out", out, "folder for models, metrics and reports")->capture_default_str();
  app.add_option("--preset", preset,
                 "demo (under 25 min on 2 cores), study (about 90 min), paper (published sizes)")
      ->capture_default_str();
  app.add_option("--image-size", image_size, "side of the square images in pixels; 0: the preset's")
      ->capture_default_str();
  app.add_option("--seed", seed, "of data, weights, order, augmentation and noise")
      ->capture_default_str();
  app.add_flag("--resume", resume,
               "go on from the checkpoints in --out; finished stages are loaded");
  app.add_flag("--bf16", bf16, "train in bfloat16 where it is safe");
  app.add_flag("--tensorboard", tensorboard, "write TensorBoard event files beside the metrics");
  app.add_option(
      "--config", config,
      "JSON file whose keys override the preset's (see OUT/config.json for all of them)");
  app.add_flag("--dry-run", dry_run,
               "print steps, image passes, parameters and memory of each stage, then stop");
}

void Program::add_synthetic_option() {
  app.add_option("--synthetic", synthetic,
                 "folder of synthetic training images, as `synthesize` writes it");
}

int Program::run(int argc, char** argv, const std::function<void()>& body) {
  const InterruptGuard interrupt_guard;
  try {
    app.parse(argc, argv);
    if (threads < 0) throw CLI::ValidationError("--threads", "expected 0 or more");
    if (threads > 0) at::set_num_threads(threads);
    prefer_onednn_matmul();
    keep_freed_memory();
    if (dry_run) {
      print_plan();
    } else {
      body();
    }
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const Interrupted& stop) {
    std::cerr << app.get_name() << ": " << stop.what() << '\n';
    return 130;
  } catch (const c10::Error& error) {
    std::cerr << app.get_name() << ": " << error.what_without_backtrace() << '\n';
  } catch (const std::exception& error) {
    std::cerr << app.get_name() << ": " << error.what() << '\n';
  }
  return 1;
}

DermaeRecipe Program::recipe() const {
  return recipe(config);
}

DermaeRecipe Program::recipe(const std::filesystem::path& file) const {
  auto recipe = dermae_recipe(preset);
  if (!file.empty()) options_from_json(recipe, Json::read(file), file.string());
  set_image_size(recipe, image_size > 0 ? image_size : recipe.image_size);
  validate(recipe);
  return recipe;
}

int Program::decode_threads() const {
  return threads > 0 ? threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

PhantomOptions Program::phantom_options(const PartsOptions& options) const {
  check_argument(labels.empty() && classes.empty() && lesions.empty(),
                 "[data] --labels, --classes and --lesions need --data FOLDER; the embedded "
                 "phantom has its own labels");
  return {.seed = seed,
          .train_images = options.phantom_images,
          .validation_lesions_per_class = options.phantom_validation_per_class,
          .test_lesions_per_class = options.phantom_test_per_class,
          .image_size = options.image_size};
}

LabelledImages Program::folder_images(const PartsOptions& options) const {
  FolderSource source{
      .images = data,
      .labels = labels,
      .folder = {.classes = classes,
                 .missing = skip_missing ? MissingImages::Skip : MissingImages::Fail,
                 .lesions_csv = lesions,
                 .label_column = label_column},
      .preprocessing = preprocessing,
      .image_size = options.image_size,
      .fit = options.fit,
      .threads = decode_threads(),
      .find_duplicates = duplicates != "ignore"};
  if (!class_map.empty()) source.folder.class_map = read_class_map(class_map);
  auto images = load_folder(source);
  for (const auto& message : images.report.messages) std::cerr << "left out: " << message << '\n';
  const auto& left_out = images.report;
  std::cerr << text(
      "data: ", images.source, ", ", images.set.classes.size(), " classes, ", images.set.size(),
      " images; left out: ", left_out.missing, " missing, ", left_out.corrupt, " corrupt, ",
      left_out.unlabelled, " without label, ", left_out.unmapped,
      " of classes mapped to none; near-duplicates: ",
      duplicates == "ignore" ? "not searched" : text(images.duplicates.size(), " pairs"), '\n');
  return images;
}

LabelledImages Program::images(const PartsOptions& options) const {
  if (!data.empty()) return folder_images(options);
  const auto parts = phantom_parts(phantom_options(options), decode_threads());
  return {.set = concatenate(concatenate(parts.train, parts.validation), parts.test),
          .source = parts.source};
}

DataParts Program::parts(const PartsOptions& options) const {
  const SplitOptions split{
      .validation = options.validation_share, .test = options.test_share, .seed = seed};
  const auto parts = options.split_by_image ? split_parts_by_image(images(options), split)
                     : data.empty()
                         ? phantom_parts(phantom_options(options), decode_threads())
                         : split_parts(folder_images(options), split, duplicates == "together");
  std::cerr << text("parts: ", parts.train.size(), " training, ", parts.validation.size(),
                    " validation, ", parts.test.size(), " test images\n");
  if (const auto crossing = crossing_duplicates(parts); crossing > 0)
    std::cerr << text("near-duplicates: ", crossing,
                      " pairs lie in two parts, which flatters the "
                      "figures; --duplicates together prevents it\n");
  if (data.empty()) return parts;
  const auto few = few_images(parts.train);
  for (const auto& line : few) std::cerr << line << '\n';
  if (!few.empty())
    std::cerr << "few images: start from others' weights (--init, docs/weights.md)\n";
  return parts;
}

PixelSet Program::training_images(const DataParts& parts) const {
  if (synthetic.empty()) return parts.train;
  return concatenate(parts.train, recompressed(synthetic_images(parts), parts));
}

PixelSet Program::synthetic_images(const DataParts& parts) const {
  check_unseen(synthetic, parts.validation, "validation part");
  check_unseen(synthetic, parts.test, "test part");
  return load_synthetic(synthetic, parts.train, decode_threads());
}

PixelSet Program::recompressed(const PixelSet& images, const DataParts& parts) const {
  return data.empty() ? images : same_codec(images, codec_of(parts.train, data), seed);
}

StageContext Program::context() const {
  make_directories(out);
  return {.out = out,
          .seed = seed,
          .device = at::Device(device),
          .resume = resume,
          .bf16 = bf16,
          .tensorboard = tensorboard};
}

void Program::print(const Json& figures, const std::string& summary) const {
  std::cout << (json ? figures.dump(2) : summary) << std::endl;
}

void Program::print_plan() const {
  const auto count =
      static_cast<std::int64_t>(classes.empty() ? phantom_classes().size() : classes.size());
  const auto r = run_plan ? run_plan(count) : dermae_plan(recipe(), count);
  std::string table =
      row("stage", "steps", "batch", "image passes", "lr for 256", "parameters", "state, GB");
  Json stages = Json::array();
  for (const auto& stage : r.stages) {
    const auto passes = stage.steps * stage.batch_size;
    const double rate = stage.learning_rate * 256 / static_cast<double>(stage.batch_size);
    stages.push_back(Json::object({{"stage", stage.stage},
                                   {"steps", stage.steps},
                                   {"batch_size", stage.batch_size},
                                   {"image_passes", passes},
                                   {"learning_rate", stage.learning_rate},
                                   {"learning_rate_for_256", rate},
                                   {"parameters", stage.parameters},
                                   {"state_gigabytes", stage.state_gigabytes}}));
    table += row(stage.stage, stage.steps, stage.batch_size, passes, rate, stage.parameters,
                 stage.state_gigabytes);
  }
  print(
      Json::object({{"preset", preset},
                    {"image_size", r.image_size},
                    {"classes", count},
                    {"stages", stages}}),
      text("preset ", preset, ", images of ", r.image_size, " px, ", count, " classes\n", table,
           "state: weights, gradients, AdamW's two moments and EMA's copy in float32; activations "
           "come on top"));
}

std::string percent(double share) {
  return text(std::round(1000 * share) / 10, " %");
}

std::string percent(const Interval& share) {
  return text(percent(share.mean), " (", percent(share.lo), " to ", percent(share.hi), ")");
}

std::string summary(const Evaluation& e) {
  auto lines =
      text("balanced accuracy ", percent(e.balanced_accuracy), ", accuracy ", percent(e.accuracy),
           ", macro AUC ", std::round(1000 * e.macro_auc) / 1000, ", calibration error ",
           std::round(1000 * e.calibration_error) / 1000, "\nrecall:");
  for (std::size_t c = 0; c < e.classes.size(); ++c)
    lines += text(c ? ", " : " ", e.classes[c], " ", percent(e.per_class.recall[c]));
  return lines;
}

}  // namespace dermis
