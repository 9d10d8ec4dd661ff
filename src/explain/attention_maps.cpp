#include "dermis/explain/attention_maps.hpp"

namespace dermis {

at::Tensor patch_map(const at::Tensor& attention, GridSize grid, bool mean_pooling) {
  check_argument(attention.dim() == 3 && attention.size(1) == 1 + grid.count() &&
                     attention.size(2) == 1 + grid.count(),
                 "[attention] expected attention [B, ", 1 + grid.count(), ", ", 1 + grid.count(),
                 "], got ", shape_text(attention));
  const auto rows = mean_pooling ? attention.slice(1, 1).mean(1) : attention.select(1, 0);
  return rows.slice(1, 1).reshape({-1, grid.rows, grid.columns});  // [B, rows, columns]
}

at::Tensor enlarged(const at::Tensor& maps, std::int64_t height, std::int64_t width) {
  check_argument(maps.dim() == 3 && height > 0 && width > 0,
                 "[attention] expected maps [B, h, w] and a positive size, got ", shape_text(maps),
                 ", ", height, " and ", width);
  return at::upsample_bilinear2d(maps.unsqueeze(1), {height, width}, /*align_corners=*/false)
      .squeeze(1);
}

AttentionMaps attention_maps(const Classifier& classifier, const at::Tensor& images,
                             std::int64_t batch_size) {
  check_argument(!classifier.model.is_empty(), "[attention] expected a model, got none");
  auto model = classifier.model;  // the holder's constness would reach the module
  model->eval();
  const auto& o = model->options;
  const auto to_image = [&](const at::Tensor& attention) {
    return enlarged(patch_map(attention, o.grid_size(), o.mean_pooling), o.image_size, o.width())
        .to(at::kCPU, at::kFloat);
  };
  std::vector<at::Tensor> last, rollout;
  in_batches(images.size(0), batch_size, [&](std::int64_t from, std::int64_t to) {
    const auto x =
        classifier.normalization(images.slice(0, from, to).to(model->cls_token.device()));
    const auto maps = model->forward_features(x, {.attention_maps = true}).attention_maps;
    last.push_back(to_image(maps.back().mean(1)));
    rollout.push_back(to_image(attention_rollout(maps)));
  });
  return {at::cat(last), at::cat(rollout)};
}

}  // namespace dermis
