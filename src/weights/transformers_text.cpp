#include "dermis/weights/transformers_text.hpp"

#include <algorithm>

#include "config_keys.hpp"

namespace dermis {
namespace {

KeyMap t5_map() {
  const std::string block = "encoder.block.*.layer.";
  KeyMap map{{"shared.weight", "token_embed.weight"},
             {"encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
              "relative_bias.weight"}};
  for (const std::string part : {"q", "k", "v", "o"})
    map.push_back(
        {block + "0.SelfAttention." + part + ".weight", "blocks.*.attn." + part + ".weight"});
  map.push_back({block + "0.layer_norm.weight", "blocks.*.norm1.weight"});
  for (const std::string part : {"wi", "wi_0", "wi_1", "wo"})
    map.push_back(
        {block + "1.DenseReluDense." + part + ".weight", "blocks.*.mlp." + part + ".weight"});
  map.push_back({block + "1.layer_norm.weight", "blocks.*.norm2.weight"});
  map.push_back({"encoder.final_layer_norm.weight", "norm.weight"});
  return map;
}

/// `body` stands before all but the projection.
void add_clip_text(KeyMap& map, const std::string& body) {
  map.push_back({body + "embeddings.token_embedding.weight", "token_embed.weight"});
  map.push_back({body + "embeddings.position_embedding.weight", "position_embed.weight"});
  const std::string layer = body + "encoder.layers.*.";
  map.push_back({layer + "layer_norm1.*", "blocks.*.norm1.*"});
  map.push_back({layer + "layer_norm2.*", "blocks.*.norm2.*"});
  for (const std::string part : {"q_proj", "k_proj", "v_proj", "out_proj"})
    map.push_back({layer + "self_attn." + part + ".*", "blocks.*." + part + ".*"});
  for (const std::string part : {"fc1", "fc2"})
    map.push_back({layer + "mlp." + part + ".*", "blocks.*." + part + ".*"});
  map.push_back({body + "final_layer_norm.*", "norm.*"});
}

KeyMap clip_map() {
  KeyMap map;
  add_clip_text(map, "text_model.");
  map.push_back({"text_projection.weight", "text_projection.weight"});
  return map;
}

bool begins_with(const std::string& name, const std::string& start) {
  return name.rfind(start, 0) == 0;
}

/// The tensors whose name none of `starts` begins.
StateDict without(const StateDict& tensors, const std::vector<std::string>& starts) {
  StateDict result;
  for (const auto& entry : tensors) {
    bool left_out = false;
    for (const auto& start : starts) left_out |= begins_with(entry.first, start);
    if (!left_out) result.push_back(entry);
  }
  return result;
}

bool has(const StateDict& tensors, const std::string& name) {
  for (const auto& entry : tensors)
    if (entry.first == name) return true;
  return false;
}

bool with_projection(const Json& config) {
  if (!config.contains("architectures") || config.at("architectures").is_null()) return false;
  for (const auto& name : config.at("architectures").elements())
    if (name == Json("CLIPTextModelWithProjection") || name == Json("CLIPModel")) return true;
  return false;
}

/// A tensor of that name and rank.
const at::Tensor& tensor_of(const StateDict& tensors, const std::string& name, std::int64_t rank,
                            const std::string& source) {
  for (const auto& [key, tensor] : tensors)
    if (key == name && tensor.dim() == rank) return tensor;
  throw std::runtime_error(
      text("[weights] ", source, ": expected a tensor '", name, "' of ", rank, " dimensions"));
}

/// Number of blocks.NUMBER among the names.
std::int64_t depth_of(const StateDict& tensors, const std::string& last) {
  std::int64_t depth = 0;
  while (has(tensors, text("blocks.", depth, last))) ++depth;
  return depth;
}

/// Adds the file's name to what `read` has to say against its contents.
template <class Read>
auto options_of(const std::filesystem::path& folder, const Read& read) {
  const auto path = folder / "config.json";
  const Json config = Json::read(path);
  try {
    return read(config);
  } catch (const std::exception& error) {
    throw std::runtime_error(text("[weights] ", path.string(), ": ", error.what()));
  }
}

/// Module of that size with these values, in evaluation mode.
template <class Holder, class Options>
Holder filled(const Options& options, const StateDict& values, const std::string& source,
              ParameterOptions parameters) {
  parameters.init = false;
  Holder encoder(options, parameters);
  load_state_dict(*encoder, values, source);
  encoder->eval();
  return encoder;
}

}  // namespace

StateDict t5_from_transformers(const StateDict& tensors, const std::string& source) {
  auto encoder = without(tensors, {"decoder.", "lm_head."});
  if (has(encoder, "shared.weight")) {  // the same table under a second name
    encoder = without(encoder, {"encoder.embed_tokens."});
  } else {
    for (auto& entry : encoder)
      if (entry.first == "encoder.embed_tokens.weight") entry.first = "shared.weight";
  }
  return rename_keys(encoder, t5_map(), "transformers' T5EncoderModel", source);
}

StateDict t5_to_transformers(const StateDict& tensors) {
  return rename_keys(tensors, reversed(t5_map()), "our T5 encoder", "weights");
}

T5Options t5_options_from_transformers(const Json& config) {
  detail::expect_value(config, "model_type", {"t5"});
  detail::expect_value(config, "feed_forward_proj", {"relu", "gated-gelu"});
  T5Options o;
  o.vocabulary = config.value("vocab_size", o.vocabulary);
  o.dim = config.value("d_model", o.dim);
  o.depth = config.value("num_layers", o.depth);
  o.heads = config.value("num_heads", o.heads);
  o.head_dim = config.value("d_kv", o.head_dim);
  o.hidden = config.value("d_ff", o.hidden);
  o.gated = config.value("feed_forward_proj", "relu") == "gated-gelu";
  o.buckets = config.value("relative_attention_num_buckets", o.buckets);
  o.max_distance = config.value("relative_attention_max_distance", o.max_distance);
  o.norm_eps = config.value("layer_norm_epsilon", o.norm_eps);
  return o;
}

StateDict clip_text_from_transformers(const StateDict& tensors, const std::string& source) {
  auto map = clip_map();
  add_clip_text(map, "");
  map.push_back({"text_model.embeddings.position_ids", ""});
  return rename_keys(without(tensors, {"vision_model.", "visual_projection.", "logit_scale"}), map,
                     "transformers' CLIPTextModel", source);
}

StateDict clip_text_to_transformers(const StateDict& tensors) {
  return rename_keys(tensors, reversed(clip_map()), "our CLIP text encoder", "weights");
}

ClipTextOptions clip_text_options_from_transformers(const Json& whole) {
  detail::expect_value(whole, "model_type", {"clip_text_model", "clip"});
  const Json& config = whole.contains("text_config") ? whole.at("text_config") : whole;
  detail::expect_value(config, "hidden_act", {"quick_gelu", "gelu"});
  ClipTextOptions o;
  o.vocabulary = config.value("vocab_size", o.vocabulary);
  o.positions = config.value("max_position_embeddings", o.positions);
  o.dim = config.value("hidden_size", std::int64_t{512});
  o.depth = config.value("num_hidden_layers", o.depth);
  o.heads = config.value("num_attention_heads", std::int64_t{8});
  o.hidden = config.value("intermediate_size", std::int64_t{2048});
  o.quick_gelu = config.value("hidden_act", "quick_gelu") == "quick_gelu";
  o.eos_id = config.value("eos_token_id", o.eos_id);
  o.norm_eps = config.value("layer_norm_eps", o.norm_eps);
  if (with_projection(whole)) o.projection = whole.value("projection_dim", std::int64_t{512});
  return o;
}

T5Options t5_options_of(const StateDict& tensors, const std::string& source) {
  const auto size = [&](const std::string& name, std::int64_t axis) {
    return tensor_of(tensors, name, 2, source).size(axis);
  };
  T5Options o;
  o.vocabulary = size("token_embed.weight", 0);
  o.dim = size("token_embed.weight", 1);
  o.buckets = size("relative_bias.weight", 0);
  o.heads = size("relative_bias.weight", 1);
  o.head_dim = size("blocks.0.attn.q.weight", 0) / o.heads;
  o.gated = has(tensors, "blocks.0.mlp.wi_0.weight");
  o.hidden = size("blocks.0.mlp.wo.weight", 1);
  o.depth = depth_of(tensors, ".norm1.weight");
  return o;
}

ClipTextOptions clip_text_options_of(const StateDict& tensors, const std::string& source) {
  const auto size = [&](const std::string& name, std::int64_t axis) {
    return tensor_of(tensors, name, 2, source).size(axis);
  };
  ClipTextOptions o;
  o.vocabulary = size("token_embed.weight", 0);
  o.dim = size("token_embed.weight", 1);
  o.positions = size("position_embed.weight", 0);
  o.heads = std::max<std::int64_t>(1, o.dim / 64);
  o.hidden = size("blocks.0.fc1.weight", 0);
  o.depth = depth_of(tensors, ".norm1.weight");
  o.eos_id = 2;
  return o;
}

T5Encoder read_t5_encoder(const std::filesystem::path& path, const ParameterOptions& parameters) {
  const auto source = path.string();
  const bool alone = std::filesystem::is_regular_file(path);
  const auto sizes = alone ? T5Options{} : options_of(path, t5_options_from_transformers);
  const auto values = t5_from_transformers(map_tensors(path).tensors, source);
  return filled<T5Encoder>(alone ? t5_options_of(values, source) : sizes, values, source,
                           parameters);
}

ClipText read_clip_text(const std::filesystem::path& path, const ParameterOptions& parameters) {
  const auto source = path.string();
  const bool alone = std::filesystem::is_regular_file(path);
  const auto sizes =
      alone ? ClipTextOptions{} : options_of(path, clip_text_options_from_transformers);
  const auto tensors = map_tensors(path).tensors;
  const auto values = clip_text_from_transformers(
      sizes.projection > 0 ? tensors : without(tensors, {"text_projection."}), source);
  return filled<ClipText>(alone ? clip_text_options_of(values, source) : sizes, values, source,
                          parameters);
}

}  // namespace dermis
