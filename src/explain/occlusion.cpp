#include "dermis/explain/occlusion.hpp"

#include <algorithm>

#include "dermis/core/interrupt.hpp"

namespace dermis {
namespace {

/// Where squares begin along a side.
std::vector<std::int64_t> beginnings(std::int64_t side, const OcclusionOptions& options) {
  std::vector<std::int64_t> result;
  for (std::int64_t at = 0; at + options.size < side; at += options.stride) result.push_back(at);
  result.push_back(side - options.size);
  return result;
}

/// What covered squares show: uint8, the shape of `images`.
at::Tensor cover_of(const at::Tensor& images, const OcclusionOptions& options) {
  const auto pixels = images.to(at::kFloat);
  const auto mean = pixels.mean({2, 3}, /*keepdim=*/true);  // [N, 3, 1, 1]
  if (options.fill == OcclusionFill::Mean) return mean.round().to(at::kByte).expand_as(images);
  // Two means over a square: a tent as wide as two squares. Edges are repeated.
  auto blurred = pixels;
  const auto before = options.size / 2, after = options.size - 1 - before;
  for (int pass = 0; pass < 2; ++pass)
    blurred = at::avg_pool2d(at::replication_pad2d(blurred, {before, after, before, after}),
                             {options.size, options.size}, {1, 1});
  return blurred.round().clamp(0, 255).to(at::kByte);
}

/// Probabilities [N] of each image's class.
at::Tensor of_classes(const Eigen::MatrixXd& probabilities, const std::vector<int>& classes) {
  check_argument(probabilities.rows() == static_cast<Eigen::Index>(classes.size()),
                 "[occlusion] expected probabilities of ", classes.size(), " images, got ",
                 probabilities.rows());
  std::vector<double> values;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    check_argument(classes[i] >= 0 && classes[i] < probabilities.cols(),
                   "[occlusion] expected classes in 0 .. ", probabilities.cols() - 1, ", got ",
                   classes[i]);
    values.push_back(probabilities(static_cast<Eigen::Index>(i), classes[i]));
  }
  return torch::tensor(values, torch::kDouble);
}

}  // namespace

std::string name(OcclusionFill fill) {
  return fill == OcclusionFill::Mean ? "mean" : "blur";
}

void from_name(OcclusionFill& fill, const std::string& name) {
  check_argument(name == "mean" || name == "blur", "expected mean or blur, got ", name);
  fill = name == "mean" ? OcclusionFill::Mean : OcclusionFill::Blur;
}

OcclusionOptions occlusion_for(std::int64_t image_size) {
  const auto size = std::max<std::int64_t>(1, image_size / 4);
  return {.size = size, .stride = std::max<std::int64_t>(1, size / 2)};
}

at::Tensor occlusion_maps(const PredictFunction& predict, const at::Tensor& images,
                          const std::vector<int>& classes, const OcclusionOptions& options) {
  check_argument(images.dim() == 4 && images.scalar_type() == at::kByte,
                 "[occlusion] expected uint8 images [N, 3, S, S], got ", shape_text(images));
  const auto height = images.size(2), width = images.size(3);
  check_argument(options.size >= 1 && options.size <= std::min(height, width) &&
                     options.stride >= 1 && options.stride <= options.size,
                 "[occlusion] expected a size in 1 .. ", std::min(height, width),
                 " and a stride in 1 .. size, got ", options.size, " and ", options.stride);
  const auto whole = of_classes(predict(images), classes);
  const auto cover = cover_of(images, options);
  auto sum = torch::zeros({images.size(0), height, width}, torch::kDouble);
  auto squares = torch::zeros({height, width}, torch::kDouble);
  const auto square_of = [&](const at::Tensor& pixels, std::int64_t y, std::int64_t x) {
    return pixels.slice(-2, y, y + options.size).slice(-1, x, x + options.size);
  };
  for (const auto y : beginnings(height, options))
    for (const auto x : beginnings(width, options)) {
      if (InterruptGuard::requested()) throw Interrupted("[occlusion] interrupted");
      const auto covered = images.clone();
      square_of(covered, y, x).copy_(square_of(cover, y, x));
      const auto drop = whole - of_classes(predict(covered), classes);  // [N]
      square_of(sum, y, x).add_(drop.view({-1, 1, 1}));
      square_of(squares, y, x).add_(1);
    }
  return (sum / squares).to(at::kFloat);
}

}  // namespace dermis
