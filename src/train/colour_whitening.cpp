#include "dermis/train/colour_whitening.hpp"

#include "dermis/layers/autocast.hpp"

namespace dermis {

namespace {
constexpr double smallest_share = 1e-4;  // of the largest mean square, see colour_whitening
}

ColourWhitening colour_whitening(const at::Tensor& images) {
  check_argument(images.dim() == 4 && images.size(1) == 3 && images.numel() > 0,
                 "[colour_whitening] expected images [N, 3, S, S], got ", shape_text(images));
  auto moments = at::zeros({3, 3}, at::kDouble);
  for (const auto& part : images.split(256)) {
    const auto pixels =
        part.to(at::kDouble).div(127.5).sub(1).transpose(0, 1).flatten(1);  // [3, P]
    moments += pixels.matmul(pixels.t());
  }
  const auto [squares, directions] = at::linalg_eigh(moments);
  const auto largest = squares.max();
  const auto gains = (squares / largest).clamp_min(smallest_share).rsqrt();
  const auto along = [&](const at::Tensor& factors) {
    return directions.matmul(factors.diag()).matmul(directions.t()).to(at::kFloat);
  };
  return {along(gains), along(gains.reciprocal())};
}

at::Tensor recoloured(const at::Tensor& images, const at::Tensor& matrix) {
  const Autocast full_precision(false, images.device().type());  // gains magnify what is rounded
  return at::conv2d(images, matrix.to(images.options()).view({3, 3, 1, 1}));
}

void absorb(KLVAE& autoencoder, const ColourWhitening& whitening) {
  const torch::NoGradGuard no_grad;
  auto& first = autoencoder->encoder->conv_in;
  auto& last = autoencoder->decoder->conv_out;
  const auto forward = whitening.forward.to(first->weight.options());
  const auto inverse = whitening.inverse.to(last->weight.options());
  first->weight.copy_(at::einsum("oikl,ij->ojkl", {first->weight, forward}));
  last->weight.copy_(at::einsum("ij,jckl->ickl", {inverse, last->weight}));
  last->bias.copy_(inverse.matmul(last->bias));
}

}  // namespace dermis
