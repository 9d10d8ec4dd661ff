#include "dermis/data/lineage.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "dermis/core/check.hpp"
#include "dermis/core/hash.hpp"
#include "dermis/io/csv.hpp"

namespace dermis {
namespace {

std::string pixel_hash(const at::Tensor& image) {
  const auto bytes = image.cpu().contiguous();
  return fingerprint({reinterpret_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes()});
}

/// `kind` keeps a lesion and a patient of one name apart.
std::string name_hash(const char* kind, const std::string& name) {
  return fingerprint(text(kind, ' ', name));
}

using Hashes = std::vector<std::string>;

Hashes sorted(const std::set<std::string>& hashes) {
  return {hashes.begin(), hashes.end()};
}

bool holds(const Hashes& hashes, const std::string& hash) {
  return std::binary_search(hashes.begin(), hashes.end(), hash);
}

std::string split_hash(const Lineage& lineage) {
  auto content = to_json(lineage);
  content["split"] = "";
  return fingerprint(content.dump());
}

}  // namespace

Lineage lineage_of(const PixelSet& training) {
  std::set<std::string> images, lesions, patients;
  Lineage lineage;
  for (std::size_t i = 0; i < training.samples.size(); ++i) {
    const Sample& sample = training.samples[i];
    if (sample.synthetic) continue;
    images.insert(pixel_hash(training.images[static_cast<std::int64_t>(i)]));
    if (!sample.lesion.empty()) lesions.insert(name_hash("lesion", sample.lesion));
    if (!sample.patient.empty()) patients.insert(name_hash("patient", sample.patient));
    ++lineage.class_counts[training.classes[static_cast<std::size_t>(sample.label)]];
  }
  lineage.images = sorted(images);
  lineage.lesions = sorted(lesions);
  lineage.patients = sorted(patients);
  lineage.split = split_hash(lineage);
  return lineage;
}

Json to_json(const Lineage& lineage) {
  Json classes = Json::object();
  for (const auto& [name, count] : lineage.class_counts) classes[name] = count;
  return Json::object({{"split", lineage.split},
                       {"classes", classes},
                       {"images", lineage.images},
                       {"lesions", lineage.lesions},
                       {"patients", lineage.patients}});
}

Lineage lineage_from_json(const Json& json, const std::string& source) {
  Lineage lineage;
  try {
    lineage.split = json.at("split").get<std::string>();
    for (const auto& [name, count] : json.at("classes").items())
      lineage.class_counts[name] = count.get<std::int64_t>();
    lineage.images = json.at("images").get<Hashes>();
    lineage.lesions = json.at("lesions").get<Hashes>();
    lineage.patients = json.at("patients").get<Hashes>();
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(text("[lineage] ", source, ": ", error.what()));
  }
  // A hash that was lost or changed would let a seen image pass.
  check_runtime(lineage.split.empty() || lineage.split == split_hash(lineage), "[lineage] ", source,
                ": expected the hash of its content as split, got ", lineage.split);
  return lineage;
}

void check_unseen(const Lineage& lineage, const PixelSet& held_out, const std::string& name) {
  check_runtime(!lineage.split.empty(), "[lineage] ", name,
                ": nothing tells which images its generator was trained on");
  std::vector<std::string> seen;
  for (std::size_t i = 0; i < held_out.samples.size(); ++i) {
    const Sample& sample = held_out.samples[i];
    std::string why;
    if (holds(lineage.images, pixel_hash(held_out.images[static_cast<std::int64_t>(i)]))) {
      why = "the image itself";
    } else if (!sample.lesion.empty() &&
               holds(lineage.lesions, name_hash("lesion", sample.lesion))) {
      why = "lesion " + sample.lesion;
    } else if (!sample.patient.empty() &&
               holds(lineage.patients, name_hash("patient", sample.patient))) {
      why = "patient " + sample.patient;
    }
    if (!why.empty()) seen.push_back(text(sample.id, " (", why, ")"));
  }
  check_runtime(seen.empty(), "[lineage] ", name, ": the generator was trained on ", seen.size(),
                " of ", held_out.size(),
                " images, their lesions or patients: ", detail::first_few(seen));
}

}  // namespace dermis
