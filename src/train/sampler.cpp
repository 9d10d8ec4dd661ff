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
  std::vector<std::int64_t>& all = sampler.classes_.emplace_back(size);
  for (std::int64_t i = 0; i < size; ++i) all[static_cast<std::size_t>(i)] = i;
  sampler.orders_.resize(1);
  return sampler;
}

Sampler Sampler::class_balanced(const std::vector<int>& labels, std::uint64_t seed,
                                const std::string& name) {
  std::string content;
  std::map<int, std::vector<std::int64_t>> by_class;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    by_class[labels[i]].push_back(static_cast<std::int64_t>(i));
    content += text(labels[i], ' ');
  }
  Sampler sampler("class_balanced", seed, name, static_cast<std::int64_t>(labels.size()), content);
  for (auto& [label, images] : by_class) sampler.classes_.push_back(std::move(images));
  sampler.orders_.resize(sampler.classes_.size());
  return sampler;
}

Sampler Sampler::weighted(const std::vector<double>& weights, std::uint64_t seed,
                          const std::string& name) {
  std::string content;
  std::vector<double> cumulative;
  double sum = 0;
  for (const double weight : weights) {
    check_argument(std::isfinite(weight) && weight >= 0,
                   "[sampler] expected finite weights of at least 0, got ", weight);
    cumulative.push_back(sum += weight);
    content.append(reinterpret_cast<const char*>(&weight), sizeof weight);
  }
  Sampler sampler("weighted", seed, name, static_cast<std::int64_t>(weights.size()), content);
  check_argument(sum > 0, "[sampler] expected a weight above 0, got only zeros");
  sampler.cumulative_ = std::move(cumulative);
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
  if (!cumulative_.empty()) {
    const double point = RandomStream(seed_, "draw/" + name_, 0, position).uniform();
    // upper_bound passes over images of weight 0; rounding could reach the end, so stay below it.
    const double limit = std::nextafter(cumulative_.back(), 0.0);
    const auto image = std::upper_bound(cumulative_.begin(), cumulative_.end(),
                                        std::min(point * cumulative_.back(), limit));
    return {image - cumulative_.begin(), position};
  }
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
  const std::vector<std::int64_t>& images = classes_[which];
  const auto count = static_cast<std::int64_t>(images.size());
  const std::int64_t cycle = occurrence / count;
  Order& order = orders_[which];
  if (order.cycle != cycle) {
    order = {cycle, RandomStream(seed_, "order/" + name_, cycle, which).permutation(count)};
  }
  const auto place = static_cast<std::size_t>(occurrence % count);
  return {images[static_cast<std::size_t>(order.permutation[place])], cycle};
}

}  // namespace dermis
