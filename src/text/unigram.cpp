#include "unigram.hpp"

#include <algorithm>
#include <cmath>

#include "dermis/core/check.hpp"
#include "utf8.hpp"

namespace dermis::detail {

namespace {
constexpr double unknown_penalty = 10;
}

/// The best way to arrive at a place of the text.
struct Unigram::Step {
  double score = 0;
  std::int64_t id = -1;
  std::int64_t from = -1;  ///< -1: not reached
};

Unigram::Unigram(const std::vector<ScoredPiece>& pieces, std::int64_t unknown,
                 bool single_precision, const std::string& source)
    : id_at_{-1}, unknown_(unknown), single_precision_(single_precision) {
  const auto count = static_cast<std::int64_t>(pieces.size());
  check_runtime(unknown >= 0 && unknown < count, "[tokenizer] ", source,
                ": expected an unknown piece in 0..", count - 1, ", got ", unknown);
  double least = INFINITY;
  for (std::int64_t id = 0; id < count; ++id) {
    const auto& piece = pieces[static_cast<std::size_t>(id)];
    check_runtime(!piece.text.empty() && std::isfinite(piece.score), "[tokenizer] ", source,
                  ": expected pieces with a text and a finite score, got '", piece.text, "' and ",
                  piece.score, " at ", id);
    scores_.push_back(piece.score);
    if (!piece.used) continue;
    least = std::min(least, piece.score);
    insert(piece.text, id, source);
  }
  unknown_score_ = (std::isfinite(least) ? least : 0) - unknown_penalty;
  if (single_precision_) unknown_score_ = static_cast<float>(unknown_score_);
}

void Unigram::insert(const std::string& text, std::int64_t id, const std::string& source) {
  std::uint32_t node = 0;
  for (const char c : text) {
    const auto key = std::uint64_t{node} << 8 | static_cast<unsigned char>(c);
    const auto [child, added] = children_.emplace(key, static_cast<std::uint32_t>(id_at_.size()));
    if (added) id_at_.push_back(-1);
    node = child->second;
  }
  check_runtime(id_at_[node] < 0, "[tokenizer] ", source, ": expected every piece once, got '",
                text, "' at ", id_at_[node], " and ", id);
  id_at_[node] = id;
}

std::vector<Unigram::Step> Unigram::best_steps(std::string_view text) const {
  std::vector<Step> steps(text.size() + 1);
  for (std::size_t at = 0; at < text.size();) {
    const double here = steps[at].score;
    const auto arrive = [&](std::size_t end, std::int64_t id, double score) {
      Step& step = steps[end];
      const double sum = single_precision_ ? static_cast<float>(score + here) : score + here;
      if (step.from >= 0 && sum <= step.score) return;
      step = {sum, id, static_cast<std::int64_t>(at)};
    };
    const std::size_t character = code_point(text, at).bytes;
    bool known = false;
    std::uint32_t node = 0;
    for (std::size_t end = at; end < text.size();) {
      const auto child =
          children_.find(std::uint64_t{node} << 8 | static_cast<unsigned char>(text[end]));
      if (child == children_.end()) break;
      node = child->second;
      ++end;
      if (id_at_[node] < 0) continue;
      arrive(end, id_at_[node], scores_[static_cast<std::size_t>(id_at_[node])]);
      known |= end - at == character;
    }
    if (!known) arrive(at + character, unknown_, unknown_score_);
    at += character;
  }
  return steps;
}

void Unigram::append(std::string_view text, std::vector<std::int64_t>& ids) const {
  const auto steps = best_steps(text);
  const auto first = static_cast<std::ptrdiff_t>(ids.size());
  std::int64_t last = -1;
  for (auto at = static_cast<std::int64_t>(text.size()); at > 0;) {
    const Step& step = steps[static_cast<std::size_t>(at)];
    if (step.id != unknown_ || last != unknown_) ids.push_back(step.id);
    last = step.id;
    at = step.from;
  }
  std::reverse(ids.begin() + first, ids.end());
}

}  // namespace dermis::detail
