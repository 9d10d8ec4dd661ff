#pragma once
/// \file
/// A Flux larger than memory: its blocks are read from disk one after the other in every forward.

#include <filesystem>
#include <optional>
#include <string>

#include "dermis/weights/flux.hpp"
#include "dermis/weights/lora.hpp"

namespace dermis {

/// Flux's forward with two blocks' weights in memory at most: one in use, one's pages of the file.
/// What is not in a block (embeddings, last layer) stays. Gives what load_flux would, bit for bit;
/// each forward reads the whole file, from the page cache if it fits there.
///
///     StreamedFlux flux("flux1-dev.safetensors", {.dtype = at::kBFloat16});
///     auto latents = sample_flux([&](const FluxInput& in) { return flux.forward(in); },
///                                flux.options().guidance, prompt, noise);
class StreamedFlux {
 public:
  /// \param path        as load_flux, of black-forest-labs or diffusers
  /// \param parameters  device and type of the computation; values are converted as they are read
  /// \throws std::runtime_error as load_flux; everything is checked here, not at the first forward
  explicit StreamedFlux(const std::filesystem::path& path, const ParameterOptions& parameters = {},
                        const std::optional<FluxOptions>& options = {});

  /// As Flux's, without gradients.
  at::Tensor forward(const FluxInput& input);

  /// Adapts every block as it comes, as apply_lora does a whole Flux; names of diffusers are known.
  /// A second adapter takes the place of the first.
  LoraReport set_lora(const LoraAdapter& adapter, const std::string& source);

  const FluxOptions& options() const { return options_; }

 private:
  template <class Block>
  Block block(const std::string& name) const;

  std::filesystem::path path_;
  ParameterOptions parameters_;
  FluxOptions options_;
  Flux stem_ = nullptr;       // without blocks
  LoraAdapter adapter_ = {};  // of layers of blocks, by our names
};

}  // namespace dermis
