#include "dermis/train/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "dermis/core/check.hpp"
#include "dermis/core/hash.hpp"
#include "dermis/core/random.hpp"

namespace dermis {

Sampler::Sampler(const std::string& kind, std::uint64_t seed, const std::string& name,
                 std::int64_t size, const std::string& content)
    : seed_(seed), name_(name), size_(size), configuration_(Json::object()) {
  check_argument(size > 0, "[sampler] expected at least one image to draw from, got none");
  configuration_["kind"] = kind;
  configuration_["name"] = name;
  configuration_["seed"] = std::to_string(seed);  // JSON integers end at 2^63
  configuration_["size"] = size;
  if (!content.empty()) configuration_["fingerprint"] = fingerprint(content);
}

Sampler Sampler::natural(std::int64_t size, std::uint64_t seed, const std::string& name) {
  Sampler sampler("natural", seed, name, size, "");
  auto& all = sampler.classes_.emplace_back().images[0];
  for (std::int64_t i = 0; i < size; ++i) all.push_back(i);
  return sampler;
}

Sampler Sampler::class_balanced(const std::vector<int>& labels, std::uint64_t seed,
                                const std::string& name) {
  return class_balanced(labels, std::vector<bool>(labels.size()), 1, seed, name);
}

Sampler Sampler::class_balanced(const std::vector<int>& labels, const std::vector<bool>& synthetic,
                                double real_share, std::uint64_t seed, const std::string& name) {
  check_argument(real_share >= 0 && real_share <= 1,
                 "[sampler] expected real_share in [0, 1], got ", real_share);
  check_argument(synthetic.size() == labels.size(), "[sampler] expected ", labels.size(),
                 " marks of synthetic images, got ", synthetic.size());
  std::string content;
  std::map<int, Class> by_class;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    by_class[labels[i]].images[synthetic[i]].push_back(static_cast<std::int64_t>(i));
    content += text(labels[i], synthetic[i] ? "s " : " ");
  }
  Sampler sampler("class_balanced", seed, name, static_cast<std::int64_t>(labels.size()), content);
  for (auto& [label, images] : by_class) {
    images.phase = RandomStream(seed, "phase/" + name, 0, sampler.classes_.size()).uniform();
    sampler.classes_.push_back(std::move(images));
  }
  if (std::find(synthetic.begin(), synthetic.end(), true) != synthetic.end())
    sampler.configuration_["real_share"] = sampler.real_share_ = real_share;
  return sampler;
}

std::vector<Draw> Sampler::batch(std::int64_t step, std::int64_t batch_size) const {
  check_argument(step >= 0 && batch_size >= 1,
                 "[sampler] expected step >= 0 and batch_size >= 1, got ", step, " and ",
                 batch_size);
  std::vector<Draw> draws;
  for (std::int64_t i = 0; i < batch_size; ++i) draws.push_back(at(step * batch_size + i));
  return draws;
}

Draw Sampler::at(std::int64_t position) const {
  const auto classes = static_cast<std::int64_t>(classes_.size());
  if (classes == 1) return draw_of_class(0, position);
  const std::int64_t run = position / classes;
  if (class_order_.cycle != run) {
    class_order_ = {run, RandomStream(seed_, "classes/" + name_, run).permutation(classes)};
  }
  const std::int64_t which = class_order_.permutation[static_cast<std::size_t>(position % classes)];
  // Each class comes once a run, so the number of the run counts its occurrences: no history.
  return draw_of_class(static_cast<std::size_t>(which), run);
}

Draw Sampler::draw_of_class(std::size_t which, std::int64_t occurrence) const {
  const Class& own = classes_[which];
  std::size_t kind = own.images[0].empty();
  if (!own.images[0].empty() && !own.images[1].empty()) {
    const auto real_before = [&](std::int64_t draws) {
      return static_cast<std::int64_t>(
          std::floor(static_cast<double>(draws) * real_share_ + own.phase));
    };
    const std::int64_t real = real_before(occurrence);
    kind = real_before(occurrence + 1) == real;
    occurrence = kind == 0 ? real : occurrence - real;
  }
  const std::vector<std::int64_t>& images = own.images[kind];
  const auto count = static_cast<std::int64_t>(images.size());
  const std::int64_t cycle = occurrence / count;
  Order& order = own.orders[kind];
  if (order.cycle != cycle) {
    const std::string purpose = kind == 0 ? "order/" : "synthetic order/";
    order = {cycle, RandomStream(seed_, purpose + name_, cycle, which).permutation(count)};
  }
  const auto place = static_cast<std::size_t>(occurrence % count);
  return {images[static_cast<std::size_t>(order.permutation[place])], cycle};
}

}  // namespace dermis
