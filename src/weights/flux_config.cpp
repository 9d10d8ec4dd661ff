#include <unordered_map>

#include "config_keys.hpp"
#include "dermis/weights/flux.hpp"

namespace dermis {
namespace {

/// FLUX.1's share of a head's channels for each axis, 16 : 56 : 56.
std::vector<std::int64_t> axes_of(std::int64_t head_dim, const std::string& source) {
  check_runtime(head_dim % 16 == 0, "[weights] ", source, ": expected options for heads of ",
                head_dim, " channels: how the axes share them is in no tensor");
  const auto rest = 7 * head_dim / 16;
  return rest % 2 == 0 ? std::vector<std::int64_t>{head_dim / 8, rest, rest}
                       : std::vector<std::int64_t>{head_dim / 8 + 2, rest - 1, rest - 1};
}

/// Tensors by name, an absent one an error.
class Sizes {
 public:
  Sizes(const StateDict& tensors, const std::string& source)
      : tensors_(tensors.begin(), tensors.end()), source_(source) {}
  bool has(const std::string& name) const { return tensors_.count(name) != 0; }
  std::int64_t operator()(const std::string& name, std::int64_t axis) const {
    const auto found = tensors_.find(name);
    check_runtime(found != tensors_.end(), "[weights] ", source_, ": expected a Flux with '", name,
                  "', found none");
    check_runtime(found->second.dim() > axis, "[weights] ", source_, ": expected '", name,
                  "' with more than ", axis, " axes, got ", found->second.sizes());
    return found->second.size(axis);
  }
  /// How many of PREFIX0SUFFIX, PREFIX1SUFFIX, ... there are.
  std::int64_t count(const std::string& prefix, const std::string& suffix) const {
    std::int64_t number = 0;
    while (has(text(prefix, number, suffix))) ++number;
    return number;
  }

 private:
  std::unordered_map<std::string, at::Tensor> tensors_;
  std::string source_;
};

}  // namespace

FluxOptions flux_options_from_tensors(const StateDict& tensors, const std::string& source) {
  const Sizes size(tensors, source);
  const bool theirs = is_diffusers_flux(tensors);
  const std::string embed = "time_text_embed.";
  const std::string image = theirs ? "x_embedder" : "img_in",
                    words = theirs ? "context_embedder" : "txt_in",
                    pooled = theirs ? embed + "text_embedder.linear_1" : "vector_in.in_layer",
                    guidance =
                        theirs ? embed + "guidance_embedder.linear_1" : "guidance_in.in_layer",
                    doubles = theirs ? "transformer_blocks." : "double_blocks.",
                    mlp = theirs ? ".ff.net.0.proj" : ".img_mlp.0",
                    norm = theirs ? ".attn.norm_q.weight" : ".img_attn.norm.query_norm.scale",
                    qkv = theirs ? ".attn.to_q.bias" : ".img_attn.qkv.bias";
  FluxOptions o;
  o.in_channels = size(image + ".weight", 1);
  o.dim = size(image + ".weight", 0);
  o.text_dim = size(words + ".weight", 1);
  o.pooled_dim = size(pooled + ".weight", 1);
  o.guidance = size.has(guidance + ".weight");
  const auto out = size(theirs ? "proj_out.weight" : "final_layer.linear.weight", 0);
  o.out_channels = out == o.in_channels ? 0 : out;
  o.double_blocks = size.count(doubles, norm);
  o.single_blocks = theirs ? size.count("single_transformer_blocks.", ".attn.norm_q.weight")
                           : size.count("single_blocks.", ".norm.query_norm.scale");
  o.mlp_ratio =
      static_cast<double>(size(doubles + "0" + mlp + ".weight", 0)) / static_cast<double>(o.dim);
  const auto head_dim = size(doubles + "0" + norm, 0);
  check_runtime(head_dim > 0 && o.dim % head_dim == 0, "[weights] ", source,
                ": expected a width divisible by that of a head, got ", o.dim, " and ", head_dim);
  o.heads = o.dim / head_dim;
  o.axes = axes_of(head_dim, source);
  o.qkv_bias = size.has(doubles + "0" + qkv);
  return o;
}

FluxOptions flux_options_from_bfl(const Json& params) {
  using detail::required;
  FluxOptions o;
  o.in_channels = required<std::int64_t>(params, "in_channels");
  const auto out = params.value("out_channels", o.in_channels);
  o.out_channels = out == o.in_channels ? 0 : out;
  o.pooled_dim = required<std::int64_t>(params, "vec_in_dim");
  o.text_dim = required<std::int64_t>(params, "context_in_dim");
  o.dim = required<std::int64_t>(params, "hidden_size");
  o.heads = required<std::int64_t>(params, "num_heads");
  o.mlp_ratio = required<double>(params, "mlp_ratio");
  o.double_blocks = required<std::int64_t>(params, "depth");
  o.single_blocks = required<std::int64_t>(params, "depth_single_blocks");
  o.axes = required<std::vector<std::int64_t>>(params, "axes_dim");
  o.theta = required<double>(params, "theta");
  o.qkv_bias = required<bool>(params, "qkv_bias");
  o.guidance = required<bool>(params, "guidance_embed");
  return o;
}

FluxOptions flux_options_from_diffusers(const Json& config) {
  using detail::expect_value, detail::required;
  expect_value(config, "patch_size", {1});
  FluxOptions o;
  o.in_channels = required<std::int64_t>(config, "in_channels");
  if (config.contains("out_channels") && !config.at("out_channels").is_null()) {
    const auto out = required<std::int64_t>(config, "out_channels");
    o.out_channels = out == o.in_channels ? 0 : out;
  }
  o.pooled_dim = required<std::int64_t>(config, "pooled_projection_dim");
  o.text_dim = required<std::int64_t>(config, "joint_attention_dim");
  o.heads = required<std::int64_t>(config, "num_attention_heads");
  o.dim = o.heads * required<std::int64_t>(config, "attention_head_dim");
  o.double_blocks = required<std::int64_t>(config, "num_layers");
  o.single_blocks = required<std::int64_t>(config, "num_single_layers");
  o.axes = config.value("axes_dims_rope", o.axes);
  o.guidance = config.value("guidance_embeds", false);
  return o;
}

Json flux_options_to_diffusers(const FluxOptions& o) {
  validate(o);
  check_argument(o.mlp_ratio == 4.0 && o.theta == 10000 && o.qkv_bias,
                 "[weights] diffusers' Flux has mlp_ratio 4, theta 10000 and qkv_bias, got ",
                 o.mlp_ratio, ", ", o.theta, " and ", o.qkv_bias);
  return Json::object({{"_class_name", "FluxTransformer2DModel"},
                       {"patch_size", 1},
                       {"in_channels", o.in_channels},
                       {"out_channels", o.out_channels > 0 ? Json(o.out_channels) : Json()},
                       {"num_layers", o.double_blocks},
                       {"num_single_layers", o.single_blocks},
                       {"attention_head_dim", o.head_dim()},
                       {"num_attention_heads", o.heads},
                       {"joint_attention_dim", o.text_dim},
                       {"pooled_projection_dim", o.pooled_dim},
                       {"guidance_embeds", o.guidance},
                       {"axes_dims_rope", o.axes}});
}

}  // namespace dermis
