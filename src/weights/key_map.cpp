#include "dermis/weights/key_map.hpp"

#include <map>
#include <optional>

#include "dermis/core/check.hpp"
#include "dermis/io/csv.hpp"

namespace dermis {
namespace {

/// `name` under `to` if it matches `from`.
std::optional<std::string> renamed(const std::string& name, const KeyRule& rule) {
  std::vector<std::string> stars;
  std::size_t at = 0;
  for (std::size_t i = 0; i < rule.from.size(); ++i) {
    if (rule.from[i] != '*') {
      if (at >= name.size() || name[at++] != rule.from[i]) return {};
      continue;
    }
    const auto end = std::min(name.find('.', at), name.size());
    if (end == at) return {};
    stars.push_back(name.substr(at, end - at));
    at = end;
  }
  if (at != name.size()) return {};
  std::string result;
  std::size_t star = 0;
  for (const char c : rule.to) {
    if (c != '*') {
      result += c;
    } else {
      result += stars.at(star++);
    }
  }
  return result;
}

/// STEM.part.SUFFIX as {STEM., .SUFFIX}.
std::optional<std::pair<std::string, std::string>> around(const std::string& name,
                                                          const std::string& part) {
  const auto at = ('.' + name + '.').find('.' + part + '.');
  if (at == std::string::npos) return {};
  return std::pair{name.substr(0, at), name.substr(at + part.size())};
}

}  // namespace

KeyMap reversed(const KeyMap& map) {
  KeyMap result;
  for (const auto& [from, to] : map)
    if (!to.empty()) result.push_back({to, from});
  return result;
}

StateDict rename_keys(const StateDict& tensors, const KeyMap& map, const std::string& layout,
                      const std::string& source) {
  StateDict result;
  std::vector<std::string> unknown;
  for (const auto& [name, tensor] : tensors) {
    std::optional<std::string> found;
    for (const auto& rule : map)
      if ((found = renamed(name, rule))) break;
    if (!found) {
      unknown.push_back(name);
    } else if (!found->empty()) {
      result.emplace_back(*found, tensor);
    }
  }
  if (unknown.empty()) return result;
  const auto looks = layout_of(tensors);
  check_runtime(false, "[weights] ", source, ": expected the tensors of ", layout, ", got ",
                unknown.size(), " that it does not have: ", detail::first_few(unknown),
                looks.empty() || looks == layout ? "" : "; this looks like " + looks);
  return result;
}

StateDict merge_rows(const StateDict& tensors, const std::vector<std::string>& parts,
                     const std::string& whole, const std::string& source) {
  std::map<std::string, at::Tensor> by_name(tensors.begin(), tensors.end());
  StateDict result;
  for (const auto& [name, tensor] : tensors) {
    if (const auto first = around(name, parts.front())) {
      std::vector<at::Tensor> rows;
      for (const auto& part : parts) {
        const auto found = by_name.find(first->first + part + first->second);
        check_runtime(found != by_name.end(), "[weights] ", source, ": expected '",
                      first->first + part + first->second, "' beside '", name, "'");
        check_runtime(tensor.dim() > 0 && found->second.sizes() == tensor.sizes(), "[weights] ",
                      source, ": expected '", found->first, "' and '", name,
                      "' to have one shape, got ", found->second.sizes(), " and ", tensor.sizes());
        rows.push_back(found->second);
      }
      result.emplace_back(first->first + whole + first->second, at::cat(rows));
      continue;
    }
    bool other = false;
    for (const auto& part : parts) {
      const auto place = around(name, part);
      if (!place) continue;
      other = true;
      const auto partner = place->first + parts.front() + place->second;
      check_runtime(by_name.count(partner) > 0, "[weights] ", source, ": expected '", partner,
                    "' beside '", name, "'");
    }
    if (!other) result.emplace_back(name, tensor);
  }
  return result;
}

StateDict split_rows(const StateDict& tensors, const std::string& whole,
                     const std::vector<std::string>& parts, const std::string& source) {
  const auto count = static_cast<std::int64_t>(parts.size());
  StateDict result;
  for (const auto& [name, tensor] : tensors) {
    const auto place = around(name, whole);
    if (!place) {
      result.emplace_back(name, tensor);
      continue;
    }
    check_runtime(tensor.dim() > 0 && tensor.size(0) % count == 0, "[weights] ", source,
                  ": expected rows divisible by ", count, " in '", name, "', got ", tensor.sizes());
    const auto pieces = tensor.chunk(count);
    for (std::size_t i = 0; i < parts.size(); ++i)
      result.emplace_back(place->first + parts[i] + place->second, pieces[i].clone());
  }
  return result;
}

std::string layout_of(const StateDict& tensors) {
  // A piece of a name that only this layout has; the first that is found decides.
  static const std::pair<const char*, const char*> kSigns[] = {
      {"lora_", "a LoRA adapter"},
      {"encoder.block.0.layer.0.SelfAttention.", "transformers' T5"},
      {"text_model.encoder.layers.0.", "transformers' CLIPTextModel"},
      {"decoder.decoder_embed.", "transformers' ViTMAEForPreTraining"},
      {"distilvit.encoder.layer.0.", "SkinDistilViT's DistilViT"},
      {"classifiers.0.", "SkinDistilViT's FCViT"},
      {"encoder.layer.0.attention.attention.", "transformers' ViT"},
      {"layers.0.attention.q_proj.", "transformers' ViT"},
      {"decoder_blocks.0.", "facebookresearch/mae's MaskedAutoencoderViT"},
      {"blocks.0.attn.qkv.", "timm's VisionTransformer"},
      {"single_transformer_blocks.0.", "diffusers' FluxTransformer2DModel"},
      {"double_blocks.0.", "black-forest-labs' Flux"},
      {"input_blocks.0.", "CompVis' UNet"},
      {"encoder.down_blocks.0.", "diffusers' AutoencoderKL"},
      {"encoder.down.0.", "CompVis' autoencoder"},
      {"down_blocks.0.", "diffusers' UNet2DModel"},
  };
  for (const auto& [sign, layout] : kSigns)
    for (const auto& entry : tensors)
      if (entry.first.find(sign) != std::string::npos) return layout;
  return "";
}

}  // namespace dermis
