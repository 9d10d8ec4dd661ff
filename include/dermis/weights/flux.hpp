#pragma once
/// \file
/// Flux in files: black-forest-labs' (names that are ours) and diffusers' FluxTransformer2DModel,
/// both ways.

#include <filesystem>

#include "dermis/models/flux.hpp"
#include "dermis/weights/row_map.hpp"

namespace dermis {

/// Options of a Flux from `params` of black-forest-labs' code (in_channels, vec_in_dim, ...).
FluxOptions flux_options_from_bfl(const Json& params);
/// Options from a config.json of diffusers.
/// \throws std::runtime_error naming the key whose value a Flux cannot express
FluxOptions flux_options_from_diffusers(const Json& config);
/// The config.json of a Flux; std::invalid_argument if FluxTransformer2DModel has no such model.
Json flux_options_to_diffusers(const FluxOptions& options);
/// Options from tensors under either library's names. What is in no tensor is FLUX.1's: theta, and
/// the axes of heads of 128 channels, 1 : 3.5 : 3.5 also for other widths where it comes out even.
/// \throws std::runtime_error naming `source` and a tensor that is missing, or the width
FluxOptions flux_options_from_tensors(const StateDict& tensors, const std::string& source);

/// Which layers of diffusers' transformer are which rows of ours.
RowMap diffusers_flux_layers(const FluxOptions& options);
/// Tensors of diffusers under our names: query, key, value (and the perceptron's first half of a
/// single block) become one layer; the last modulation's halves change places. `tensors` may be
/// some of a model's.
StateDict flux_from_diffusers(const StateDict& tensors, const FluxOptions& options,
                              const std::string& source = "weights");
/// The state dict of a Flux under diffusers' names.
StateDict flux_to_diffusers(const StateDict& tensors, const FluxOptions& options);
/// Whether these are diffusers' names.
bool is_diffusers_flux(const StateDict& tensors);

/// A Flux from one file or shards of black-forest-labs or diffusers (recognised by the names), or a
/// folder of diffusers: with config.json, or a pipeline's with the sub-folder "transformer".
/// \param parameters  where and in which type; values are converted as they are copied
/// \throws std::runtime_error naming the file and what is missing, unexpected or of another shape
Flux load_flux(const std::filesystem::path& path, const ParameterOptions& parameters = {},
               const std::optional<FluxOptions>& options = {});
/// Writes a folder that FluxTransformer2DModel.from_pretrained reads, creating it.
void save_diffusers_flux(const std::filesystem::path& folder, const Flux& flux);

namespace detail {
/// What load_flux reads: mapped tensors and the options they are for.
struct FluxFile {
  StateDict tensors;
  FluxOptions options;
};
FluxFile map_flux(const std::filesystem::path& path, const std::optional<FluxOptions>& options);
}  // namespace detail

}  // namespace dermis
