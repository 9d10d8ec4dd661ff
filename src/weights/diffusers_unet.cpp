#include "dermis/weights/diffusers_unet.hpp"

#include "diffusers_files.hpp"

namespace dermis {

namespace {

const std::string class_embedder_name = "class_embedder.weight";

std::filesystem::path class_embedder_file(const std::filesystem::path& folder) {
  return folder / "class_embedder.safetensors";
}

}  // namespace

StateDict unet_from_diffusers(const StateDict& tensors, const at::Tensor& class_embedder) {
  auto result = detail::with_present_attention(tensors);
  if (class_embedder.defined()) result.emplace_back(class_embedder_name, class_embedder);
  return result;
}

StateDict unet_to_diffusers(const StateDict& tensors) {
  StateDict result;
  for (const auto& entry : tensors)
    if (entry.first != class_embedder_name) result.push_back(entry);
  return result;
}

UNet load_diffusers_unet(const std::filesystem::path& given) {
  const auto folder = detail::diffusers_part(given, "unet");
  const auto config =
      detail::read_diffusers_config(folder, {"UNet2DModel", "UNet2DConditionModel"});
  const auto table_path = class_embedder_file(folder);
  at::Tensor table;
  if (std::filesystem::exists(table_path)) {
    const auto tensors = read_tensors(table_path).tensors;
    check_runtime(tensors.size() == 1 && tensors[0].first == "weight" &&
                      tensors[0].second.dim() == 2 && tensors[0].second.size(0) >= 2,
                  "[diffusers] ", table_path.string(),
                  ": expected one tensor 'weight' of shape [classes, width]");
    table = tensors[0].second;
  }
  auto unet = detail::naming(folder / "config.json", [&] {
    auto options = unet_options_from_diffusers(config);
    if (table.defined()) {
      options.class_token = true;
      options.num_classes = table.size(0) - 1;
    }
    return UNet(options, ParameterOptions{.init = false});
  });
  load_state_dict(*unet, unet_from_diffusers(read_tensors(folder).tensors, table), folder.string());
  return unet;
}

void save_diffusers_unet(const std::filesystem::path& folder, const UNet& unet) {
  detail::write_diffusers_folder(folder, unet_options_to_diffusers(unet->options),
                                 unet_to_diffusers(state_dict(*unet)));
  // A table left from another network would be taken for this one's.
  std::filesystem::remove(class_embedder_file(folder));
  if (!unet->class_embedder.is_empty())
    write_tensors(class_embedder_file(folder), {{"weight", unet->class_embedder->weight}});
}

}  // namespace dermis
