#include "dermis/weights/streamed_flux.hpp"

#include "dermis/core/check.hpp"

namespace dermis {
namespace {

/// Our names of the tensors whose names begin with `prefix`. Only these are read.
StateDict ours_of(const detail::FluxFile& file, const std::string& prefix,
                  const std::string& theirs, const std::string& source) {
  StateDict some;
  const bool diffusers = is_diffusers_flux(file.tensors);
  const auto& wanted = diffusers ? theirs : prefix;
  for (const auto& entry : file.tensors)
    if (entry.first.rfind(wanted, 0) == 0) some.push_back(entry);
  return diffusers ? flux_from_diffusers(some, file.options, source) : some;
}

/// "double_blocks.3." is "transformer_blocks.3." with diffusers.
std::string diffusers_name(const std::string& ours) {
  const auto dot = ours.find('.');
  return (ours.rfind("double_", 0) == 0 ? "transformer_blocks" : "single_transformer_blocks") +
         ours.substr(dot);
}

bool in_block(const std::string& name) {
  return name.find("_blocks.") != std::string::npos;
}

}  // namespace

StreamedFlux::StreamedFlux(const std::filesystem::path& path, const ParameterOptions& parameters,
                           const std::optional<FluxOptions>& options)
    : path_(path), parameters_(parameters) {
  const auto file = detail::map_flux(path, options);
  const auto source = path.string();
  options_ = file.options;
  parameters_.init = false;
  const bool diffusers = is_diffusers_flux(file.tensors);
  // Copying to the meta device checks names and shapes, and reads nothing.
  const Flux whole(options_, ParameterOptions{.device = at::kMeta});
  const auto expected = state_dict(*whole);
  copy_tensors(diffusers ? flux_to_diffusers(expected, options_) : expected, file.tensors, source);

  auto without_blocks = options_;
  without_blocks.double_blocks = without_blocks.single_blocks = 0;
  stem_ = Flux(without_blocks, parameters_);
  StateDict rest;
  for (const auto& entry : file.tensors)
    if (!in_block(entry.first)) rest.push_back(entry);
  load_state_dict(*stem_, diffusers ? flux_from_diffusers(rest, without_blocks, source) : rest,
                  source);
}

LoraReport StreamedFlux::set_lora(const LoraAdapter& adapter, const std::string& source) {
  Flux whole(options_, ParameterOptions{.device = at::kMeta});
  LoraReport report;
  const auto ours = lora_for(*whole, adapter, source, diffusers_flux_layers(options_), &report);
  for (const auto& layer : ours.layers)
    check_runtime(in_block(layer.layer), "[streamed_flux] ", source,
                  ": expected an adapter of blocks alone, got one of '", layer.layer, "'");
  adapter_ = ours;
  return report;
}

template <class Block>
Block StreamedFlux::block(const std::string& name) const {
  Block block(options_, parameters_);
  {
    // Mapped anew for each block: when the mapping goes, so do its pages.
    const auto file = detail::map_flux(path_, options_);
    const auto tensors = ours_of(file, name + ".", diffusers_name(name) + ".", path_.string());
    load_state_dict(*block, without_prefix(tensors, name + "."), path_.string() + ": " + name);
  }
  LoraAdapter adapter;
  for (auto layer : adapter_.layers)
    if (layer.layer.rfind(name + ".", 0) == 0) {
      layer.layer = layer.layer.substr(name.size() + 1);
      adapter.layers.push_back(std::move(layer));
    }
  if (!adapter.layers.empty()) apply_lora(*block, adapter, name);
  return block;
}

at::Tensor StreamedFlux::forward(const FluxInput& input) {
  const at::NoGradGuard no_grad;
  auto state = stem_->embed(input);
  for (std::int64_t i = 0; i < options_.double_blocks; ++i)
    state.x = block<FluxDoubleBlock>(text("double_blocks.", i))
                  ->forward(state.x, state.vector, state.rotation, state.text_tokens);
  for (std::int64_t i = 0; i < options_.single_blocks; ++i)
    state.x = block<FluxSingleBlock>(text("single_blocks.", i))
                  ->forward(state.x, state.vector, state.rotation);
  return stem_->finish(state).to(input.image.scalar_type());
}

}  // namespace dermis
