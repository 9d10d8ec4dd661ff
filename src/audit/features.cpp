#include "dermis/audit/features.hpp"

#include <torch/types.h>

#include <cmath>
#include <utility>

namespace dermis {
namespace {

/// Log shares of the spectrum's power [N, 4] of planes [N, H, W] in bands of the larger of both
/// frequencies: up to 1/16 of the sampling rate (the shape), then three octaves up to 1/2.
at::Tensor band_shares(const at::Tensor& planes) {
  const auto centred = planes - planes.mean({1, 2}, true);
  const auto power = at::fft_rfft2(centred).abs().square();  // [N, H, W / 2 + 1]
  const auto rows = at::fft_fftfreq(planes.size(1), 1.0, planes.options()).abs().unsqueeze(1);
  const auto columns = at::fft_rfftfreq(planes.size(2), 1.0, planes.options()).unsqueeze(0);
  const auto frequency = at::maximum(rows, columns);  // [H, W / 2 + 1]
  std::vector<at::Tensor> bands;
  double low = -1;
  for (const double high : {1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2}) {
    const auto band = frequency.gt(low).logical_and(frequency.le(high)).to(power.scalar_type());
    bands.push_back((power * band).sum({1, 2}));
    low = high;
  }
  // One grey level of noise in a thousand pixels: a flat image has no spectrum to take a log of.
  const auto floor = 1e-3 * static_cast<double>(planes.size(1) * planes.size(2));
  const auto energy = at::stack(bands, 1) + floor;
  return (energy / energy.sum(1, true)).log();
}

/// Log of the mean step of planes [N, H, W] along `dim` across the edges of blocks of 8 over that
/// elsewhere: [N].
at::Tensor blockiness(const at::Tensor& planes, std::int64_t dim) {
  const auto steps = planes.diff(1, dim).abs().mean(dim == 1 ? 2 : 1);  // [N, length - 1]
  const auto at_edge = at::arange(steps.size(1)).remainder(8).eq(7);
  const auto edges = steps.index_select(1, at_edge.nonzero().flatten()).mean(1);
  const auto others = steps.index_select(1, at_edge.logical_not().nonzero().flatten()).mean(1);
  return ((edges + 0.05) / (others + 0.05)).log();  // flat images have no steps
}

}  // namespace

FeatureFunction classifier_features(const Classifier& classifier) {
  return [classifier](const at::Tensor& images) { return encoder_features(classifier, images); };
}

FeatureFunction patch_features(const Encoder& encoder) {
  check_argument(encoder.module != nullptr, "[features] expected an encoder, got none");
  auto options = encoder.options;
  options.num_classes = 0;
  options.mean_pooling = false;  // keeps the last norm, which masked autoencoders have trained
  ViT model(options, ParameterOptions{.init = false});
  {
    const torch::NoGradGuard no_grad;
    model->norm->weight.fill_(1);  // an encoder with mean pooling has none: fc_norm is its head's
    model->norm->bias.zero_();
  }
  copy_encoder(*encoder.module, encoder.options, model);
  model->to(encoder.module->parameters().front().device());
  model->eval();
  return [model, normalization = encoder.normalization](const at::Tensor& images) mutable {
    const auto device = model->cls_token.device();
    std::vector<at::Tensor> rows;
    in_batches(images.size(0), 128, [&](std::int64_t first, std::int64_t last) {
      const auto x = normalization(images.slice(0, first, last).to(device));
      const auto tokens = model->forward_features(x).tokens;  // [B, 1 + N, D]
      rows.push_back(tokens.slice(1, 1).mean(1).to(at::kCPU, at::kFloat));
    });
    return to_eigen(at::cat(rows));
  };
}

FeatureFunction standardised(FeatureFunction features, const at::Tensor& reference) {
  check_argument(reference.size(0) >= 2,
                 "[features] expected at least 2 images to standardise by, got ",
                 reference.size(0));
  const Eigen::MatrixXd x = features(reference);
  const Eigen::RowVectorXd mean = x.colwise().mean();
  const Eigen::RowVectorXd deviation =
      ((x.rowwise() - mean).colwise().squaredNorm() / static_cast<double>(x.rows())).cwiseSqrt();
  Eigen::RowVectorXd scale(x.cols());
  // Below this a deviation is the rounding error of float features, not a difference of images.
  for (Eigen::Index d = 0; d < x.cols(); ++d)
    scale(d) = deviation(d) > 1e-6 * std::abs(mean(d)) ? 1 / deviation(d) : 0;
  return [features = std::move(features), mean, scale](const at::Tensor& images) {
    const Eigen::MatrixXd raw = features(images);
    return Eigen::MatrixXd((raw.rowwise() - mean).array().rowwise() * scale.array());
  };
}

Eigen::MatrixXd codec_features(const at::Tensor& images) {
  check_argument(images.dim() == 4 && images.size(1) == 3 && images.size(2) >= 16 &&
                     images.size(3) >= 16 && images.scalar_type() == at::kByte,
                 "[features] expected uint8 images [N, 3, S, S] of at least 16 pixels a side, got ",
                 images.scalar_type(), " ", images.sizes());
  std::vector<at::Tensor> rows;
  in_batches(images.size(0), 256, [&](std::int64_t first, std::int64_t last) {
    const auto x = images.slice(0, first, last).to(at::kCPU, at::kDouble);
    const auto red = x.select(1, 0), green = x.select(1, 1), blue = x.select(1, 2);
    const auto luma = 0.299 * red + 0.587 * green + 0.114 * blue;  // as JPEG's
    const auto values = x.flatten(2);                              // [B, 3, H W]
    const auto mean = values.mean(2, true);                        // [B, 3, 1]
    const auto deviation = (values - mean).square().mean(2, true).sqrt();
    const auto skewness = ((values - mean) / (deviation + 1e-3)).pow(3).mean(2);
    const auto clipped = values.eq(0).logical_or(values.eq(255)).to(at::kDouble).mean({1, 2});
    rows.push_back(at::cat({band_shares(luma), band_shares(blue - luma),
                            blockiness(luma, 1).unsqueeze(1), blockiness(luma, 2).unsqueeze(1),
                            mean.squeeze(2), deviation.squeeze(2), skewness, clipped.unsqueeze(1)},
                           1));
  });
  return to_eigen(at::cat(rows));
}

}  // namespace dermis
