#include "dermis/train/text_embeddings.hpp"

#include <fstream>
#include <iostream>
#include <sstream>

#include "text_pipeline.hpp"

using namespace dermis;
using test::message_of;
using test::Pipeline;

namespace {

namespace fs = std::filesystem;
/// What `action` writes to stderr.
template <class Action>
std::string stderr_of(const Action& action) {
  std::ostringstream captured;
  auto* before = std::cerr.rdbuf(captured.rdbuf());
  action();
  std::cerr.rdbuf(before);
  return captured.str();
}

const std::vector<std::string> texts{
    "a benign mole", "", "a melanoma with irregular border, an atypical network and many streaks",
    "a benign mole"};
const TextEmbeddingOptions options{.t5_length = 14, .batch_size = 2, .dtype = at::kFloat};

}  // namespace

TEST_CASE("text_embeddings: each text has what the encoders say of it") {
  const Pipeline pipeline;
  TextEmbeddings all;
  const auto said = stderr_of([&] { all = text_embeddings(texts, pipeline.folders(), options); });
  CHECK(said.find(" of 3 texts are longer than the 12 tokens that CLIP takes and were cut") !=
        std::string::npos);
  TokenBatch batch;
  const auto clip = read_tokenizer(pipeline.folders().clip_tokenizer);
  const auto line = stderr_of([&] { batch = tokenized(clip, {"", texts[2]}, 12, "CLIP"); });
  CHECK(batch.cut[0] == 0);
  CHECK(batch.cut[1] == static_cast<std::int64_t>(clip.encode(texts[2]).size()) - 12);
  CHECK(
      line.find(text("1 of 2 texts are longer than the 12 tokens that CLIP takes and were cut, by "
                     "up to ",
                     batch.cut[1])) != std::string::npos);
  CHECK(stderr_of([&] { tokenized(clip, {""}, 12, "CLIP"); }).empty());
  CHECK(all.pooled.sizes() == at::IntArrayRef({4, 16}));
  CHECK(all.tokens.sizes() == at::IntArrayRef({4, 14, 16}));
  CHECK(at::equal(all.tokens[0], all.tokens[3]));
  CHECK_FALSE(at::equal(all.tokens[0], all.tokens[1]));

  auto encoder = read_t5_encoder(pipeline.folders().t5_encoder);
  const auto tokenizer = read_tokenizer(pipeline.folders().t5_tokenizer);
  const auto ids = tokenizer.encode(texts[0], 14);
  const torch::NoGradGuard no_grad;
  CHECK(test::difference(encoder->forward(torch::tensor(ids.ids).unsqueeze(0))[0], all.tokens[0]) <
        1e-5);
  CHECK(at::equal(all.mask[0], torch::tensor(ids.mask)));
}

TEST_CASE("text_embeddings: a T5 in a file alone is the one in its folder") {
  const Pipeline pipeline;
  const auto folders = pipeline.folders();
  auto alone = folders;
  alone.t5_encoder = folders.t5_encoder / "model.safetensors";
  stderr_of([&] {
    CHECK(at::equal(text_embeddings(texts, alone, options).tokens,
                    text_embeddings(texts, folders, options).tokens));
  });
}

TEST_CASE("text_embeddings: kept on the disk, and computed anew when something else is asked") {
  const Pipeline pipeline;
  const test::ScratchFolder cache;
  const auto ask = [&](const std::vector<std::string>& words, const TextEmbeddingOptions& o) {
    TextEmbeddings result;
    stderr_of([&] { result = text_embeddings(words, pipeline.folders(), o, cache / "made"); });
    return result;
  };
  const auto first = ask(texts, options);
  const auto file = cache / "made" / "text.safetensors";
  const auto bytes = read_file(file);
  const auto time = fs::last_write_time(file);
  CHECK(at::equal(ask({texts[2], texts[1], texts[0]}, options).tokens[0], first.tokens[2]));
  CHECK(fs::last_write_time(file) == time);  // the same texts in another order: not written again

  auto longer = options;
  longer.t5_length = 20;
  CHECK(ask(texts, longer).tokens.size(1) == 20);
  CHECK(read_file(file) != bytes);

  auto damaged = bytes;
  damaged[damaged.size() - 3] ^= 1;
  write_atomically(file, damaged);
  const auto said = stderr_of([&] {
    const auto again = text_embeddings(texts, pipeline.folders(), options, cache / "made");
    CHECK(at::equal(again.tokens, first.tokens));
  });
  CHECK(said.find("damaged") != std::string::npos);
  CHECK(read_file(file) == bytes);
}

TEST_CASE("text_embeddings: what does not belong together is refused") {
  Pipeline pipeline;
  const auto error = [&] {
    return message_of<std::runtime_error>(
        [&] { text_embeddings(texts, pipeline.folders(), options); });
  };
  pipeline.clip.eos_id = 900;
  pipeline.write();
  CHECK(error().find("ends texts with id 900 for this CLIP encoder, got 933") != std::string::npos);
  pipeline.clip.eos_id = 2;
  pipeline.clip.vocabulary = 933;
  pipeline.write();
  CHECK(error().find("at most 933 ids for this CLIP encoder, got 934") != std::string::npos);
  pipeline.clip.vocabulary = 934;
  pipeline.t5.vocabulary = 375;
  pipeline.write();
  CHECK(error().find("at most 375 ids for this T5 encoder, got 376") != std::string::npos);

  pipeline.t5.vocabulary = 376;
  pipeline.write();
  fs::resize_file(pipeline / "text_encoder_2/model.safetensors", 500);
  CHECK(error().find("text_encoder_2") != std::string::npos);
  fs::remove_all(pipeline / "text_encoder_2");
  CHECK(error().find("no such file or folder") != std::string::npos);
  CHECK(message_of([&] {
          text_embeddings({}, pipeline.folders(), options);
        }).find("at least one") != std::string::npos);
  auto none = options;
  none.batch_size = 0;
  CHECK(message_of([&] { text_embeddings(texts, pipeline.folders(), none); }).find("batch_size") !=
        std::string::npos);
}
