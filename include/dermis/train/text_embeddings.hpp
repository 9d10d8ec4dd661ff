#pragma once
/// \file
/// Texts as a text-to-image model takes them: a vector a text from CLIP, a sequence from T5
/// (arXiv 2403.03206, section 4; Flux), computed once and kept on the disk.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "dermis/models/clip_text.hpp"
#include "dermis/models/t5.hpp"
#include "dermis/text/tokenizer.hpp"

namespace dermis {

/// Ids of several texts.
struct TokenBatch {
  at::Tensor ids, mask;                ///< int64 [N, L]
  std::vector<std::int64_t> cut = {};  ///< tokens of each text that did not fit
};

/// Token ids of `texts`, cut and padded to `length`. If any is cut, one line on stderr says of how
/// many texts and how much, naming `encoder`. Throws std::invalid_argument for no texts.
TokenBatch tokenized(const Tokenizer& tokenizer, const std::vector<std::string>& texts,
                     std::int64_t length, const std::string& encoder);

/// Throws std::runtime_error unless the encoder's table has a row for every id of the tokenizer,
/// and (CLIP) both mean the same token by the end of a text.
void check_fits(const Tokenizer& tokenizer, const T5Options& encoder);
void check_fits(const Tokenizer& tokenizer, const ClipTextOptions& encoder);

/// Folders as diffusers lays out a pipeline: tokenizer, text_encoder (CLIP), tokenizer_2,
/// text_encoder_2 (T5); the encoders may also be single files. See read_tokenizer, read_clip_text
/// and read_t5_encoder.
struct TextEncoderFolders {
  std::filesystem::path clip_tokenizer, clip_encoder, t5_tokenizer, t5_encoder;
};
TextEncoderFolders text_encoders_in(const std::filesystem::path& pipeline);

struct TextEmbeddingOptions {
  std::int64_t t5_length = 512;          ///< tokens of a text that T5 reads (Flux schnell: 256)
  std::int64_t batch_size = 8;           ///< texts at a time
  at::Device device = at::kCPU;          ///< where the encoders run
  at::ScalarType dtype = at::kBFloat16;  ///< of weights and embeddings; float16 overflows in T5-XXL
};

/// What the encoders say of texts, on the CPU.
struct TextEmbeddings {
  at::Tensor pooled;  ///< [N, 768], CLIP's feature
  at::Tensor tokens;  ///< [N, t5_length, 4096], T5's
  at::Tensor mask;    ///< int64 [N, t5_length], 1 token, 0 padding
};

/// Embeddings of `texts`, each different one computed once. An empty text is allowed: guidance
/// starts from it. The encoders are read one after the other, and freed before the return.
///
/// With a `directory`, which is created, they are kept in DIRECTORY/text.safetensors under the
/// texts, the options and the name, size and time of change of the encoders' files: if that file
/// has all of it, no encoder is read; otherwise it is replaced. As the other caches, it is checked
/// byte for byte. Padding is seen by the encoders, as Flux was trained. \throws std::runtime_error
/// for what is damaged, or tokenizer and encoder that do not belong
///         together; std::invalid_argument for no texts or a length or batch size below 1
TextEmbeddings text_embeddings(const std::vector<std::string>& texts,
                               const TextEncoderFolders& folders,
                               const TextEmbeddingOptions& options = {},
                               const std::filesystem::path& directory = {});

}  // namespace dermis
