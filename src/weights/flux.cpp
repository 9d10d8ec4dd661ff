#include "dermis/weights/flux.hpp"

#include <algorithm>
#include <unordered_map>

#include "config_keys.hpp"
#include "diffusers_files.hpp"

namespace dermis {
namespace {

/// A layer that is the same on both sides but for its name.
void add(RowMap& map, const std::string& theirs, const std::string& ours, std::int64_t rows) {
  map.push_back({theirs, 0, ours, 0, rows});
}

/// Layers of diffusers that lie one below the other in one of ours.
void add_stack(RowMap& map, const std::vector<std::pair<std::string, std::int64_t>>& theirs,
               const std::string& ours) {
  std::int64_t first = 0;
  for (const auto& [name, rows] : theirs) {
    map.push_back({name, 0, ours, first, rows});
    first += rows;
  }
}

void add_double_block(RowMap& map, const FluxOptions& o, std::int64_t i) {
  const auto theirs = text("transformer_blocks.", i, "."), ours = text("double_blocks.", i, ".");
  const auto d = o.dim;
  const auto attention = theirs + "attn.";
  add(map, theirs + "norm1.linear", ours + "img_mod.lin", 6 * d);
  add(map, theirs + "norm1_context.linear", ours + "txt_mod.lin", 6 * d);
  add_stack(map, {{attention + "to_q", d}, {attention + "to_k", d}, {attention + "to_v", d}},
            ours + "img_attn.qkv");
  add_stack(
      map,
      {{attention + "add_q_proj", d}, {attention + "add_k_proj", d}, {attention + "add_v_proj", d}},
      ours + "txt_attn.qkv");
  add(map, attention + "to_out.0", ours + "img_attn.proj", d);
  add(map, attention + "to_add_out", ours + "txt_attn.proj", d);
  add(map, theirs + "ff.net.0.proj", ours + "img_mlp.0", o.hidden());
  add(map, theirs + "ff.net.2", ours + "img_mlp.2", d);
  add(map, theirs + "ff_context.net.0.proj", ours + "txt_mlp.0", o.hidden());
  add(map, theirs + "ff_context.net.2", ours + "txt_mlp.2", d);
}

void add_single_block(RowMap& map, const FluxOptions& o, std::int64_t i) {
  const auto theirs = text("single_transformer_blocks.", i, "."),
             ours = text("single_blocks.", i, ".");
  const auto d = o.dim;
  add(map, theirs + "norm.linear", ours + "modulation.lin", 3 * d);
  add_stack(map,
            {{theirs + "attn.to_q", d},
             {theirs + "attn.to_k", d},
             {theirs + "attn.to_v", d},
             {theirs + "proj_mlp", o.hidden()}},
            ours + "linear1");
  add(map, theirs + "proj_out", ours + "linear2", d);
}

/// The norms of queries and keys, which are no layers of ours with a weight.
void add_norms(RowMap& map, const FluxOptions& o) {
  const auto pair = [&](const std::string& theirs, const std::string& ours,
                        const std::string& prefix) {
    add(map, text(theirs, ".attn.norm_", prefix, "q.weight"), ours + ".query_norm.scale",
        o.head_dim());
    add(map, text(theirs, ".attn.norm_", prefix, "k.weight"), ours + ".key_norm.scale",
        o.head_dim());
  };
  for (std::int64_t i = 0; i < o.double_blocks; ++i) {
    const auto theirs = text("transformer_blocks.", i), ours = text("double_blocks.", i);
    pair(theirs, ours + ".img_attn.norm", "");
    pair(theirs, ours + ".txt_attn.norm", "added_");
  }
  for (std::int64_t i = 0; i < o.single_blocks; ++i)
    pair(text("single_transformer_blocks.", i), text("single_blocks.", i, ".norm"), "");
}

RowMap tensor_rows(const FluxOptions& o) {
  auto map = with_suffixes(diffusers_flux_layers(o), {".weight", ".bias"});
  add_norms(map, o);
  return map;
}

}  // namespace

RowMap diffusers_flux_layers(const FluxOptions& o) {
  RowMap map;
  const auto d = o.dim;
  add(map, "x_embedder", "img_in", d);
  add(map, "context_embedder", "txt_in", d);
  for (const auto& [theirs, ours] :
       {std::pair{"timestep_embedder", "time_in"}, std::pair{"text_embedder", "vector_in"},
        std::pair{"guidance_embedder", "guidance_in"}}) {
    if (!o.guidance && std::string(ours) == "guidance_in") continue;
    add(map, text("time_text_embed.", theirs, ".linear_1"), text(ours, ".in_layer"), d);
    add(map, text("time_text_embed.", theirs, ".linear_2"), text(ours, ".out_layer"), d);
  }
  for (std::int64_t i = 0; i < o.double_blocks; ++i) add_double_block(map, o, i);
  for (std::int64_t i = 0; i < o.single_blocks; ++i) add_single_block(map, o, i);
  // diffusers has the scale first, we have the shift first.
  map.push_back({"norm_out.linear", 0, "final_layer.adaLN_modulation.1", d, d});
  map.push_back({"norm_out.linear", d, "final_layer.adaLN_modulation.1", 0, d});
  add(map, "proj_out", "final_layer.linear", o.out());
  return map;
}

StateDict flux_from_diffusers(const StateDict& tensors, const FluxOptions& options,
                              const std::string& source) {
  return map_rows(tensors, tensor_rows(options), "diffusers' FluxTransformer2DModel", source);
}

StateDict flux_to_diffusers(const StateDict& tensors, const FluxOptions& options) {
  return map_rows(tensors, reversed(tensor_rows(options)), "a Flux of these options", "weights");
}

bool is_diffusers_flux(const StateDict& tensors) {
  return std::any_of(tensors.begin(), tensors.end(), [](const auto& entry) {
    return entry.first.rfind("time_text_embed.", 0) == 0 ||
           entry.first.rfind("transformer_blocks.", 0) == 0 ||
           entry.first.rfind("single_transformer_blocks.", 0) == 0;
  });
}

namespace detail {

FluxFile map_flux(const std::filesystem::path& path, const std::optional<FluxOptions>& options) {
  const auto folder = diffusers_part(path, "transformer");
  const auto source = folder.string();
  FluxFile file{map_tensors(folder).tensors, {}};
  if (options) {
    file.options = *options;
  } else if (std::filesystem::exists(folder / "config.json")) {
    const auto config = read_diffusers_config(folder, {"FluxTransformer2DModel"});
    file.options =
        naming(folder / "config.json", [&] { return flux_options_from_diffusers(config); });
  } else {
    file.options = flux_options_from_tensors(file.tensors, source);
  }
  return file;
}

}  // namespace detail

Flux load_flux(const std::filesystem::path& path, const ParameterOptions& parameters,
               const std::optional<FluxOptions>& options) {
  const auto [tensors, found] = detail::map_flux(path, options);
  auto place = parameters;
  place.init = false;
  Flux flux(found, place);
  load_state_dict(
      *flux,
      is_diffusers_flux(tensors) ? flux_from_diffusers(tensors, found, path.string()) : tensors,
      path.string());
  return flux;
}

void save_diffusers_flux(const std::filesystem::path& folder, const Flux& flux) {
  detail::write_diffusers_folder(folder, flux_options_to_diffusers(flux->options),
                                 flux_to_diffusers(state_dict(*flux), flux->options));
}

}  // namespace dermis
