#include "nearest.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "dermis/core/check.hpp"
#include "dermis/core/interrupt.hpp"

namespace dermis::detail {
namespace {

constexpr std::int64_t kViews = 8;
constexpr std::int64_t kSide = 16;     // finer, and a decoder's blur would hide copies
constexpr std::int64_t kBlock = 64;    // images a matrix product
constexpr double kLeastDeviation = 2;  // of 255: a flat channel's noise is not blown up

at::Tensor unit_rows(const at::Tensor& rows) {
  return rows / rows.norm(2, -1, true).clamp_min(1e-12);
}

/// Calls use(i, distances [M], views [M]) for each image, distances the least over the views.
template <class Use>
void for_each_image(const at::Tensor& views, const at::Tensor& keys, Use use) {
  const auto count = views.size(1);
  for (std::int64_t first = 0; first < count; first += kBlock) {
    if (InterruptGuard::requested())
      throw Interrupted("[memorisation] interrupted while comparing images");
    const auto block = views.slice(1, first, std::min(first + kBlock, count));
    const auto cosine = at::matmul(block, keys.t());  // [8, b, M]
    const auto [best, view] = cosine.max(0);
    const auto distance = (1 - best).clamp_min(0).sqrt().contiguous();
    const auto chosen = view.contiguous();
    for (std::int64_t i = 0; i < distance.size(0); ++i)
      use(first + i, distance.const_data_ptr<float>() + i * keys.size(0),
          chosen.const_data_ptr<std::int64_t>() + i * keys.size(0));
  }
}

/// The view that undoes view `view`.
std::int64_t inverse_view(std::int64_t view) {
  return view % 2 == 1 ? view : (kViews - view) % kViews;
}

}  // namespace

at::Tensor pixel_views(const at::Tensor& images) {
  const auto side = std::min(kSide, images.size(2));
  auto small = at::adaptive_avg_pool2d(images.to(at::kFloat), {side, side});
  small = small - small.mean({2, 3}, true);
  small = small / small.square().mean({2, 3}, true).sqrt().clamp_min(kLeastDeviation);
  std::vector<at::Tensor> views;
  for (std::int64_t v = 0; v < kViews; ++v)
    views.push_back(unit_rows(right_angle_view(small, v).flatten(1)));
  return at::stack(views);
}

at::Tensor feature_views(const std::function<Eigen::MatrixXd(const at::Tensor&)>& encoder,
                         const at::Tensor& images, const Eigen::RowVectorXd& mean,
                         const Eigen::RowVectorXd& deviation) {
  std::vector<at::Tensor> views;
  for (std::int64_t v = 0; v < kViews; ++v) {
    const Eigen::MatrixXd features = encoder(right_angle_view(images, v).contiguous());
    check_argument(features.rows() == images.size(0) && features.cols() == mean.size(),
                   "[memorisation] expected features of shape [", images.size(0), ", ", mean.size(),
                   "], got [", features.rows(), ", ", features.cols(), "]");
    check_argument(features.allFinite(), "[memorisation] expected finite features, got others");
    const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> standard =
        ((features.rowwise() - mean).array().rowwise() / deviation.array()).cast<float>();
    const auto rows = at::empty({standard.rows(), standard.cols()}, at::kFloat);
    std::copy_n(standard.data(), standard.size(), rows.data_ptr<float>());
    views.push_back(unit_rows(rows));
  }
  return at::stack(views);
}

std::vector<NearestImage> nearest_images(const at::Tensor& views, const at::Tensor& keys,
                                         const std::vector<std::int64_t>& groups,
                                         std::int64_t rank) {
  const auto group_count =
      static_cast<std::size_t>(1 + *std::max_element(groups.begin(), groups.end()));
  std::vector<NearestImage> nearest(static_cast<std::size_t>(views.size(1)));
  std::vector<float> by_group;
  for_each_image(views, keys, [&](std::int64_t i, const float* distance, const std::int64_t* view) {
    by_group.assign(group_count, std::numeric_limits<float>::max());
    for (std::size_t j = 0; j < groups.size(); ++j) {
      auto& least = by_group[static_cast<std::size_t>(groups[j])];
      least = std::min(least, distance[j]);
    }
    auto& found = nearest[static_cast<std::size_t>(i)];
    found.training = std::min_element(distance, distance + groups.size()) - distance;
    found.view = inverse_view(view[found.training]);
    found.distance = distance[found.training];
    const auto ranked = by_group.begin() + (rank - 1);
    std::nth_element(by_group.begin(), ranked, by_group.end());
    found.ratio = *ranked > 0 ? found.distance / *ranked : 1;
  });
  return nearest;
}

std::vector<double> nearest_other(const at::Tensor& views) {
  const auto count = views.size(1);
  std::vector<double> least(static_cast<std::size_t>(count), std::sqrt(2.0));
  for_each_image(views, views[0], [&](std::int64_t i, const float* distance, const std::int64_t*) {
    auto& nearest = least[static_cast<std::size_t>(i)];
    for (std::int64_t j = 0; j < count; ++j)
      if (j != i) nearest = std::min(nearest, static_cast<double>(distance[j]));
  });
  return least;
}

}  // namespace dermis::detail
