#pragma once
/// \file
/// Text encoders of a published kind, small, in the folders of a pipeline.

#include "dermis/core/file.hpp"
#include "dermis/train/text_embeddings.hpp"
#include "dermis/weights/transformers_text.hpp"
#include "folder.hpp"
#include "support.hpp"

namespace dermis::test {

const std::filesystem::path parity_data =
    std::filesystem::path(__FILE__).parent_path().parent_path() / "parity/data";

/// A pipeline's folder with the tokenizers of the parity data and small encoders for them.
struct Pipeline : ScratchFolder {
  T5Options t5{.vocabulary = 400,
               .dim = 16,
               .depth = 1,
               .heads = 2,
               .head_dim = 8,
               .hidden = 24,
               .gated = true};
  ClipTextOptions clip{.vocabulary = 934,
                       .positions = 12,
                       .dim = 16,
                       .depth = 1,
                       .heads = 2,
                       .hidden = 24,
                       .eos_id = 933};

  Pipeline() {
    std::filesystem::copy(parity_data / "18a_clip_tokenizer", *this / "tokenizer",
                          std::filesystem::copy_options::recursive);
    std::filesystem::copy(parity_data / "18b_t5_tokenizer", *this / "tokenizer_2",
                          std::filesystem::copy_options::recursive);
    write();
  }
  void write() const {
    const ParameterOptions drawn{.generator = generator(3)};
    save(*this / "text_encoder", clip_text_to_transformers(state_dict(*ClipText(clip, drawn))),
         Json::object({{"model_type", "clip_text_model"},
                       {"vocab_size", clip.vocabulary},
                       {"max_position_embeddings", clip.positions},
                       {"hidden_size", clip.dim},
                       {"num_hidden_layers", clip.depth},
                       {"num_attention_heads", clip.heads},
                       {"intermediate_size", clip.hidden},
                       {"eos_token_id", clip.eos_id}}));
    save(*this / "text_encoder_2", t5_to_transformers(state_dict(*T5Encoder(t5, drawn))),
         Json::object({{"model_type", "t5"},
                       {"vocab_size", t5.vocabulary},
                       {"d_model", t5.dim},
                       {"num_layers", t5.depth},
                       {"num_heads", t5.heads},
                       {"d_kv", t5.head_dim},
                       {"d_ff", t5.hidden},
                       {"feed_forward_proj", "gated-gelu"}}));
  }
  TextEncoderFolders folders() const { return text_encoders_in(path()); }

 private:
  static void save(const std::filesystem::path& folder, const StateDict& tensors,
                   const Json& config) {
    make_directories(folder);
    write_tensors(folder / "model.safetensors", tensors);
    write_atomically(folder / "config.json", config.dump());
  }
};

}  // namespace dermis::test
