#include "dermis/audit/leakage.hpp"

#include <algorithm>
#include <map>

namespace dermis {
namespace {

constexpr std::size_t kNames = 100;

using PartList = std::vector<std::pair<std::string, const PixelSet*>>;

/// Names that `name_of` gives to samples of several parts; the empty name is nobody's.
std::vector<SharedName> shared_names(const PartList& parts, std::string Sample::*name_of) {
  std::map<std::string, std::vector<std::string>> parts_of;
  for (const auto& [part, set] : parts) {
    for (const auto& sample : set->samples) {
      const auto& name = sample.*name_of;
      if (name.empty()) continue;
      auto& list = parts_of[name];
      if (list.empty() || list.back() != part) list.push_back(part);
    }
  }
  std::vector<SharedName> shared;
  for (const auto& [name, list] : parts_of)
    if (list.size() > 1) shared.push_back({name, list});
  return shared;
}

template <class Element, class Describe>
Json counted(const std::vector<Element>& elements, Describe describe) {
  Json names = Json::array();
  for (std::size_t i = 0; i < std::min(kNames, elements.size()); ++i)
    names.push_back(describe(elements[i]));
  return Json::object({{"count", elements.size()}, {"names", std::move(names)}});
}

}  // namespace

LeakageResult leakage_audit(const DataParts& parts, const DuplicateOptions& options) {
  const PartList sets = {
      {"train", &parts.train}, {"validation", &parts.validation}, {"test", &parts.test}};
  LeakageResult result;
  result.images = shared_names(sets, &Sample::id);
  result.lesions = shared_names(sets, &Sample::lesion);
  result.patients = shared_names(sets, &Sample::patient);

  // One data set of all real images; numbered, because an id may be there twice.
  std::vector<Sample> samples;
  std::vector<PlacedImage> places;
  std::vector<std::pair<const PixelSet*, std::int64_t>> pixels;
  for (const auto& [part, set] : sets) {
    for (std::int64_t i = 0; i < set->size(); ++i) {
      const auto& sample = set->samples[static_cast<std::size_t>(i)];
      if (sample.synthetic) {
        if (part != "train") result.synthetic.push_back({sample.id, part});
        continue;
      }
      samples.push_back({.id = std::to_string(samples.size()), .label = sample.label});
      places.push_back({sample.id, part});
      pixels.emplace_back(set, i);
    }
  }
  const Dataset all(parts.train.classes, std::move(samples), [pixels](std::int64_t i) {
    const auto& [set, row] = pixels[static_cast<std::size_t>(i)];
    return to_image(set->images[row]);
  });
  for (const auto& pair : find_near_duplicates(all, options)) {
    const auto& a = places[static_cast<std::size_t>(pair.a)];
    const auto& b = places[static_cast<std::size_t>(pair.b)];
    if (a.part != b.part) result.duplicates.push_back({a.id, b.id, pair.distance, a.part, b.part});
  }
  return result;
}

Json to_json(const LeakageResult& result) {
  const auto shared = [](const SharedName& name) {
    return Json::object({{"name", name.name}, {"parts", name.parts}});
  };
  return Json::object(
      {{"clean", result.clean()},
       {"near_duplicates", counted(result.duplicates,
                                   [](const PlacedDuplicate& pair) {
                                     return Json::object({{"a", pair.id_a},
                                                          {"part_a", pair.part_a},
                                                          {"b", pair.id_b},
                                                          {"part_b", pair.part_b},
                                                          {"distance", pair.distance}});
                                   })},
       {"images", counted(result.images, shared)},
       {"lesions", counted(result.lesions, shared)},
       {"patients", counted(result.patients, shared)},
       {"synthetic_held_out", counted(result.synthetic, [](const PlacedImage& image) {
          return Json::object({{"id", image.id}, {"part", image.part}});
        })}});
}

}  // namespace dermis
