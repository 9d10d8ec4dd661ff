#pragma once
/// \file
/// The unigram language model's segmentation (Kudo 2018, arXiv 1804.10959): of all ways to cut a
/// text into pieces the one whose scores sum highest.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace dermis::detail {

/// A piece and its log-probability; one that is not `used` is in no text.
struct ScoredPiece {
  std::string text;
  double score = 0;
  bool used = true;
};

class Unigram {
 public:
  /// `pieces` in the order of their ids. `single_precision`: the sums are float as sentencepiece's,
  /// otherwise double as the tokenizers library's; ties may fall differently. Throws
  /// std::runtime_error naming `source` for empty or doubled pieces, scores that are no numbers and
  /// an unknown piece outside them.
  Unigram(const std::vector<ScoredPiece>& pieces, std::int64_t unknown, bool single_precision,
          const std::string& source);

  /// Appends the ids of a text. A run of characters that no piece holds is one unknown piece.
  void append(std::string_view text, std::vector<std::int64_t>& ids) const;

 private:
  struct Step;
  void insert(const std::string& text, std::int64_t id, const std::string& source);
  std::vector<Step> best_steps(std::string_view text) const;

  std::unordered_map<std::uint64_t, std::uint32_t> children_;  ///< by node and byte
  std::vector<std::int64_t> id_at_;                            ///< by node, -1: no piece ends here
  std::vector<double> scores_;
  std::int64_t unknown_;
  double unknown_score_ = 0;
  bool single_precision_;
};

}  // namespace dermis::detail
