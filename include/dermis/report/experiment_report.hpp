#pragma once
/// \file
/// What an experiment found, as JSON and as one HTML page.

#include <filesystem>
#include <string>

#include "dermis/experiment/arms.hpp"

namespace dermis {

/// Writes experiment.json and report.html into `out`. The JSON: title, data, judged_on, images,
/// seeds, preset, classes, arms{<name>: {description, balanced_accuracy{mean, lo, hi, by_seed},
/// macro_auc, recall{<class>}, image_passes, generation [by seed]}}, comparisons [{first, second,
/// difference{mean, lo, hi, by_seed}}], sweeps [{title, setting, points [{value, arm, mean, lo,
/// hi}]}], recipe. Means are over the seeds, intervals (95 %) over lesions and seeds.
/// \return the JSON
Json write_experiment(const std::filesystem::path& out, const ExperimentResults& results);

/// The figures a reader looks for first, from that JSON: a line an arm and a comparison.
std::string summary(const Json& experiment);

}  // namespace dermis
