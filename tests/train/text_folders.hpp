#pragma once
/// \file
/// Text encoders of a published kind, small, in the folders of a pipeline.

#include <ATen/CPUGeneratorImpl.h>

#include "dermis/core/file.hpp"
#include "dermis/weights/transformers_text.hpp"

namespace dermis::test {

/// For the tokenizers of the parity data.
inline T5Options small_t5() {
  return {.vocabulary = 400,
          .dim = 16,
          .depth = 1,
          .heads = 2,
          .head_dim = 8,
          .hidden = 24,
          .gated = true};
}
inline ClipTextOptions small_clip() {
  return {.vocabulary = 934,
          .positions = 12,
          .dim = 16,
          .depth = 1,
          .heads = 2,
          .hidden = 24,
          .eos_id = 933};
}

/// tokenizer, tokenizer_2 (the parity data's), text_encoder and text_encoder_2 in `folder`.
inline void write_text_folders(const std::filesystem::path& folder, const T5Options& t5,
                               const ClipTextOptions& clip) {
  const auto parity = std::filesystem::path(__FILE__).parent_path().parent_path() / "parity/data";
  const auto tokenizer = [&](const char* from, const char* to) {
    std::filesystem::copy(parity / from, folder / to,
                          std::filesystem::copy_options::recursive |
                              std::filesystem::copy_options::overwrite_existing);
  };
  tokenizer("18a_clip_tokenizer", "tokenizer");
  tokenizer("18b_t5_tokenizer", "tokenizer_2");
  const auto encoder = [&](const char* name, const StateDict& tensors, const Json& config) {
    make_directories(folder / name);
    write_tensors(folder / name / "model.safetensors", tensors);
    write_atomically(folder / name / "config.json", config.dump());
  };
  const ParameterOptions drawn{.generator = at::make_generator<at::CPUGeneratorImpl>(3)};
  encoder("text_encoder", clip_text_to_transformers(state_dict(*ClipText(clip, drawn))),
          Json::object({{"model_type", "clip_text_model"},
                        {"vocab_size", clip.vocabulary},
                        {"max_position_embeddings", clip.positions},
                        {"hidden_size", clip.dim},
                        {"num_hidden_layers", clip.depth},
                        {"num_attention_heads", clip.heads},
                        {"intermediate_size", clip.hidden},
                        {"eos_token_id", clip.eos_id}}));
  encoder("text_encoder_2", t5_to_transformers(state_dict(*T5Encoder(t5, drawn))),
          Json::object({{"model_type", "t5"},
                        {"vocab_size", t5.vocabulary},
                        {"d_model", t5.dim},
                        {"num_layers", t5.depth},
                        {"num_heads", t5.heads},
                        {"d_kv", t5.head_dim},
                        {"d_ff", t5.hidden},
                        {"feed_forward_proj", "gated-gelu"}}));
}

}  // namespace dermis::test
