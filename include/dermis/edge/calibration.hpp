#pragma once
/// \file
/// How sure each exit of a network is to be taken for, and from when on an early one may answer.

#include <optional>
#include <string>
#include <vector>

#include "dermis/edge/labelled_pixels.hpp"
#include "dermis/edge/model.hpp"

namespace dermis::edge {

struct ExitCalibration {
  std::vector<double> temperatures;  ///< [exits] see fit_temperature
  std::vector<double> confidences;   ///< [exits - 1] see Manifest::exit_confidences
  std::vector<std::string> remarks;  ///< why an exit keeps the temperature 1
};

/// Fits a temperature an exit, then chooses the least confidence, one for all exits, whose balanced
/// accuracy on the same images is at most `allowed_loss` below the last exit's
/// (least_exit_threshold); without it no exit answers early. Give it validation images.
/// \throws std::invalid_argument without images or with another number of labels
ExitCalibration calibrate_exits(Model& model, const LabelledPixels& validation,
                                std::optional<double> allowed_loss = {});

}  // namespace dermis::edge
