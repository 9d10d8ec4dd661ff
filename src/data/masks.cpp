#include "dermis/data/masks.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <unordered_map>

#include "dermis/core/check.hpp"
#include "image_index.hpp"

namespace dermis {
namespace {

/// uint8 [S, S], 1 where the image is light.
at::Tensor light(const Image& image) {
  return to_tensor(image)[1].ge(128).to(at::kByte);
}

/// Throws std::runtime_error unless a mask may lie on an image of the sample's size. Both may have
/// been reduced and rounded; an unknown size (0) fits.
void check_proportions(const Image& mask, const Sample& sample, const std::string& path) {
  const auto width = static_cast<double>(sample.original_width),
             height = static_cast<double>(sample.original_height);
  const double difference =
      std::abs(static_cast<double>(mask.width) * height - static_cast<double>(mask.height) * width);
  check_runtime(difference <= 0.01 * static_cast<double>(mask.height) * width, "[masks] ", path,
                ": expected the proportions of its image, ", sample.original_width, " x ",
                sample.original_height, ", got ", mask.width, " x ", mask.height);
}

}  // namespace

MaskedSet MaskedSet::subset(const std::vector<std::int64_t>& indices) const {
  return {set.subset(indices), masks.index_select(0, at::tensor(indices, at::kLong)), without_mask};
}

MaskedSet with_phantom_masks(const Phantom& phantom, PhantomPart part, const PixelSet& set) {
  std::unordered_map<std::string, std::int64_t> places;
  for (const auto& sample : phantom.samples(part))
    places.emplace(sample.id, static_cast<std::int64_t>(places.size()));
  std::vector<at::Tensor> masks;
  for (const auto& sample : set.samples) {
    const auto found = places.find(sample.id);
    check_argument(found != places.end(), "[masks] expected images of this part of the phantom, '",
                   sample.id, "' is none");
    masks.push_back(light(phantom.mask(part, found->second, set.images.size(2))));
  }
  return {set, masks.empty() ? at::empty({0, 0, 0}, at::kByte) : at::stack(masks), 0};
}

MaskedSet with_masks(const std::filesystem::path& folder, const PixelSet& set, Fit fit) {
  check_argument(!set.preprocessing.crop_border,
                 "[masks] expected images whose borders were not cropped off: masks do not know "
                 "where the crop was");
  const detail::ImageIndex index(folder);
  const auto find = [&](const std::string& id) {
    const auto segmentation = index.find(id + "_segmentation", folder.string());
    return segmentation ? segmentation : index.find(id, folder.string());
  };
  const SquareOptions square{.fit = fit, .filter = Filter::Box};
  std::vector<at::Tensor> masks;
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const auto& sample = set.samples[static_cast<std::size_t>(i)];
    const auto place = find(sample.id);
    if (!place) continue;
    const auto& path = index.paths()[*place];
    const Image image = read_image(path);
    check_proportions(image, sample, path.string());
    const auto mask = light(squared(image, set.images.size(2), square));
    if (const auto inside = mask.sum().item<std::int64_t>(); inside == 0 || inside == mask.numel())
      continue;
    masks.push_back(mask);
    rows.push_back(i);
  }
  check_runtime(!rows.empty(), "[masks] ", folder.string(),
                ": expected NAME.png or NAME_segmentation.png of an image, found none for ",
                set.size(), " images");
  return {set.subset(rows), at::stack(masks), set.size() - static_cast<std::int64_t>(rows.size())};
}

}  // namespace dermis
