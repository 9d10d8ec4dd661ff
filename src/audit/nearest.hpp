#pragma once
/// \file
/// Private to src/audit: the nearest of many images in eight views.

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "dermis/audit/memorisation.hpp"

namespace dermis::detail {

/// fp32 [8, N, D], rows of length 1 (or 0): the images in their eight views.
at::Tensor pixel_views(const at::Tensor& images);
/// The same of features that are standardised by `mean` and `deviation` [D].
at::Tensor feature_views(const std::function<Eigen::MatrixXd(const at::Tensor&)>& encoder,
                         const at::Tensor& images, const Eigen::RowVectorXd& mean,
                         const Eigen::RowVectorXd& deviation);

/// For each of the N images with `views` [8, N, D] the nearest of `keys` [M, D], and its distance
/// over that of the group of rank `rank`. groups[j] in 0 .. M-1 is the lesion of key j.
std::vector<NearestImage> nearest_images(const at::Tensor& views, const at::Tensor& keys,
                                         const std::vector<std::int64_t>& groups,
                                         std::int64_t rank);

/// For each of the N images the distance to the nearest other one.
std::vector<double> nearest_other(const at::Tensor& views);

}  // namespace dermis::detail
