#include "dermis/data/recipes.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "dermis/core/check.hpp"
#include "recipe_views.hpp"

namespace dermis {

std::string name(Recipe recipe) {
  return recipe == Recipe::Lesion ? "lesion" : recipe == Recipe::Mae ? "mae" : "skindistilvit";
}

void from_name(Recipe& recipe, const std::string& text) {
  for (const auto candidate : {Recipe::Lesion, Recipe::Mae, Recipe::SkinDistilViT}) {
    if (name(candidate) != text) continue;
    recipe = candidate;
    return;
  }
  check_argument(false, "[augment] expected a recipe lesion, mae or skindistilvit, got ", text);
}

at::Tensor augment(const at::Tensor& images, const RecipeOptions& options, std::uint64_t seed,
                   std::string_view purpose, std::uint64_t epoch,
                   const std::vector<int64_t>& indices) {
  check_argument(
      images.defined() && images.scalar_type() == at::kByte && images.dim() == 4 &&
          images.size(1) == 3 && images.size(2) == images.size(3) && images.numel() > 0,
      "[augment] expected uint8 images of shape [B, 3, S, S], got ",
      images.defined() ? text(images.scalar_type(), " ", images.sizes()) : "an undefined tensor");
  check_argument(static_cast<int64_t>(indices.size()) == images.size(0),
                 "[augment] expected one index an image (", images.size(0), "), got ",
                 indices.size());
  if (options.recipe == Recipe::Lesion)
    return augment(images, options.lesion, seed, purpose, epoch, indices);

  const Normalization& normalization = options.normalization;
  check_argument(normalization.mean.size() == 3 && normalization.std.size() == 3 &&
                     std::all_of(normalization.std.begin(), normalization.std.end(),
                                 [](double s) { return s > 0; }),
                 "[augment] expected a normalization of 3 means and 3 deviations above 0");
  const c10::NoGradGuard no_grad;
  at::Tensor views = at::empty(images.sizes(), at::kFloat);  // [B, 3, S, S]
  for (int64_t i = 0; i < images.size(0); ++i) {
    const Image image = to_image(images[i]);
    const RandomStream stream(seed, purpose, epoch,
                              static_cast<std::uint64_t>(indices[static_cast<std::size_t>(i)]));
    float* out = views[i].data_ptr<float>();
    if (options.recipe == Recipe::Mae)
      detail::mae_view(image, normalization, stream, out);
    else
      detail::skindistilvit_view(image, stream, out);
  }
  return views.to(images.device());
}

}  // namespace dermis
