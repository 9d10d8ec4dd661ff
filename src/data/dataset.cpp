#include "dermis/data/dataset.hpp"

#include <unordered_set>
#include <utility>

#include "dermis/core/check.hpp"

namespace dermis {

struct Dataset::State {
  std::vector<std::string> classes;
  std::vector<Sample> samples;
  Loader loader;
};

Dataset::Dataset() : state_(std::make_shared<State>()) {}

Dataset::Dataset(std::vector<std::string> classes, std::vector<Sample> samples, Loader loader) {
  check_argument(static_cast<bool>(loader), "[dataset] expected a loader, got none");
  std::unordered_set<std::string> seen;
  for (const std::string& name : classes) {
    check_argument(seen.insert(name).second, "[dataset] expected each class once, got ", name,
                   " twice");
  }
  seen.clear();
  for (const Sample& sample : samples) {
    check_argument(sample.label >= 0 && static_cast<std::size_t>(sample.label) < classes.size(),
                   "[dataset] expected the label of ", sample.id, " in [0, ", classes.size(),
                   "), got ", sample.label);
    check_argument(seen.insert(sample.id).second, "[dataset] expected each id once, got ",
                   sample.id, " twice");
  }
  state_ =
      std::make_shared<State>(State{std::move(classes), std::move(samples), std::move(loader)});
}

const std::vector<std::string>& Dataset::classes() const {
  return state_->classes;
}
const std::vector<Sample>& Dataset::samples() const {
  return state_->samples;
}
int64_t Dataset::size() const {
  return static_cast<int64_t>(state_->samples.size());
}

Image Dataset::load(int64_t i) const {
  check_argument(i >= 0 && i < size(), "[dataset] expected an index in [0, ", size(), "), got ", i);
  return state_->loader(i);
}

Dataset Dataset::subset(const std::vector<int64_t>& indices) const {
  std::vector<Sample> samples;
  samples.reserve(indices.size());
  for (const int64_t i : indices) {
    check_argument(i >= 0 && i < size(), "[dataset] expected an index in [0, ", size(), "), got ",
                   i);
    samples.push_back(state_->samples[static_cast<std::size_t>(i)]);
  }
  Loader loader = [parent = state_, indices](int64_t i) {
    return parent->loader(indices[static_cast<std::size_t>(i)]);
  };
  return Dataset(state_->classes, std::move(samples), std::move(loader));
}

std::vector<int> Dataset::labels() const {
  std::vector<int> labels;
  labels.reserve(state_->samples.size());
  for (const Sample& sample : state_->samples) labels.push_back(sample.label);
  return labels;
}

std::vector<std::string> Dataset::lesions() const {
  std::vector<std::string> lesions;
  lesions.reserve(state_->samples.size());
  for (const Sample& sample : state_->samples) lesions.push_back(sample.lesion);
  return lesions;
}

std::vector<std::string> Dataset::patients() const {
  std::vector<std::string> patients;
  patients.reserve(state_->samples.size());
  for (const Sample& sample : state_->samples) patients.push_back(sample.patient);
  return patients;
}

std::vector<int64_t> Dataset::class_counts() const {
  std::vector<int64_t> counts(state_->classes.size());
  for (const Sample& sample : state_->samples) ++counts[static_cast<std::size_t>(sample.label)];
  return counts;
}

Dataset concatenate(const Dataset& a, const Dataset& b) {
  check_argument(a.classes() == b.classes(),
                 "[dataset] expected both data sets to have the same classes in the same order");
  std::vector<Sample> samples = a.samples();
  samples.insert(samples.end(), b.samples().begin(), b.samples().end());
  return Dataset(a.classes(), std::move(samples),
                 [a, b](int64_t i) { return i < a.size() ? a.load(i) : b.load(i - a.size()); });
}

}  // namespace dermis
