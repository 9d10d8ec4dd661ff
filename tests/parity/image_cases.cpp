/// \file
/// Resizing and crops (12a), decoding (12b), colour constancy (12c).

#include <limits>

#include "case.hpp"
#include "dermis/core/file.hpp"
#include "dermis/data/pixels.hpp"
#include "dermis/io/dermoscopy.hpp"
#include "dermis/io/image.hpp"
#include "dermis/io/resize.hpp"

namespace dermis::parity {
namespace {

Image image(const at::Tensor& pixels) {  // uint8 [H, W, 3]
  const auto values = pixels.contiguous();
  Image result = make_image(values.size(1), values.size(0));
  std::copy_n(values.data_ptr<std::uint8_t>(), result.rgb.size(), result.rgb.begin());
  return result;
}

at::Tensor rows(const Image& image) {  // uint8 [H, W, 3]
  return torch::tensor(image.rgb, torch::kUInt8).view({image.height, image.width, 3});
}

at::Tensor floats(const std::array<double, 3>& values) {
  return torch::tensor(std::vector<double>(values.begin(), values.end()), torch::kDouble);
}

/// Pillow's numbers for filters.
Filter pillow_filter(std::int64_t number) {
  const std::vector<Filter> filters{Filter::Nearest, Filter::Lanczos, Filter::Bilinear,
                                    Filter::Bicubic, Filter::Box};
  check_runtime(number >= 0 && number < static_cast<std::int64_t>(filters.size()),
                "[parity] unknown filter ", number);
  return filters[static_cast<std::size_t>(number)];
}

StateDict geometry(const Case& c) {
  const auto img = image(at(c.inputs(), "img"));
  const auto pillow = [](const Image& of, const Box& box, std::int64_t height, std::int64_t width,
                         Filter filter) {
    return resize_box(of, box, width, height, filter, PassOrder::Pillow13);
  };
  const Box whole{0, 0, img.width, img.height};
  const auto pixels = to_tensor(img);
  StateDict out;
  for (const auto& size : c.config.at("sizes").elements()) {
    const auto hw = size.get<std::vector<std::int64_t>>();
    const auto suffix = text("_", hw.at(0), "x", hw.at(1));
    for (const auto& [name, filter] : std::map<std::string, Filter>{{"nearest", Filter::Nearest},
                                                                    {"box", Filter::Box},
                                                                    {"bilinear", Filter::Bilinear},
                                                                    {"bicubic", Filter::Bicubic},
                                                                    {"lanczos", Filter::Lanczos}})
      out.emplace_back("pil_" + name + suffix, rows(pillow(img, whole, hw[0], hw[1], filter)));
    for (const auto& [name, filter] : std::map<std::string, Filter>{{"bilinear", Filter::Bilinear},
                                                                    {"bicubic", Filter::Bicubic}}) {
      const auto f = pixels.to(torch::kFloat);
      out.emplace_back("torch_" + name + suffix, resize(f, hw[0], hw[1], filter));
      out.emplace_back("torch_noaa_" + name + suffix, resize(f, hw[0], hw[1], filter, false));
      out.emplace_back("torch_u8_" + name + suffix, resize(pixels, hw[0], hw[1], filter));
    }
  }
  const auto crop_hw = c.config.at("crop").get<std::vector<std::int64_t>>();
  out.emplace_back("crop_tv",
                   rows(center_crop(img, crop_hw.at(1), crop_hw.at(0), CropRounding::HalfToEven)));
  out.emplace_back("crop_hf", to_tensor(center_crop(img, crop_hw.at(1), crop_hw.at(0))));

  const auto part = c.config.at("rrc").get<std::vector<std::int64_t>>();  // top, left, h, w
  const auto to = c.config.at("rrc_out").get<std::vector<std::int64_t>>();
  const Box box{part.at(1), part.at(0), part.at(3), part.at(2)};
  const auto cropped = crop(img, box.x, box.y, box.width, box.height);
  out.emplace_back("rrc_crop_resize", rows(pillow(cropped, {0, 0, box.width, box.height}, to.at(0),
                                                  to.at(1), Filter::Bicubic)));
  out.emplace_back("rrc_box_resize", rows(pillow(img, box, to.at(0), to.at(1), Filter::Bicubic)));
  out.emplace_back("rrc_torch", resize(to_tensor(cropped).to(torch::kFloat), to.at(0), to.at(1),
                                       Filter::Bilinear));

  const auto& processor = c.config.at("vit_processor");
  const auto& size = processor.at("size");
  const auto small = pillow(img, whole, size.at("height").get<std::int64_t>(),
                            size.at("width").get<std::int64_t>(),
                            pillow_filter(processor.at("resample").get<std::int64_t>()));
  out.emplace_back(
      "vit_pixel_values",
      Normalization{processor.at("image_mean").get<std::vector<double>>(),
                    processor.at("image_std").get<std::vector<double>>()}(to_tensor(small)));

  out.emplace_back("hflip", rows(detail::apply_orientation(img, 2)));
  out.emplace_back("vflip", rows(detail::apply_orientation(img, 4)));
  out.emplace_back("rot90", rows(detail::apply_orientation(img, 8)));
  return out;
}

StateDict files(const Case& c) {
  StateDict out;
  for (const auto& [name, about] : c.config.at("files").items()) {
    const auto bytes = read_file(c.directory / name);
    const auto mode = about.at("mode").get<std::string>();
    const auto stored = decode_image(bytes, name, {.upright = false});
    out.emplace_back(name + ".size",
                     torch::tensor(std::vector<std::int64_t>{stored.width, stored.height}));
    const bool gray16 = mode.rfind("I", 0) == 0;  // Pillow's I and I;16
    if (gray16 || mode == "CMYK") {
      const auto samples = decode_samples(bytes, name);
      const std::vector<std::int32_t> values(samples.values.begin(), samples.values.end());
      const auto tensor = torch::tensor(values, torch::kInt32);
      if (gray16)
        out.emplace_back(name + ".gray16", tensor.view({samples.height, samples.width}));
      else
        out.emplace_back(name + ".cmyk",
                         tensor.view({samples.height, samples.width, 4}).to(torch::kUInt8));
    }
    if (gray16) continue;
    out.emplace_back(name + ".rgb", rows(stored));
    if (name.rfind("exif", 0) == 0)
      out.emplace_back(name + ".upright", rows(decode_image(bytes, name)));
  }
  return out;
}

StateDict colours(const Case& c) {
  const auto img = image(at(c.inputs(), "img"));
  const ColourConstancyOptions options{.p = c.config.at("p").get<double>()};
  const auto light = illuminant(img, options);
  StateDict out;
  out.emplace_back("illuminant", floats(light));
  out.emplace_back("gains", floats(colour_gains(light)));
  out.emplace_back("sog_float", torch::tensor(colour_constant_values(img, options), torch::kDouble)
                                    .view({img.height, img.width, 3}));
  out.emplace_back("sog_u8", rows(colour_constancy(img, {.p = options.p, .truncate = true})));
  out.emplace_back("sog_u8_round", rows(colour_constancy(img, options)));
  out.emplace_back("gray_world", floats(illuminant(img, {.p = 1})));
  out.emplace_back("max_rgb",
                   floats(illuminant(img, {.p = std::numeric_limits<double>::infinity()})));
  out.emplace_back(
      "illuminant_gamma",
      floats(illuminant(img, {.p = options.p, .gamma = c.config.value("gamma", 2.2)})));
  return out;
}

const Register a{"12a", geometry}, b{"12b", files}, c{"12c", colours};

}  // namespace
}  // namespace dermis::parity
