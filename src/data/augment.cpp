#include "dermis/data/augment.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "dermis/core/check.hpp"
#include "dermis/core/random.hpp"

namespace dermis {
namespace {

constexpr double kPi = 3.141592653589793238463;

/// What is drawn for one image.
struct View {
  double flip, angle, scale, shift_x,
      shift_y;                              // angle in radians, shifts in units of half the side
  double brightness, contrast, saturation;  // factors
};

View draw(const AugmentOptions& options, RandomStream stream) {
  View view{};
  view.flip = stream.chance(0.5) && options.flip ? -1 : 1;
  view.angle = stream.uniform(-1, 1) * options.rotate * kPi / 180;
  view.scale = std::exp(stream.uniform() * std::log(options.scale_max / options.scale_min)) *
               options.scale_min;
  view.shift_x = 2 * stream.uniform(-1, 1) * options.shift;
  view.shift_y = 2 * stream.uniform(-1, 1) * options.shift;
  view.brightness = 1 + stream.uniform(-1, 1) * options.brightness;
  view.contrast = 1 + stream.uniform(-1, 1) * options.contrast;
  view.saturation = 1 + stream.uniform(-1, 1) * options.saturation;
  return view;
}

/// Where each output pixel looks in the input, in grid_sample's coordinates (-1..1 from edge to
/// edge).
///
/// at::affine_grid_generator multiplies matrices in batches, whose rounding may depend on the
/// batch; element-wise arithmetic cannot. Complex numbers carry x and y through it together.
at::Tensor sampling_grid(const at::Tensor& views, int64_t side, at::Device device) {
  const auto vector = [&](int64_t row_x, int64_t row_y) {
    return at::complex(views.select(1, row_x), views.select(1, row_y))
        .view({-1, 1, 1});  // [B, 1, 1]
  };
  const at::Tensor centres =
      (at::arange(side, at::TensorOptions().dtype(at::kFloat).device(device)) * 2 + (1 - side)) /
      side;
  const at::Tensor across = vector(0, 3) * centres.view({1, 1, side});               // [B, 1, S]
  const at::Tensor down = vector(1, 4) * centres.view({1, side, 1}) + vector(2, 5);  // [B, S, 1]
  return at::view_as_real(across + down);                                            // [B, S, S, 2]
}

/// ITU-R 601 luma, as in Pillow and torchvision: [B, 3, H, W] -> [B, 1, H, W].
at::Tensor grey(const at::Tensor& images) {
  return images.narrow(1, 0, 1) * 0.299 + images.narrow(1, 1, 1) * 0.587 +
         images.narrow(1, 2, 1) * 0.114;
}

}  // namespace

AugmentOptions no_augmentation() {
  return {.flip = false,
          .rotate = 0,
          .scale_min = 1,
          .scale_max = 1,
          .shift = 0,
          .brightness = 0,
          .contrast = 0,
          .saturation = 0};
}

void validate(const AugmentOptions& options) {
  check_argument(options.rotate >= 0 && options.rotate <= 180,
                 "[augment] expected rotate in [0, 180] degrees, got ", options.rotate);
  check_argument(options.scale_min > 0 && options.scale_min <= options.scale_max &&
                     std::isfinite(options.scale_max),
                 "[augment] expected 0 < scale_min <= scale_max, got ", options.scale_min, " and ",
                 options.scale_max);
  const auto share = [](const char* name, double value) {
    check_argument(value >= 0 && value <= 1, "[augment] expected ", name, " in [0, 1], got ",
                   value);
  };
  share("shift", options.shift);
  share("brightness", options.brightness);
  share("contrast", options.contrast);
  share("saturation", options.saturation);
}

at::Tensor augment(const at::Tensor& images, const AugmentOptions& options, std::uint64_t seed,
                   std::string_view purpose, std::uint64_t epoch,
                   const std::vector<int64_t>& indices) {
  validate(options);
  check_argument(images.defined() && images.dim() == 4 && images.size(1) == 3 &&
                     images.size(2) == images.size(3) && images.numel() > 0,
                 "[augment] expected images of shape [B, 3, S, S], got ",
                 images.defined() ? text(images.sizes()) : "an undefined tensor");
  check_argument(images.scalar_type() == at::kByte || images.is_floating_point(),
                 "[augment] expected uint8 or floating images, got ", images.scalar_type());
  const int64_t batch = images.size(0), side = images.size(2);
  check_argument(static_cast<int64_t>(indices.size()) == batch,
                 "[augment] expected one index an image (", batch, "), got ", indices.size());
  const c10::NoGradGuard no_grad;

  at::Tensor views = at::empty({batch, 9}, at::kFloat);
  float* row = views.data_ptr<float>();
  for (const int64_t index : indices) {
    const View view =
        draw(options, RandomStream(seed, purpose, epoch, static_cast<std::uint64_t>(index)));
    // The content is scaled, rotated, mirrored and shifted; the grid asks the inverse question,
    // where it came from.
    const double c = std::cos(view.angle) / view.scale, s = std::sin(view.angle) / view.scale;
    const double m00 = view.flip * c, m01 = view.flip * s, m10 = -s, m11 = c;
    for (const double value : {m00, m01, -(m00 * view.shift_x + m01 * view.shift_y),  //
                               m10, m11, -(m10 * view.shift_x + m11 * view.shift_y),  //
                               view.brightness, view.contrast, view.saturation}) {
      *row++ = static_cast<float>(value);
    }
  }
  views = views.to(images.device());

  constexpr int64_t kBilinear = 0, kReflection = 2;
  at::Tensor x = images.to(at::kFloat);
  if (images.scalar_type() == at::kByte) x.div_(255);  // `to` has made a copy
  x = at::grid_sampler(x, sampling_grid(views, side, images.device()), kBilinear, kReflection,
                       /*align_corners=*/false);  // [B, 3, S, S]

  const auto factor = [&](int64_t c) { return views.select(1, c).view({batch, 1, 1, 1}); };
  x.mul_(factor(6));
  const at::Tensor mean = grey(x).mean({2, 3}, /*keepdim=*/true);  // [B, 1, 1, 1]
  x.sub_(mean).mul_(factor(7)).add_(mean);
  const at::Tensor tone = grey(x);  // [B, 1, S, S]
  x.sub_(tone).mul_(factor(8)).add_(tone);
  return x.clamp_(0, 1);
}

}  // namespace dermis
