#include "dermis/audit/features.hpp"

#include <torch/types.h>

#include <catch2/catch.hpp>

#include "dermis/models/mae.hpp"
#include "sets.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

namespace {

Classifier untrained() {
  auto options = small;
  options.image_size = 16;
  options.num_classes = 2;
  return {ViT(options, first_weights(quiet(), "features")), {}, {"plain", "striped"}};
}

/// uint8 [1, 3, 24, 32], the same image as in numpy.
at::Tensor known_image() {
  auto image = torch::empty({1, 3, 24, 32}, torch::kByte);
  for (int c = 0; c < 3; ++c)
    for (int i = 0; i < 24; ++i)
      for (int j = 0; j < 32; ++j)
        image[0][c][i][j] = static_cast<std::uint8_t>(std::clamp(
            std::floor(127 + 100 * std::sin(0.9 * i + 0.4 * j + c) + 5 * ((i * 7 + j * 3) % 5)),
            0.0, 255.0));
  return image;
}

at::Tensor compressed(const at::Tensor& images, int quality) {
  std::vector<at::Tensor> all;
  for (std::int64_t i = 0; i < images.size(0); ++i)
    all.push_back(to_tensor(decode_image(encode_jpeg(to_image(images[i]), quality), "test")));
  return at::stack(all);
}

}  // namespace

TEST_CASE("features: a classifier's are what its head sees") {
  const auto classifier = untrained();
  const auto images = striped(6, 1).images;
  CHECK(classifier_features(classifier)(images) == encoder_features(classifier, images));
}

TEST_CASE("features: of a masked autoencoder with every patch visible, the mean of the patches") {
  MAE mae(
      MAEOptions{.encoder = {.image_size = 16, .patch_size = 4, .dim = 32, .depth = 2, .heads = 2},
                 .decoder_dim = 32,
                 .decoder_depth = 1,
                 .decoder_heads = 2},
      first_weights(quiet(), "mae"));
  mae->eval();
  {
    const torch::NoGradGuard no_grad;
    mae->norm->weight.fill_(1.5);  // a norm that was not copied would show
  }
  const Normalization normalization{{0.4, 0.5, 0.6}, {0.2, 0.2, 0.2}};
  const auto features = patch_features({mae.ptr(), mae->options.encoder, normalization});
  const auto images = striped(5, 2).images;
  const torch::NoGradGuard no_grad;
  const auto all = torch::arange(16, torch::kLong).expand({5, 16});
  const auto expected = to_eigen(mae->encode(normalization(images), all).slice(1, 1).mean(1));
  CHECK((features(images) - expected).cwiseAbs().maxCoeff() < 1e-5);
  CHECK_THROWS_WITH(patch_features({}), "[features] expected an encoder, got none");
}

TEST_CASE("features: an encoder that pools by the mean serves as well") {
  const auto classifier = untrained();
  const auto images = striped(4, 3).images;
  const auto features = patch_features(classifier.encoder())(images);
  REQUIRE(features.rows() == 4);
  REQUIRE(features.cols() == 32);
  // Every token went through a plain layer norm, so that tokens have mean 0.
  CHECK(features.rowwise().mean().cwiseAbs().maxCoeff() < 1e-5);
  CHECK(features.cwiseAbs().maxCoeff() > 0.1);
}

TEST_CASE("features: standardised by a reference") {
  const auto reference = striped(40, 1).images;
  const auto with_constant = [](const at::Tensor& images) {
    Eigen::MatrixXd x(images.size(0), 13);
    x << quarters(images), Eigen::VectorXd::Constant(images.size(0), 0.3);
    return x;
  };
  const auto features = standardised(with_constant, reference);
  const Eigen::MatrixXd x = features(reference);
  CHECK(x.colwise().mean().cwiseAbs().maxCoeff() < 1e-9);
  CHECK(((x.leftCols(12).colwise().squaredNorm() / 40).array() - 1).abs().maxCoeff() < 1e-9);
  CHECK(x.col(12).cwiseAbs().maxCoeff() == 0);
  // Another set is scaled by the reference, not by itself.
  const auto brighter = (reference + 20).to(torch::kByte);
  CHECK(features(brighter).leftCols(12).mean() > 0.5);
  CHECK_THROWS_WITH(standardised(quarters, reference.slice(0, 0, 1)),
                    "[features] expected at least 2 images to standardise by, got 1");
}

TEST_CASE("features: codec statistics agree with numpy") {
  const std::vector<double> expected = {-3.46236722,    -0.584732363,   -0.99957653,    -3.13834922,
                                        -3.4748644,     -0.575120798,   -0.987570384,   -3.38385393,
                                        -0.0126035732,  -0.00922028095, 136.635417,     136.684896,
                                        136.5625,       71.0516603,     71.0311491,     70.9723116,
                                        -0.00238322961, -0.00432735859, -0.00113537131, 0};
  const auto features = codec_features(known_image());
  REQUIRE(features.rows() == 1);
  REQUIRE(features.cols() == 20);
  for (int d = 0; d < 20; ++d) CHECK(features(0, d) == Approx(expected[d]).epsilon(1e-6));
  const auto flat = codec_features(torch::full({2, 3, 16, 16}, 255, torch::kByte));
  CHECK(flat.allFinite());
  CHECK(flat(1, 19) == 1);  // clipped
}

TEST_CASE("features: JPEG leaves blocks and takes fine detail") {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{5});
  const auto noise = torch::rand({8, 3, 64, 64}, generator) * 80 + 90;
  const auto images = torch::avg_pool2d(noise, 3, 1, 1).to(torch::kByte);
  const auto before = codec_features(images), coarse = codec_features(compressed(images, 20)),
             fine = codec_features(compressed(images, 90));
  CHECK((coarse.col(8) - before.col(8)).minCoeff() > 0.1);  // blocks along rows
  CHECK((coarse.col(9) - before.col(9)).minCoeff() > 0.1);  // and columns
  CHECK((fine.col(7) - before.col(7)).maxCoeff() < -0.3);   // chroma of half the resolution
}

TEST_CASE("features: codec statistics refuse other images") {
  CHECK_NOTHROW(codec_features(torch::zeros({1, 3, 16, 16}, torch::kByte)));
  CHECK_THROWS_WITH(codec_features(torch::zeros({1, 3, 15, 16}, torch::kByte)),
                    Contains("at least 16 pixels a side, got Byte [1, 3, 15, 16]"));
  CHECK_THROWS_WITH(codec_features(torch::zeros({1, 3, 16, 16})), Contains("got Float"));
}
