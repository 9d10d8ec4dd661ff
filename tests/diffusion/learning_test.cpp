#include <torch/optim/adam.h>

#include "dermis/core/options.hpp"
#include "dermis/diffusion/ddim.hpp"
#include "dermis/diffusion/ddpm.hpp"
#include "dermis/diffusion/denoising_loss.hpp"
#include "dermis/diffusion/guidance.hpp"
#include "dermis/diffusion/linear_denoiser.hpp"
#include "dermis/diffusion/rectified_flow.hpp"
#include "dermis/models/unet.hpp"
#include "support.hpp"

using namespace dermis;
using dermis::test::randn;

namespace {

struct Blobs {
  at::Tensor latents, labels;  // [N, 1, 8, 8], int64 [N]
};

/// A bright or dark square in one of four corners; the class is the corner. Far from Gaussian: the
/// mean of each class is zero, so that only its covariance tells classes apart.
Blobs make_blobs(std::int64_t count, std::uint64_t seed) {
  auto draws = test::generator(seed);
  const auto labels = torch::randint(0, 4, {count}, draws, torch::kLong);
  const auto signs = torch::randint(0, 2, {count}, draws) * 2 - 1;
  auto latents = 0.05 * torch::randn({count, 1, 8, 8}, draws);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto corner = labels[i].item<std::int64_t>();
    const auto row = corner / 2 * 4, column = corner % 2 * 4;
    latents[i][0]
        .slice(0, row, row + 4)
        .slice(1, column, column + 4)
        .add_(2.0 * signs[i].item<double>());
  }
  return {latents, labels};
}

template <class Process>
UNet trained_on(const Process& process, const Blobs& data, int steps) {
  UNet unet(UNetOptions{.in_channels = 1,
                        .out_channels = 1,
                        .channels = {16, 32},
                        .layers_per_block = 1,
                        .attention = {0, 0},
                        .head_dim = 16,
                        .num_classes = 4,
                        .norm_groups = 4},
            ParameterOptions{.generator = test::generator(1)});
  torch::optim::Adam optimizer(unet->parameters(), torch::optim::AdamOptions(4e-3));
  auto draws = test::generator(2);
  for (int i = 0; i < steps; ++i) {
    const auto pick = torch::randint(0, data.labels.size(0), {32}, draws, torch::kLong);
    const auto x0 = data.latents.index_select(0, pick);
    const auto labels = drop_labels(data.labels.index_select(0, pick), unet->null_class(),
                                    torch::rand({32}, draws), 0.1);
    const auto batch = process.corrupt(x0, torch::randn(x0.sizes(), draws),
                                       process.times(torch::rand({32}, draws)));
    optimizer.zero_grad();
    (unet->forward(batch.x, batch.time, labels) - batch.target).square().mean().backward();
    optimizer.step();
  }
  unet->eval();
  return unet;
}

/// Share of samples whose largest mean square is in the corner of their label.
double right_corner(const at::Tensor& samples, const at::Tensor& labels) {
  const auto energy = torch::avg_pool2d(samples, 4).square().flatten(1);  // [N, 4]
  return energy.argmax(1).eq(labels).to(torch::kFloat).mean().item<double>();
}

template <class Process>
UNet check_learns(const Process& process, int steps) {
  const auto training = make_blobs(512, 11), held_out = make_blobs(64, 12);
  auto unet = trained_on(process, training, steps);
  const auto times = time_grid(process, 8);
  const auto noise = randn({8, 64, 1, 8, 8}, 13);
  const auto loss = [&](const ConditionalDenoiser& model, const at::Tensor& labels) {
    return denoising_loss(process, model, held_out.latents, labels, times, noise)
        .mean()
        .template item<double>();
  };
  const double with_labels = loss(denoiser_of(unet), held_out.labels);
  const double wrong_labels = loss(denoiser_of(unet), (held_out.labels + 1) % 4);
  const double linear = loss(ignore_labels(LinearDenoiser(training.latents).denoiser(process)), {});
  INFO("unet " << with_labels << ", wrong labels " << wrong_labels << ", linear " << linear);
  CHECK(with_labels < 0.9 * linear);
  CHECK(with_labels < 0.9 * wrong_labels);
  return unet;
}

}  // namespace

TEST_CASE("learning: a UNet beats the linear denoiser and wrong labels, then draws what is asked") {
  const DiffusionProcess process(ldm_schedule());
  auto unet = check_learns(process, 180);
  const auto labels = torch::arange(32, torch::kLong) % 4;
  const auto samples = DDIM(process, {.steps = 20})
                           .sample(guided(denoiser_of(unet), labels, unet->null_class(), 2.0),
                                   randn({32, 1, 8, 8}, 21));
  CHECK(right_corner(samples, labels) > 0.5);  // chance 0.25
}

TEST_CASE("learning: the same network learns a rectified flow") {
  const RectifiedFlow flow;
  auto unet = check_learns(flow, 150);
  const auto labels = torch::arange(32, torch::kLong) % 4;
  const auto samples = flow.sample(guided(denoiser_of(unet), labels, unet->null_class(), 2.0),
                                   randn({32, 1, 8, 8}, 21), 20);
  CHECK(right_corner(samples, labels) > 0.5);
}

TEST_CASE("learning: options of models and processes survive JSON") {
  const auto round_trip = [](const auto& options) {
    const auto json = options_to_json(options);
    std::decay_t<decltype(options)> read;
    options_from_json(read, Json::parse(json.dump(), "test"), "test");
    CHECK(options_to_json(read) == json);
    return json;
  };
  CHECK(round_trip(ldm_schedule()).at("betas").template get<std::string>() == "scaled_linear");
  round_trip(ldm_cin256());
  round_trip(DDPMOptions{.steps = 20, .variance = Variance::LearnedRange});
  CHECK(round_trip(DDIMOptions{.eta = 0.5, .spacing = Spacing::LDM})
            .at("spacing")
            .template get<std::string>() == "ldm");
  round_trip(RectifiedFlowOptions{.density = TimeDensity::Uniform, .shift = 3});
}
