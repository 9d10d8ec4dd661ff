#include "dermis/weights/skindistilvit.hpp"

#include "transformers_names.hpp"

namespace dermis {
namespace {

const KeyMap& distilvit_map() {
  static const KeyMap map = [] {
    KeyMap all;
    detail::add_published_encoder(all, "distilvit.");
    all.push_back({"classifier.*", "head.*"});
    return all;
  }();
  return map;
}

const KeyMap& fcvit_map() {
  static const KeyMap map = [] {
    KeyMap all;
    detail::add_published_encoder(all, "vit.");
    all.push_back({"classifiers.*.*", "heads.*.*"});
    return all;
  }();
  return map;
}

}  // namespace

StateDict vit_from_distilvit(const StateDict& tensors, const std::string& source) {
  return merge_rows(rename_keys(tensors, distilvit_map(), "SkinDistilViT's DistilViT", source),
                    detail::kQueryKeyValue, "attn.qkv", source);
}

StateDict vit_to_distilvit(const StateDict& tensors) {
  return rename_keys(split_rows(tensors, "attn.qkv", detail::kQueryKeyValue, "weights"),
                     reversed(distilvit_map()), "a ViT that DistilViT can express", "weights");
}

DepthHeadTensors depth_heads_from_fcvit(const StateDict& tensors, const std::string& source) {
  const auto all = merge_rows(rename_keys(tensors, fcvit_map(), "SkinDistilViT's FCViT", source),
                              detail::kQueryKeyValue, "attn.qkv", source);
  DepthHeadTensors result;
  for (const auto& entry : all)
    if (entry.first.rfind("heads.", 0) != 0) result.vit.push_back(entry);
  result.heads = without_prefix(all, "heads.");
  return result;
}

StateDict depth_heads_to_fcvit(const DepthHeadTensors& tensors) {
  auto all = split_rows(tensors.vit, "attn.qkv", detail::kQueryKeyValue, "weights");
  append(all, tensors.heads, "heads.");
  return rename_keys(all, reversed(fcvit_map()), "a ViT that FCViT can express", "weights");
}

}  // namespace dermis
