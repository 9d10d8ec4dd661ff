#include <algorithm>
#include <cstdio>
#include <memory>

#include "dermis/core/file.hpp"
#include "dermis/core/hash.hpp"
#include "dermis/core/interrupt.hpp"
#include "dermis/core/progress.hpp"
#include "dermis/io/csv.hpp"
#include "dermis/io/image.hpp"
#include "dermis/io/tensors.hpp"
#include "dermis/train/generator.hpp"

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

namespace {

/// What makes a drawn image what it is; kept beside the images, so that a resumed run draws only
/// what is missing.
std::string synthesis_key(const Generator& generator, std::uint64_t seed) {
  return fingerprint(text(fingerprint(state_dict(*generator.unet)),
                          fingerprint(state_dict(*generator.autoencoder)),
                          options_to_json(generator.options).dump(), seed));
}

std::string sample_id(const std::string& class_name, std::int64_t index) {
  char number[32];
  std::snprintf(number, sizeof number, "%05lld", static_cast<long long>(index));
  return "synthetic_" + class_name + "_" + number;
}

}  // namespace

PixelSet synthesize(const Generator& generator, const std::vector<std::int64_t>& plan,
                    std::uint64_t seed, const std::filesystem::path& directory, bool progress) {
  check_argument(plan.size() == generator.classes.size(),
                 "[synthesis] expected a count for each of ", generator.classes.size(),
                 " classes, got ", plan.size());
  PixelSet set;
  set.classes = generator.classes;
  for (std::size_t c = 0; c < plan.size(); ++c) {
    for (std::int64_t i = 0; i < plan[c]; ++i) {
      Sample sample;
      sample.id = sample_id(generator.classes[c], i);
      sample.label = static_cast<int>(c);
      sample.lesion = sample.id;
      sample.synthetic = true;
      sample.original_width = sample.original_height = generator.image_size;
      set.samples.push_back(std::move(sample));
    }
  }
  set.images =
      torch::zeros({set.size(), 3, generator.image_size, generator.image_size}, torch::kByte);
  std::vector<std::int64_t> all_labels;
  for (const auto& sample : set.samples) all_labels.push_back(sample.label);
  set.labels = torch::tensor(all_labels, torch::kLong);

  const auto key = synthesis_key(generator, seed);
  const auto path_of = [&](const Sample& sample) {
    return directory / generator.classes[static_cast<std::size_t>(sample.label)] /
           (sample.id + ".png");
  };
  bool reuse = false;
  if (!directory.empty()) {
    make_directories(directory);
    const auto key_file = directory / "generator_key.txt";
    reuse = std::filesystem::exists(key_file) && read_file(key_file) == key;
    if (!reuse) write_atomically(key_file, key);
    for (const auto& name : generator.classes) make_directories(directory / name);
  }
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < set.samples.size(); ++i) {
    if (reuse && std::filesystem::exists(path_of(set.samples[i]))) {
      set.images[static_cast<std::int64_t>(i)].copy_(
          to_tensor(read_image(path_of(set.samples[i]))));
    } else {
      missing.push_back(i);
    }
  }

  std::unique_ptr<Progress> bar;
  if (progress) bar = std::make_unique<Progress>("synthesize", set.size(), "image");
  std::int64_t done = set.size() - static_cast<std::int64_t>(missing.size());
  constexpr std::size_t batch_size = 64;
  for (std::size_t first = 0; first < missing.size(); first += batch_size) {
    if (bar) bar->update(done);
    if (InterruptGuard::requested())
      throw Interrupted("[synthesize] stopped; --resume draws what is missing");
    const auto last = std::min(missing.size(), first + batch_size);
    std::vector<int> labels;
    std::vector<std::int64_t> indices;
    for (std::size_t k = first; k < last; ++k) {
      const auto& sample = set.samples[missing[k]];
      labels.push_back(sample.label);
      indices.push_back(std::stoll(sample.id.substr(sample.id.rfind('_') + 1)));
    }
    const auto images = generator.sample(labels, indices, seed);
    for (std::size_t k = first; k < last; ++k) {
      const auto& sample = set.samples[missing[k]];
      const auto image = images[static_cast<std::int64_t>(k - first)];
      set.images[static_cast<std::int64_t>(missing[k])].copy_(image);
      if (directory.empty()) continue;
      write_png(
          path_of(sample), to_image(image),
          {{"Title", sample.id},
           {"Description", "SYNTHETIC: not a patient"},
           {"Source", "dermis generator " + key},
           {"Comment", text("class ", set.classes[static_cast<std::size_t>(sample.label)],
                            ", seed ", seed, ", guidance ", generator.options.guidance_scale)}});
    }
    done += static_cast<std::int64_t>(last - first);
  }
  if (bar) {
    bar->update(done);
    bar->finish();
  }
  if (!directory.empty()) {
    std::string csv = csv_line({"image", "label", "lesion_id"}) + "\n";
    for (const auto& sample : set.samples) {
      const auto& name = set.classes[static_cast<std::size_t>(sample.label)];
      csv += csv_line({name + "/" + sample.id + ".png", name, sample.lesion}) + "\n";
    }
    write_atomically(directory / "labels.csv", csv);
  }
  return set;
}

PixelSet load_synthetic(const std::filesystem::path& directory, const PixelSet& like, int threads) {
  const auto table = read_csv(directory / "labels.csv");
  const auto image = table.column("image"), label = table.column("label");
  check_runtime(image >= 0 && label >= 0, "[synthetic] ", table.source,
                ": expected columns image and label");
  std::vector<Sample> samples;
  std::vector<std::filesystem::path> paths;
  for (const auto& row : table.rows) {
    const auto& name = row[static_cast<std::size_t>(label)];
    const auto known = std::find(like.classes.begin(), like.classes.end(), name);
    check_runtime(known != like.classes.end(), "[synthetic] ", table.source, ": class ", name,
                  " is none of the training data's");
    paths.push_back(directory / row[static_cast<std::size_t>(image)]);
    Sample sample;
    sample.id = paths.back().stem().string();
    sample.lesion = sample.id;
    sample.label = static_cast<int>(known - like.classes.begin());
    sample.synthetic = true;
    samples.push_back(std::move(sample));
  }
  const Dataset dataset(like.classes, std::move(samples), [paths](std::int64_t i) {
    return read_image(paths[static_cast<std::size_t>(i)]);
  });
  return load_pixels(dataset, like.images.size(2), {.threads = threads});
}

}  // namespace dermis
