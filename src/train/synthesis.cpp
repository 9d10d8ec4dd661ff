#include "dermis/train/synthesis.hpp"

#include <algorithm>
#include <memory>

#include "dermis/core/file.hpp"
#include "dermis/core/hash.hpp"
#include "dermis/core/interrupt.hpp"
#include "dermis/core/progress.hpp"
#include "dermis/io/csv.hpp"
#include "dermis/io/image.hpp"
#include "dermis/io/tensors.hpp"
#include "dermis/version.hpp"
#include "synthesis_batches.hpp"
#include "take_over.hpp"

namespace dermis {

std::vector<std::int64_t> balancing_plan(const std::vector<std::int64_t>& class_counts,
                                         std::int64_t target, std::int64_t minimum) {
  check_argument(!class_counts.empty() && target >= 0 && minimum >= 0,
                 "[synthesis] expected classes and a target and minimum of at least 0, got ",
                 class_counts.size(), " classes, ", target, " and ", minimum);
  if (target == 0) target = *std::max_element(class_counts.begin(), class_counts.end());
  std::vector<std::int64_t> plan;
  for (const auto count : class_counts) plan.push_back(std::max(minimum, target - count));
  return plan;
}

std::string generator_hash(const Generator& generator) {
  return fingerprint(text(fingerprint(state_dict(*generator.unet)),
                          fingerprint(state_dict(*generator.autoencoder)),
                          Json(generator.classes).dump(), generator.image_size));
}

Provenance provenance_of(const Generator& generator, std::uint64_t seed) {
  const auto options = options_to_json(generator.options);
  const bool flow = generator.options.objective == Objective::Flow;
  return {.generator = generator_hash(generator),
          .split = generator.lineage.split,
          .seed = seed,
          .guidance_scale = generator.options.guidance_scale,
          .sampler = flow ? "euler" : options.value("sampler", "ddim"),
          .steps = generator.options.sampling_steps,
          .settings = fingerprint(options.dump()),
          .version = version};
}

namespace {

Json plan_json(const Generator& generator, const std::vector<std::int64_t>& plan,
               const Provenance& mark) {
  Json classes = Json::object();
  const auto& lineage = generator.lineage;
  for (std::size_t c = 0; c < plan.size(); ++c) {
    Json counts = Json::object({{"real", nullptr}, {"synthetic", plan[c]}, {"total", nullptr}});
    if (!lineage.split.empty()) {
      const auto place = lineage.class_counts.find(generator.classes[c]);
      const auto real = place == lineage.class_counts.end() ? 0 : place->second;
      counts["real"] = real;
      counts["total"] = real + plan[c];
    }
    classes[generator.classes[c]] = counts;
  }
  return Json::object({{"generator", mark.generator},
                       {"split", mark.split},
                       {"seed", text(mark.seed)},  // may be beyond what JSON readers take
                       {"classes", classes}});
}

}  // namespace

PixelSet synthesize(const Generator& generator, const std::vector<std::int64_t>& plan,
                    std::uint64_t seed, const std::filesystem::path& directory, bool progress) {
  check_argument(plan.size() == generator.classes.size(),
                 "[synthesis] expected a count for each of ", generator.classes.size(),
                 " classes, got ", plan.size());
  const auto images = detail::planned_images(plan);
  const auto base = provenance_of(generator, seed);
  PixelSet set;
  set.classes = generator.classes;
  std::vector<std::int64_t> all_labels;
  const auto class_of = [&](std::size_t i) {
    return generator.classes[static_cast<std::size_t>(images[i].label)];
  };
  for (std::size_t i = 0; i < images.size(); ++i) {
    Sample sample;
    sample.id = detail::synthetic_id(class_of(i), images[i].number);
    sample.label = images[i].label;
    sample.lesion = sample.id;
    sample.synthetic = true;
    sample.original_width = sample.original_height = generator.image_size;
    set.samples.push_back(std::move(sample));
    all_labels.push_back(images[i].label);
  }
  set.images =
      torch::zeros({set.size(), 3, generator.image_size, generator.image_size}, torch::kByte);
  set.labels = torch::tensor(all_labels, torch::kLong);

  const auto mark_of = [&](std::size_t i) {
    auto mark = base;
    mark.class_name = class_of(i);
    mark.number = images[i].number;
    return mark;
  };
  const auto path_of = [&](std::size_t i) {
    return detail::synthetic_path(directory, class_of(i), images[i].number);
  };
  std::vector<char> here(images.size());
  std::vector<std::int64_t> kept;  // all but those in quarantine, which are drawn no more
  if (!directory.empty()) {
    make_directories(directory);
    for (const auto& name : generator.classes) make_directories(directory / name);
    for (std::size_t i = 0; i < images.size(); ++i) {
      const auto into = set.images[static_cast<std::int64_t>(i)];
      const auto aside = detail::quarantined_path(directory, class_of(i), images[i].number);
      here[i] = detail::take_over(aside, mark_of(i), into);
      if (here[i]) continue;
      here[i] = detail::take_over(path_of(i), mark_of(i), into);
      kept.push_back(static_cast<std::int64_t>(i));
    }
    // Written last, so that an unfinished folder is not taken for a whole one.
    std::filesystem::remove(directory / "labels.csv");
    write_atomically(directory / "plan.json", plan_json(generator, plan, base).dump(2) + "\n");
    write_atomically(directory / "lineage.json", to_json(generator.lineage).dump(2) + "\n");
  }

  std::unique_ptr<Progress> bar;
  if (progress) bar = std::make_unique<Progress>("synthesize", set.size(), "image");
  std::int64_t done = std::count(here.begin(), here.end(), 1);
  for (std::size_t first = 0; first < images.size(); first += detail::synthesis_batch) {
    if (bar) bar->update(done);
    const auto last = std::min(images.size(), first + detail::synthesis_batch);
    if (std::all_of(&here[first], here.data() + last, [](char found) { return found; })) continue;
    if (InterruptGuard::requested())
      throw Interrupted("[synthesize] stopped; --resume draws what is missing");
    const auto drawn = detail::draw_batch(generator, images, first, seed).cpu();
    for (auto i = first; i < last; ++i) {
      if (here[i]) continue;
      const auto image = drawn[static_cast<std::int64_t>(i - first)];
      set.images[static_cast<std::int64_t>(i)].copy_(image);
      if (!directory.empty()) write_png(path_of(i), to_image(image), png_text(mark_of(i)));
      ++done;
    }
  }
  if (bar) {
    bar->update(done);
    bar->finish();
  }
  if (directory.empty()) return set;
  std::string csv = csv_line({"image", "label", "lesion_id"}) + "\n";
  for (const auto row : kept) {
    const auto i = static_cast<std::size_t>(row);
    const auto& id = set.samples[i].id;
    csv += csv_line({class_of(i) + "/" + id + ".png", class_of(i), id}) + "\n";
  }
  write_atomically(directory / "labels.csv", csv);
  return set.subset(kept);
}

}  // namespace dermis
