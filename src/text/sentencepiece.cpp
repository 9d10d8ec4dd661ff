/// \file
/// Model files of sentencepiece (sentencepiece_model.proto), and text as it normalises it.

#include <memory>

#include "charsmap.hpp"
#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"
#include "protobuf.hpp"
#include "tokenizer_state.hpp"
#include "unigram.hpp"
#include "words.hpp"

namespace dermis {
namespace {

using detail::ProtobufReader;
using detail::space_mark;

/// SentencePiece.Type.
enum PieceType : std::uint64_t {
  Normal = 1,
  Unknown = 2,
  Control = 3,
  UserDefined = 4,
  Unused = 5
};

struct Model {
  std::vector<detail::ScoredPiece> pieces;
  std::int64_t unknown = -1, end = -1, pad = -1;
  std::uint64_t kind = 1;  ///< 1 unigram, 2 BPE, ...
  std::string charsmap;
  bool dummy_prefix = true, remove_spaces = true, mark_spaces = true, suffix = false;
};

void read_piece(Model& model, std::string_view message, const std::string& source) {
  detail::ScoredPiece piece;
  std::uint64_t type = Normal;
  ProtobufReader reader(message, source);
  while (reader.next()) {
    if (reader.number() == 1) piece.text = reader.bytes();
    if (reader.number() == 2) piece.score = reader.real();
    if (reader.number() == 3) type = reader.integer();
  }
  const auto id = static_cast<std::int64_t>(model.pieces.size());
  check_runtime(type >= Normal && type <= Unused && type != UserDefined, "[tokenizer] ", source,
                ": expected normal, unknown, control or unused pieces, got type ", type, " for '",
                piece.text, "'");
  piece.used = type == Normal;
  if (type == Unknown) model.unknown = id;
  if (type == Control && piece.text == "</s>") model.end = id;
  if (type == Control && piece.text == "<pad>") model.pad = id;
  model.pieces.push_back(std::move(piece));
}

void read_trainer(Model& model, std::string_view message, const std::string& source) {
  ProtobufReader reader(message, source);
  while (reader.next()) {
    if (reader.number() == 3) model.kind = reader.integer();
    if (reader.number() == 24) model.suffix = reader.integer() != 0;
  }
}

void read_normaliser(Model& model, std::string_view message, const std::string& source) {
  ProtobufReader reader(message, source);
  while (reader.next()) {
    if (reader.number() == 2) model.charsmap = reader.bytes();
    if (reader.number() == 3) model.dummy_prefix = reader.integer() != 0;
    if (reader.number() == 4) model.remove_spaces = reader.integer() != 0;
    if (reader.number() == 5) model.mark_spaces = reader.integer() != 0;
  }
}

Model read_model(std::string_view bytes, const std::string& source) {
  Model model;
  ProtobufReader reader(bytes, source);
  while (reader.next()) {
    if (reader.number() == 1) read_piece(model, reader.bytes(), source);
    if (reader.number() == 2) read_trainer(model, reader.bytes(), source);
    if (reader.number() == 3) read_normaliser(model, reader.bytes(), source);
  }
  check_runtime(!model.pieces.empty(), "[tokenizer] ", source,
                ": expected a sentencepiece model, got none of its pieces");
  check_runtime(model.kind == 1, "[tokenizer] ", source, ": expected a unigram model, got type ",
                model.kind);
  check_runtime(!model.suffix && model.mark_spaces, "[tokenizer] ", source,
                ": expected marks for spaces, in front of words");
  check_runtime(model.unknown >= 0 && model.end >= 0 && model.pad >= 0, "[tokenizer] ", source,
                ": expected the pieces <unk>, </s> and <pad>");
  return model;
}

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// `text` with marks for spaces, one in front; with remove_spaces, runs of spaces are one, and
/// those at both ends are left out.
std::string normalised(std::string_view text, const detail::Charsmap& map, const Model& model) {
  while (model.remove_spaces && !text.empty()) {
    const auto step = map.next(text);
    if (step.text != " ") break;
    text.remove_prefix(step.bytes);
  }
  if (text.empty()) return "";
  std::string result;
  if (model.dummy_prefix) result = space_mark;
  bool after_space = model.remove_spaces;
  while (!text.empty()) {
    const auto step = map.next(text);
    auto part = step.text;
    while (after_space && !part.empty() && part.front() == ' ') part.remove_prefix(1);
    for (const char c : part) c == ' ' ? result.append(space_mark) : result.append(1, c);
    if (!part.empty()) after_space = model.remove_spaces && part.back() == ' ';
    text.remove_prefix(step.bytes);
  }
  while (model.remove_spaces && ends_with(result, space_mark))
    result.resize(result.size() - space_mark.size());
  return result;
}

}  // namespace

Tokenizer read_sentencepiece(const std::filesystem::path& path, std::int64_t extra_ids) {
  return parse_sentencepiece(read_file(path), path.string(), extra_ids);
}

Tokenizer parse_sentencepiece(std::string_view bytes, const std::string& source,
                              std::int64_t extra_ids) {
  check_argument(extra_ids >= 0, "[tokenizer] expected 0 extra ids or more, got ", extra_ids);
  const auto model = std::make_shared<Model>(read_model(bytes, source));
  const auto map = std::make_shared<const detail::Charsmap>(model->charsmap, source);
  const auto unigram =
      std::make_shared<const detail::Unigram>(model->pieces, model->unknown, true, source);
  Tokenizer::State state;
  state.normalise_repairs = true;
  state.after = {model->end};
  state.pad = model->pad;
  state.size = static_cast<std::int64_t>(model->pieces.size()) + extra_ids;
  model->pieces.clear();
  state.normalise = [map, model](const std::string& text) {
    return normalised(text, *map, *model);
  };
  state.words = [](std::string_view text, bool) {
    return std::vector<std::string>{std::string(text)};
  };
  state.pieces = [unigram](std::string_view text, std::vector<std::int64_t>& ids) {
    unigram->append(text, ids);
  };
  return Tokenizer(std::make_shared<const Tokenizer::State>(std::move(state)));
}

}  // namespace dermis
