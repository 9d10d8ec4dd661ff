#include <iostream>
#include <map>

#include "dermis/audit/distribution.hpp"
#include "dermis/audit/fidelity.hpp"
#include "dermis/core/file.hpp"
#include "dermis/core/hash.hpp"
#include "dermis/experiment/arms.hpp"
#include "dermis/train/first_stage.hpp"
#include "dermis/train/synthesis.hpp"

namespace dermis {

namespace {

// What a stage depends on. Two recipes that agree in it share the stage.
Json first_stage_settings(const DermaeRecipe& r) {
  auto settings =
      Json::object({{"autoencoder", options_to_json(r.autoencoder)}, {"image_size", r.image_size}});
  if (r.autoencoder.perceptual_weight > 0) {
    settings["lpips"] = r.lpips;
    settings["pretraining"] = options_to_json(r.pretraining);
  }
  return settings;
}

Json generator_settings(const DermaeRecipe& r) {
  return Json::object(
      {{"first_stage", first_stage_settings(r)}, {"generator", options_to_json(r.generator)}});
}

Json synthesis_settings(const DermaeRecipe& r) {
  return Json::object({{"generator", generator_settings(r)},
                       {"target", r.synthetic_target},
                       {"minimum", r.synthetic_minimum}});
}

Json pretraining_settings(const DermaeRecipe& r, bool synthetic) {
  return Json::object({{"synthesis", synthetic ? synthesis_settings(r) : Json()},
                       {"pretraining", options_to_json(r.pretraining)}});
}

/// Where the stored settings are not today's: "teacher.training.steps is 2000, now 4000"; empty if
/// they agree. What was no setting yet is not compared.
std::string difference(const Json& stored, const Json& now, const std::string& prefix = "") {
  for (const auto& [key, value] : stored.items()) {
    if (!now.contains(key)) return prefix + key + " is no setting any more";
    const auto& other = now.at(key);
    if (value.is_object() && other.is_object()) {
      const auto below = difference(value, other, prefix + key + ".");
      if (!below.empty()) return below;
    } else if (value != other) {
      return text(prefix, key, " is ", value.dump(), ", now ", other.dump());
    }
  }
  return "";
}

Json to_json(const ArmRun& run) {
  return Json::object({{"balanced_accuracy", run.balanced_accuracy},
                       {"macro_auc", run.macro_auc},
                       {"recall", run.recall},
                       {"image_passes", run.image_passes},
                       {"generation", run.generation},
                       {"predictions", run.predictions}});
}

ArmRun arm_run(const Json& json) {
  ArmRun run;
  run.balanced_accuracy = json.at("balanced_accuracy").get<double>();
  run.macro_auc = json.at("macro_auc").get<double>();
  run.recall = json.at("recall").get<std::vector<double>>();
  run.image_passes = json.at("image_passes").get<std::int64_t>();
  run.generation = json.at("generation");
  run.predictions = json.at("predictions").get<std::vector<int>>();
  return run;
}

/// All arms with one seed.
class SeedRun {
 public:
  SeedRun(const Experiment& experiment, const DermaeRecipe& preset, const DataParts& parts,
          StageContext first, StageContext context, const std::function<PixelSet(PixelSet)>& finish)
      : experiment_(experiment),
        preset_(preset),
        base_(recipe_of(experiment, {.name = "base"}, preset)),
        parts_(parts),
        judged_(experiment.on_validation ? parts.validation : parts.test),
        normalization_(measure_normalization(parts.train)),
        training_(fingerprint(parts.train)),
        judged_images_(fingerprint(judged_)),
        first_(std::move(first)),
        context_(std::move(context)),
        finish_(finish) {}

  ArmRun run(const ExperimentArm& arm) {
    const auto file = context_.out / "arms" / (arm.name + ".json");
    const auto settings = configuration(arm);
    if (std::filesystem::exists(file)) {
      const auto stored = Json::read(file);
      const auto found = difference(stored.at("settings"), settings);
      check_runtime(found.empty(), "[experiment] ", file.string(),
                    ": of another experiment: ", found,
                    "; remove the file or choose another --out");
      return arm_run(stored);
    }
    const auto recipe = recipe_of(experiment_, arm, preset_);
    const auto evaluation = evaluate(classifier(arm), judged_);
    ArmRun run{.predictions = evaluation.predictions,
               .balanced_accuracy = evaluation.balanced_accuracy.mean,
               .macro_auc = evaluation.macro_auc,
               .recall = evaluation.per_class.recall,
               .image_passes = image_passes(arm, recipe),
               .generation = arm.synthetic ? generation(recipe) : Json()};
    auto json = to_json(run);
    json["settings"] = settings;
    make_directories(file.parent_path());
    write_atomically(file, json.dump() + "\n");
    return run;
  }

 private:
  Json configuration(const ExperimentArm& arm) const {
    auto settings = Json::object({{"seed", context_.seed},
                                  {"start", name(arm.start)},
                                  {"synthetic", arm.synthetic},
                                  {"recipe", options_to_json(recipe_of(experiment_, arm, preset_))},
                                  {"training", training_},
                                  {"judged", judged_images_}});
    if (!arm.teacher.empty()) settings["teacher"] = configuration(this->arm(arm.teacher));
    return settings;
  }

  const ExperimentArm& arm(const std::string& name) const {
    for (const auto& arm : experiment_.arms)
      if (arm.name == name) return arm;
    throw std::invalid_argument(text("[experiment] no arm called ", name));
  }

  /// Where a stage lives: in base/ if its settings are the experiment's own.
  static StageContext at(StageContext context, const Json& settings, const Json& base) {
    context.out /= settings == base ? "base" : fingerprint(settings.dump()).substr(0, 8);
    make_directories(context.out);
    return context;
  }

  const PixelSet& synthetic(const DermaeRecipe& r) {
    const auto settings = synthesis_settings(r);
    const auto key = settings.dump();
    if (const auto found = synthetic_.find(key); found != synthetic_.end()) return found->second;
    const auto& train = parts_.train;
    const auto autoencoder = train_first_stage(
        train, r, at(first_, first_stage_settings(r), first_stage_settings(base_)));
    const auto place = at(context_, generator_settings(r), generator_settings(base_));
    const auto generator = train_generator(train, autoencoder, r.generator, place);
    save_generator(place.out, generator);
    const auto images = synthesize(
        generator, balancing_plan(train.class_counts(), r.synthetic_target, r.synthetic_minimum),
        context_.seed, at(context_, settings, synthesis_settings(base_)).out / "synthetic");
    return synthetic_[key] = finish_ ? finish_(images) : images;
  }

  PixelSet training(const ExperimentArm& arm, const DermaeRecipe& r) {
    return arm.synthetic ? concatenate(parts_.train, synthetic(r)) : parts_.train;
  }

  const Classifier& classifier(const ExperimentArm& arm) {
    if (const auto found = classifiers_.find(arm.name); found != classifiers_.end())
      return found->second;
    std::cerr << text("arm ", arm.name, ", seed ", context_.seed, '\n');
    const auto r = recipe_of(experiment_, arm, preset_);
    const auto images = training(arm, r);
    auto place = context_;
    place.out /= "base";
    return classifiers_[arm.name] = train_arm(arm, r, images, place);
  }

  Classifier train_arm(const ExperimentArm& arm, const DermaeRecipe& r, const PixelSet& images,
                       const StageContext& place) {
    if (arm.start == ArmStart::Distilled)
      return distill(classifier(this->arm(arm.teacher)), images, r.student, place, arm.name);
    if (arm.start == ArmStart::Alone)
      return train_classifier(images, normalization_, without_teacher(r.student), place, arm.name);
    Encoder encoder;
    if (arm.start == ArmStart::Pretrained)
      encoder = pretrain(images, normalization_, r.pretraining,
                         at(context_, pretraining_settings(r, arm.synthetic),
                            pretraining_settings(base_, true)))
                    .encoder();
    return train_classifier(images, normalization_, r.teacher, place, arm.name, nullptr, encoder);
  }

  static std::int64_t image_passes(const ExperimentArm& arm, const DermaeRecipe& r) {
    const auto tuning = r.teacher.training.image_passes();
    if (arm.start == ArmStart::Scratch) return tuning;
    if (arm.start == ArmStart::Pretrained) return tuning + r.pretraining.training.image_passes();
    return r.student.training.image_passes();
  }

  /// What the judge makes of the images that `r` draws.
  Json generation(const DermaeRecipe& r) {
    if (experiment_.judge.empty()) return {};
    auto& found = generation_[synthesis_settings(r).dump()];
    if (!found.is_null()) return found;
    const auto& judge = classifier(arm(experiment_.judge));
    const auto& images = synthetic(r);
    found = Json::object(
        {{"images", images.size()},
         {"recognised",
          dermis::to_json(class_fidelity(judge, images).evaluation.balanced_accuracy)},
         {"real_recognised",
          dermis::to_json(class_fidelity(judge, judged_).evaluation.balanced_accuracy)}});
    try {
      const auto features = classifier_features(judge);
      found["distribution"] =
          dermis::to_json(distribution_audit(parts_.train, judged_, images, features)).at("all");
    } catch (const std::invalid_argument& too_few) {
      found["distribution_missing"] = too_few.what();
    }
    return found;
  }

  const Experiment& experiment_;
  const DermaeRecipe preset_, base_;
  const DataParts& parts_;
  const PixelSet& judged_;
  const Normalization normalization_;
  const std::string training_, judged_images_;  // fingerprints
  const StageContext first_, context_;  // of the first stage, which all seeds share; of this seed
  const std::function<PixelSet(PixelSet)>& finish_;
  std::map<std::string, PixelSet> synthetic_;
  std::map<std::string, Json> generation_;
  std::map<std::string, Classifier> classifiers_;
};

}  // namespace

ExperimentResults run_experiment(const Experiment& experiment, const DermaeRecipe& recipe,
                                 const DataParts& parts, const std::vector<std::uint64_t>& seeds,
                                 const StageContext& context,
                                 const std::function<PixelSet(PixelSet)>& finish) {
  check_argument(!seeds.empty(), "[experiment] expected at least one seed");
  const auto& judged = experiment.on_validation ? parts.validation : parts.test;
  ExperimentResults results{.experiment = experiment,
                            .data = parts.source,
                            .recipe = recipe_of(experiment, {.name = "base"}, recipe),
                            .seeds = seeds,
                            .classes = parts.train.classes,
                            .labels = labels_of(judged),
                            .lesions = lesions_of(judged),
                            .runs = {}};
  results.runs.resize(experiment.arms.size());
  auto first = context;
  first.out /= "first_stage";
  first.resume = true;  // what an earlier arm trained is loaded
  const auto seed_context = [&](std::uint64_t seed) {
    auto place = context;
    place.seed = seed;
    place.resume = true;
    place.out /= text("seed_", seed);
    check_runtime(context.resume || !std::filesystem::exists(place.out), "[experiment] ",
                  place.out.string(),
                  " is there already: go on with it by --resume, or choose another --out");
    return place;
  };
  std::vector<StageContext> places;
  for (const auto seed : seeds) places.push_back(seed_context(seed));
  for (const auto& place : places) {
    make_directories(place.out);
    SeedRun run(experiment, recipe, parts, first, place, finish);
    for (std::size_t a = 0; a < experiment.arms.size(); ++a) {
      const auto& arm = experiment.arms[a];
      results.runs[a].push_back(run.run(arm));
      std::cerr << text("seed ", place.seed, ", ", arm.name, ": balanced accuracy ",
                        results.runs[a].back().balanced_accuracy, '\n');
    }
  }
  return results;
}

}  // namespace dermis
