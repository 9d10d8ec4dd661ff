#pragma once
/// \file
/// What a locked teacher said of augmented images, kept on the disk: a second student that is shown
/// the same views need not ask again.

#include <filesystem>
#include <optional>
#include <unordered_map>
#include <vector>

#include "dermis/distill/student.hpp"
#include "dermis/train/stage.hpp"

namespace dermis {

/// Which random views a stage shows. Order and augmentation are keyed by (seed, `name`, epoch,
/// image), so that two stages of one name, seed and recipe see the same.
struct StageViews {
  std::string name;
  RecipeOptions recipe;

  at::Tensor operator()(const PixelSet& training, const Batch& batch,
                        const StageContext& context) const;
};

/// The answers of one teacher to one stage's views, by view. With an empty folder nothing is kept.
/// Whoever uses a kept answer trains to the same weights bit for bit as whoever asks: a batch is
/// answered from here only as a whole, and everything that an answer depends on down to the last
/// bit (teacher, images, order, augmentation, batch size, precision, device, threads) is part of
/// the key. Files are read and written as those of cached_latents.
class TeacherCache {
 public:
  /// A stage's answers may take so many bytes on the disk; above it none are kept.
  static constexpr std::int64_t limit = 256 << 20;

  TeacherCache() = default;
  /// \param key  what the answers depend on; DIRECTORY/answers_<its fingerprint>.safetensors
  TeacherCache(const std::filesystem::path& directory, const Json& key);

  /// The answers to all of `views`; nothing if one is missing.
  std::optional<TeacherAnswers> find(const std::vector<std::int64_t>& views) const;
  void add(const std::vector<std::int64_t>& views, const TeacherAnswers& answers);
  /// Writes the file if there is something new.
  void save();

  std::int64_t size() const { return static_cast<std::int64_t>(rows_.size()); }  ///< views

 private:
  std::filesystem::path path_;
  std::string key_;
  std::unordered_map<std::int64_t, std::size_t> place_;  // of a view in the vectors
  std::vector<std::int64_t> views_;
  std::vector<TeacherAnswers> rows_;
  bool changed_ = false;
};

/// The cache for a stage in context.cache: empty where that is, or where the answers are too large.
/// \param hidden  shape of the kept hidden state of a view, [tokens, width]; empty: logits alone
TeacherCache teacher_cache(const ViT& teacher, const PixelSet& training, const StageViews& views,
                           const Sampler& sampler, const StageSchedule& schedule,
                           const StageContext& context, at::IntArrayRef hidden = {});

/// `ask()`, or what it answered to the same views before.
template <class Ask>
TeacherAnswers answers_to(TeacherCache& cache, const PixelSet& training, const Batch& batch,
                          at::Device device, Ask&& ask) {
  const auto views = view_keys(training, batch);
  if (auto known = cache.find(views)) {
    known->logits = known->logits.to(device);
    if (known->hidden.defined()) known->hidden = known->hidden.to(device);
    return *known;
  }
  const TeacherAnswers answers = ask();
  cache.add(views, answers);
  return answers;
}

}  // namespace dermis
