#include "dermis/train/text_embeddings.hpp"

#include <algorithm>
#include <iostream>
#include <map>

#include "cache_file.hpp"
#include "dermis/core/hash.hpp"
#include "dermis/io/csv.hpp"
#include "dermis/weights/transformers_text.hpp"

namespace dermis {
namespace {

namespace fs = std::filesystem;

/// Names, sizes and times of change of a file or of what a folder holds; hashing gigabytes would
/// take as long as using them.
std::string state_of(const fs::path& path) {
  std::vector<std::string> files;
  const auto add = [&](const fs::directory_entry& entry) {
    if (entry.is_regular_file())
      files.push_back(text(entry.path().filename().string(), ' ', entry.file_size(), ' ',
                           entry.last_write_time().time_since_epoch().count()));
  };
  check_runtime(fs::exists(path), "[text] no such file or folder: ", path.string());
  if (fs::is_directory(path)) {
    for (const auto& entry : fs::directory_iterator(path)) add(entry);
  } else {
    add(fs::directory_entry(path));
  }
  std::sort(files.begin(), files.end());
  return detail::join(files);
}

std::string key_of(const std::vector<std::string>& texts, const TextEncoderFolders& folders,
                   const TextEmbeddingOptions& options) {
  std::string key = text(options.t5_length, ' ', at::toString(options.dtype), '\n');
  for (const auto& path :
       {folders.clip_tokenizer, folders.clip_encoder, folders.t5_tokenizer, folders.t5_encoder})
    key += state_of(path) + '\n';
  for (const auto& words : texts) key += text(words.size(), ' ', words, '\n');
  return fingerprint(key);
}

/// `encode(ids)` of all rows, batch by batch, on the CPU.
template <class Encode>
at::Tensor in_batches(const at::Tensor& ids, const TextEmbeddingOptions& options,
                      const Encode& encode) {
  const torch::NoGradGuard no_grad;
  std::vector<at::Tensor> parts;
  for (const auto& batch : ids.split(options.batch_size))
    parts.push_back(encode(batch.to(options.device)).cpu());
  return at::cat(parts);
}

at::Tensor pooled_of(const std::vector<std::string>& texts, const TextEncoderFolders& folders,
                     const TextEmbeddingOptions& options) {
  const auto tokenizer = read_tokenizer(folders.clip_tokenizer);
  auto encoder = read_clip_text(folders.clip_encoder, {options.device, options.dtype});
  check_fits(tokenizer, encoder->options);
  const auto batch = tokenized(tokenizer, texts, encoder->options.positions, "CLIP");
  return in_batches(batch.ids, options,
                    [&](const at::Tensor& ids) { return encoder->forward(ids).pooled; });
}

StateDict computed(const std::vector<std::string>& texts, const TextEncoderFolders& folders,
                   const TextEmbeddingOptions& options) {
  const auto pooled = pooled_of(texts, folders, options);
  const auto tokenizer = read_tokenizer(folders.t5_tokenizer);
  auto encoder = read_t5_encoder(folders.t5_encoder, {options.device, options.dtype});
  check_fits(tokenizer, encoder->options);
  const auto batch = tokenized(tokenizer, texts, options.t5_length, "T5");
  const auto tokens =
      in_batches(batch.ids, options, [&](const at::Tensor& ids) { return encoder->forward(ids); });
  return {{"pooled", pooled}, {"tokens", tokens}, {"mask", batch.mask}};
}

}  // namespace

TokenBatch tokenized(const Tokenizer& tokenizer, const std::vector<std::string>& texts,
                     std::int64_t length, const std::string& encoder) {
  check_argument(!texts.empty(), "[text] expected at least one text, got none");
  TokenBatch batch;
  std::vector<at::Tensor> ids, mask;
  std::int64_t affected = 0, most = 0;
  for (const auto& words : texts) {
    const auto encoded = tokenizer.encode(words, length);
    ids.push_back(torch::tensor(encoded.ids, at::kLong));
    mask.push_back(torch::tensor(encoded.mask, at::kLong));
    batch.cut.push_back(encoded.cut);
    affected += encoded.cut > 0;
    most = std::max(most, encoded.cut);
  }
  if (affected > 0)
    std::cerr << text("[text] ", affected, " of ", texts.size(), " texts are longer than the ",
                      length, " tokens that ", encoder, " takes and were cut, by up to ", most,
                      '\n');
  batch.ids = at::stack(ids);
  batch.mask = at::stack(mask);
  return batch;
}

void check_fits(const Tokenizer& tokenizer, const T5Options& encoder) {
  check_runtime(tokenizer.vocabulary_size() <= encoder.vocabulary,
                "[text] expected a tokenizer of at most ", encoder.vocabulary,
                " ids for this T5 encoder, got ", tokenizer.vocabulary_size());
}

void check_fits(const Tokenizer& tokenizer, const ClipTextOptions& encoder) {
  check_runtime(tokenizer.vocabulary_size() <= encoder.vocabulary,
                "[text] expected a tokenizer of at most ", encoder.vocabulary,
                " ids for this CLIP encoder, got ", tokenizer.vocabulary_size());
  check_runtime(encoder.eos_id == 2 || tokenizer.eos_id() == encoder.eos_id,
                "[text] expected a tokenizer that ends texts with id ", encoder.eos_id,
                " for this CLIP encoder, got ", tokenizer.eos_id());
}

TextEncoderFolders text_encoders_in(const fs::path& pipeline) {
  return {pipeline / "tokenizer", pipeline / "text_encoder", pipeline / "tokenizer_2",
          pipeline / "text_encoder_2"};
}

TextEmbeddings text_embeddings(const std::vector<std::string>& texts,
                               const TextEncoderFolders& folders,
                               const TextEmbeddingOptions& options, const fs::path& directory) {
  check_argument(!texts.empty(), "[text] expected at least one text, got none");
  check_argument(options.t5_length > 0 && options.batch_size > 0,
                 "[text] expected t5_length and batch_size above 0, got ", options.t5_length,
                 " and ", options.batch_size);
  std::vector<std::string> different = texts;
  std::sort(different.begin(), different.end());
  different.erase(std::unique(different.begin(), different.end()), different.end());

  const auto path = directory / "text.safetensors";
  const auto key = key_of(different, folders, options);
  std::optional<StateDict> found;
  if (!directory.empty()) found = detail::read_cache(path, key, "text");
  if (!found) {
    found = computed(different, folders, options);
    if (!directory.empty()) detail::write_cache(path, key, *found);
  }
  std::vector<std::int64_t> rows;
  for (const auto& words : texts)
    rows.push_back(std::lower_bound(different.begin(), different.end(), words) - different.begin());
  std::map<std::string, at::Tensor> values;
  for (const auto& [name, value] : *found)
    values[name] = value.index_select(0, torch::tensor(rows, at::kLong));
  return {values.at("pooled"), values.at("tokens"), values.at("mask")};
}

}  // namespace dermis
