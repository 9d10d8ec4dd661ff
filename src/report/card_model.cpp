#include <algorithm>

#include "card_fields.hpp"
#include "dermis/report/card.hpp"

namespace dermis {

using detail::by_class;
using detail::member;
using detail::rows_of;
using detail::show;

namespace {

/// The options that the arm was trained by: key below "recipe".
std::string options_of(const std::string& arm) {
  return arm.compare(0, 7, "student") == 0 ? "student" : "teacher";
}

std::string statement_on_data(const Json& metrics) {
  if (member(metrics, {"data", "source"}) != Json("phantom")) return "";
  return "All images are drawings (the embedded phantom), not photographs of patients: the figures "
         "say nothing about photographs of skin.";
}

/// The last step of a stage's curve; null if there is none.
Json last_step(const Json& metrics, const std::string& stage) {
  const auto curve = member(metrics, {"curves", stage});
  return curve.is_array() && curve.size() > 0 ? show(curve.elements().back(), {"step"}) : Json();
}

Json architecture(const Json& model) {
  for (const char* key : {"patch_size", "dim", "depth", "heads"})
    if (!model.contains(key)) return {};
  return text("vision transformer, patches of ", model.at("patch_size").get<std::int64_t>(),
              " pixels, width ", model.at("dim").get<std::int64_t>(), ", depth ",
              model.at("depth").get<std::int64_t>(), ", ", model.at("heads").get<std::int64_t>(),
              " heads");
}

Json checks(const Json& metrics) {
  const auto all = member(metrics, {"checks"});
  if (!all.is_array() || all.size() == 0) return {};
  std::size_t passed = 0;
  std::string failed;
  for (const auto& check : all.elements()) {
    if (check.value("passed", false)) {
      ++passed;
    } else {
      failed += (failed.empty() ? "; failed: " : "; ") + check.value("name", "");
    }
  }
  return detail::disclosed(text(passed, " of ", all.size(), " passed", failed));
}

CardSection training_data(const Json& metrics, const Json& audit) {
  return {
      "Training data",
      statement_on_data(metrics),
      {{"Source", show(metrics, {"data", "source"})},
       {"Images by class", by_class({{"training", member(metrics, {"data", "train"})},
                                     {"synthetic", member(metrics, {"synthetic_training_images"})},
                                     {"validation", member(metrics, {"data", "validation"})},
                                     {"test", member(metrics, {"data", "test"})}})},
       {"Split", show(metrics, {"data", "split"})},
       {"Near-duplicates", show(metrics, {"data", "near_duplicates"})},
       {"Leakage across the split", show(audit, {"leakage"})},
       {"Rows left out", show(metrics, {"data", "left_out"})},
       {"Basis of the labels", show(audit, {"dataset", "label_basis"})},
       {"Cameras", show(audit, {"dataset", "cameras"})},
       {"Sites", show(audit, {"dataset", "sites"})},
       {"Age", show(audit, {"dataset", "age"})},
       {"Sex", show(audit, {"dataset", "sex"})},
       {"Consent and approval", show(audit, {"dataset", "consent"})}}};
}

CardSection network(const Json& metrics, const std::string& arm) {
  const auto options = options_of(arm);
  return {"Model",
          "",
          {{"What it is", show(metrics, {"arms", arm, "description"})},
           {"Architecture", architecture(member(metrics, {"recipe", options, "model"}))},
           {"Image size, pixels", show(metrics, {"recipe", options, "model", "image_size"})},
           {"Parameters", show(metrics, {arm, "parameters"})},
           {"File size, bytes", show(metrics, {arm, "bytes"})},
           {"Latency of one image, ms", show(metrics, {arm, "latency_ms"})}}};
}

CardSection training(const Json& metrics, const Json& audit, const std::string& arm) {
  const auto options = options_of(arm);
  auto schedule = member(metrics, {"recipe", options, "training"});
  return {"Training",
          "",
          {{"Preset", show(metrics, {"preset"})},
           {"Seed", show(metrics, {"seed"})},
           {"Steps", last_step(metrics, arm)},
           {"Batch size", show(schedule, {"batch_size"})},
           {"Image passes, pre-training included", show(metrics, {"arms", arm, "image_passes"})},
           {"Learning rate", show(schedule, {"learning_rate"})},
           {"Weight decay", show(schedule, {"weight_decay"})},
           {"Decay of averaged weights", show(schedule, {"ema_decay"})},
           {"Loss", show(metrics, {"recipe", options, "loss"})},
           {"Augmentation", show(metrics, {"recipe", options, "augment"})},
           {"Classes drawn equally often", show(metrics, {"recipe", options, "class_balanced"})},
           {"Share of real images drawn", show(metrics, {"recipe", options, "real_share"})},
           {"Precision", show(metrics, {"precision"})},
           {"Hardware", show(audit, {"hardware"})},
           {"Time of the run, s", show(metrics, {"seconds"})},
           {"Energy, kWh", show(audit, {"energy_kwh"})}}};
}

CardSection performance(const Json& metrics, const Json& audit, const std::string& arm) {
  const std::vector<std::string> compared{"balanced_accuracy", "accuracy", "macro_auc",
                                          "image_passes"};
  const auto found = member(metrics, {"arms", arm});
  return {
      "Performance on the test part",
      "Intervals: 95 %, bootstrap by lesion.",
      {{"Balanced accuracy", show(found, {"balanced_accuracy"})},
       {"Accuracy", show(found, {"accuracy"})},
       {"Macro AUC", show(found, {"macro_auc"})},
       {"By class", by_class({{"recall", member(found, {"per_class_recall"})},
                              {"precision", member(found, {"per_class_precision"})},
                              {"F1", member(found, {"per_class_f1"})}})},
       {"Recall by class with intervals",
        by_class({{"recall", member(found, {"per_class_recall_interval"})}})},
       {"Trivial baselines", rows_of(member(metrics, {"baselines"}), compared)},
       {"Teacher less the best baseline", show(metrics, {"teacher_minus_best_baseline"})},
       {"Other ways of training", rows_of(member(metrics, {"arms"}), compared)},
       {"Expected calibration error", show(found, {"calibration_error"})},
       {"Calibration, before and after a temperature", show(audit, {"decisions", "calibration"})},
       {"Temperature", show(audit, {"decisions", "temperature"})},
       {"Operating point", show(audit, {"decisions", "operating_point"})},
       {"Prediction sets", show(audit, {"decisions", "prediction_sets"})},
       {"Images of another source", show(audit, {"external"})}}};
}

}  // namespace

Card model_card(const Json& metrics, const Json& audit, const std::string& arm) {
  check_argument(metrics.is_object(), "[card] expected metrics as an object, got ", metrics.dump());
  check_argument(audit.is_object(), "[card] expected an audit as an object, got ", audit.dump());
  check_argument(!metrics.contains("arms") || metrics.at("arms").contains(arm),
                 "[card] expected an arm of the run, got ", arm);
  return {
      "Model card: " + arm,
      {{"Intended use",
        "Research and teaching: how classifiers of skin-lesion images learn, and what synthetic "
        "training images change.",
        {}},
       {"Not intended for",
        "Diagnosis, triage, screening or any other decision about a person. Research software, not "
        "a medical device; no clinical claim is made.",
        {}},
       training_data(metrics, audit),
       network(metrics, arm),
       training(metrics, audit, arm),
       performance(metrics, audit, arm),
       {"Fairness",
        "",
        {{"Skin tone", show(audit, {"skin_tone"})},
         {"Gaps between groups", show(audit, {"group_gaps"})}}},
       {"Shortcuts and privacy",
        "",
        {{"Shortcuts", show(audit, {"shortcuts"})},
         {"Memorisation by the generator of its training images", show(audit, {"memorisation"})}}},
       {"Limits",
        "Figures hold for images like the test part's and for the classes listed; one run shows "
        "no spread between seeds. An image of another class is forced into one of these.",
        {{"Checks of the run", checks(metrics)}}},
       {"Terms",
        "",
        {{"Licence", show(audit, {"licence"})}, {"Contact", show(audit, {"contact"})}}}}};
}

}  // namespace dermis
