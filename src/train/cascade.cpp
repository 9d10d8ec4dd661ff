#include "dermis/train/cascade.hpp"

namespace dermis {

std::string name(CascadeTeacher teacher) {
  return teacher == CascadeTeacher::Down ? "down" : teacher == CascadeTeacher::Up ? "up" : "own";
}

void from_name(CascadeTeacher& teacher, const std::string& text) {
  for (const auto candidate : {CascadeTeacher::Down, CascadeTeacher::Up, CascadeTeacher::Own}) {
    if (name(candidate) != text) continue;
    teacher = candidate;
    return;
  }
  check_argument(false, "[cascade] expected down, up or own, got ", text);
}

std::vector<CascadeLink> cascade_links(std::int64_t depth, CascadeTeacher teacher) {
  check_argument(depth >= 1, "[cascade] expected a teacher of at least 1 block, got ", depth);
  std::vector<CascadeLink> links;
  if (teacher == CascadeTeacher::Up) {
    for (std::int64_t k = 1; k <= depth; ++k)
      links.push_back({.depth = k, .initial = 0, .teacher = k - 1});
    return links;
  }
  for (std::int64_t k = depth; k >= 1; --k) {
    const auto above = k == depth ? 0 : k + 1;
    links.push_back(
        {.depth = k, .initial = above, .teacher = teacher == CascadeTeacher::Down ? above : 0});
  }
  return links;
}

std::vector<Classifier> train_cascade(const Classifier& teacher, const PixelSet& training,
                                      StudentOptions options, CascadeTeacher direction,
                                      const StageContext& context, const std::string& name,
                                      std::vector<TrainResult>* results) {
  check_argument(!teacher.model.is_empty(), "[cascade] expected a teacher, got none");
  const auto depth = teacher.model.ptr()->options.depth;
  std::vector<Classifier> models(static_cast<std::size_t>(depth));
  if (results) results->assign(models.size(), {});
  const auto at = [&](std::int64_t k) -> const Classifier& {
    return k == 0 ? teacher : models[static_cast<std::size_t>(k - 1)];
  };
  if (options.views.empty()) options.views = name;
  for (const auto& link : cascade_links(depth, direction)) {
    options.layers = first_layers(link.depth);
    const auto place = static_cast<std::size_t>(link.depth - 1);
    models[place] =
        distill(at(link.teacher), training, options, context, text(name, "_", link.depth),
                results ? &(*results)[place] : nullptr, &at(link.initial));
  }
  return models;
}

}  // namespace dermis
