#include "dermis/train/teacher_cache.hpp"

#include <ATen/Parallel.h>

#include <algorithm>

#include "cache_file.hpp"
#include "dermis/core/hash.hpp"
#include "dermis/io/tensors.hpp"
#include "dermis/train/classifier.hpp"

namespace dermis {

at::Tensor StageViews::operator()(const PixelSet& training, const Batch& batch,
                                  const StageContext& context) const {
  return augmented(training, batch, recipe, context.seed, "augment/" + name, context.device);
}

TeacherCache::TeacherCache(const std::filesystem::path& directory, const Json& key) {
  if (directory.empty()) return;
  key_ = fingerprint(key.dump());
  path_ = directory / ("answers_" + key_ + ".safetensors");
  const auto kept = detail::read_cache(path_, key_, "teacher cache");
  if (!kept) return;
  TeacherAnswers all;
  for (const auto& [name, tensor] : *kept) {
    if (name == "views") {
      const auto* first = tensor.const_data_ptr<std::int64_t>();
      views_.assign(first, first + tensor.numel());
    } else {
      (name == "logits" ? all.logits : all.hidden) = tensor;
    }
  }
  for (std::size_t i = 0; i < views_.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    place_[views_[i]] = i;
    rows_.push_back({all.logits[row], all.hidden.defined() ? all.hidden[row] : at::Tensor()});
  }
}

std::optional<TeacherAnswers> TeacherCache::find(const std::vector<std::int64_t>& views) const {
  std::vector<at::Tensor> logits, hidden;
  for (const auto view : views) {
    const auto found = place_.find(view);
    if (found == place_.end()) return std::nullopt;
    const auto& row = rows_[found->second];
    logits.push_back(row.logits);
    if (row.hidden.defined()) hidden.push_back(row.hidden);
  }
  return TeacherAnswers{at::stack(logits), hidden.empty() ? at::Tensor() : at::stack(hidden)};
}

void TeacherCache::add(const std::vector<std::int64_t>& views, const TeacherAnswers& answers) {
  if (path_.empty()) return;
  const auto logits = answers.logits.detach().cpu();
  const auto hidden =
      answers.hidden.defined() ? answers.hidden.detach().cpu().contiguous() : at::Tensor();
  for (std::size_t i = 0; i < views.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    if (!place_.emplace(views[i], rows_.size()).second) continue;
    views_.push_back(views[i]);
    rows_.push_back({logits[row], hidden.defined() ? hidden[row] : at::Tensor()});
    changed_ = true;
  }
}

void TeacherCache::save() {
  if (!changed_) return;
  const auto all = *find(views_);
  StateDict tensors = {{"views", torch::tensor(views_, torch::kLong)}, {"logits", all.logits}};
  if (all.hidden.defined()) tensors.emplace_back("hidden", all.hidden);
  detail::write_cache(path_, key_, tensors);
  changed_ = false;
}

TeacherCache teacher_cache(const ViT& teacher, const PixelSet& training, const StageViews& views,
                           const Sampler& sampler, const StageSchedule& schedule,
                           const StageContext& context, at::IntArrayRef hidden) {
  auto numbers = teacher->options.num_classes;
  if (!hidden.empty()) numbers += c10::multiply_integers(hidden);
  const bool fits = schedule.image_passes() <=
                    TeacherCache::limit / static_cast<std::int64_t>(sizeof(float)) / numbers;
  if (context.cache.empty() || !fits) return {};
  const auto& recipe = views.recipe;
  return {context.cache, Json::object({{"teacher", fingerprint(state_dict(*teacher))},
                                       {"options", options_to_json(teacher->options)},
                                       {"hidden", hidden.vec()},
                                       {"data", fingerprint(training)},
                                       {"sampler", sampler.configuration()},
                                       {"views", views.name},
                                       {"recipe", name(recipe.recipe)},
                                       {"augment", options_to_json(recipe.lesion)},
                                       {"normalization", to_json(recipe.normalization)},
                                       {"seed", std::to_string(context.seed)},
                                       {"batch_size", schedule.batch_size},
                                       {"accumulate", schedule.accumulate},
                                       {"bf16", context.bf16},
                                       {"device", context.device.str()},
                                       {"threads", at::get_num_threads()}})};
}

}  // namespace dermis
