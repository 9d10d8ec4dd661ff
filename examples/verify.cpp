/// \file
/// Reads the marks of synthetic images back: which images say they are synthetic, what drew them,
/// and whether that is true.

#include <iostream>
#include <map>

#include "dermis/train/synthesis.hpp"
#include "program.hpp"

using namespace dermis;

namespace {

/// One line an image: what it says of itself.
std::string line(const MarkFinding& finding) {
  auto said = text(finding.file.string(), ": ", finding.synthetic ? "synthetic" : "no mark");
  if (const auto& mark = finding.provenance)
    said += text(", class ", mark->class_name, ", number ", mark->number, ", seed ", mark->seed,
                 ", guidance ", mark->guidance_scale, ", ", mark->sampler, " ", mark->steps,
                 " steps, generator ", mark->generator, ", split ",
                 mark->split.empty() ? "unknown" : mark->split, ", dermis ", mark->version);
  return finding.fault.empty() ? said : said + "; FAULT: " + finding.fault;
}

Json to_json(const MarkFinding& finding) {
  auto json = Json::object({{"file", finding.file.string()}, {"synthetic", finding.synthetic}});
  if (const auto& mark = finding.provenance) {
    json["class"] = mark->class_name;
    json["number"] = mark->number;
    json["seed"] = text(mark->seed);
    json["guidance_scale"] = mark->guidance_scale;
    json["sampler"] = mark->sampler;
    json["steps"] = mark->steps;
    json["generator"] = mark->generator;
    json["split"] = mark->split;
    json["version"] = mark->version;
  }
  if (!finding.fault.empty()) json["fault"] = finding.fault;
  return json;
}

}  // namespace

int main(int argc, char** argv) {
  Program program(
      "verify",
      "Reads the mark that each synthetic image carries and compares it with the folder's lists.\n"
      "Exit code 1 where an image of a folder that `synthesize` wrote has no valid mark or one "
      "that contradicts labels.csv.",
      "  verify out/synthesize/synthetic\n"
      "  verify out/synthesize/synthetic --model out/synthesize --redraw 64\n"
      "  verify photo.png --json\n");
  std::vector<std::filesystem::path> inputs;
  std::filesystem::path model;
  std::int64_t count = 0;
  program.app.add_option("paths", inputs, "PNG or JPEG files, or folders of them")->required();
  program.app.add_option("--model", model,
                         "folder with autoencoder.safetensors and generator.safetensors: every "
                         "synthetic image must be this generator's");
  program.app
      .add_option("--redraw", count,
                  "images of each folder with a plan.json to draw again with --model, and to "
                  "compare by pixel; one PATH must be that folder itself")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  return program.run(argc, argv, [&] {
    check_argument(count == 0 || !model.empty(), "[verify] --redraw needs --model DIR");
    std::vector<MarkFinding> findings;
    for (const auto& input : inputs) {
      auto found = inspect_marks(input);
      findings.insert(findings.end(), found.begin(), found.end());
    }
    Generator generator;
    if (!model.empty()) {
      generator = load_generator(model, at::Device(program.device));
      const auto hash = generator_hash(generator);
      for (auto& finding : findings)
        if (finding.fault.empty() && finding.provenance && finding.provenance->generator != hash)
          finding.fault = text("was drawn by generator ", finding.provenance->generator,
                               ", the model is ", hash);
    }

    std::int64_t synthetic = 0, faults = 0;
    std::map<std::string, std::int64_t> by_class;
    std::string table;
    auto images = Json::array();
    for (const auto& finding : findings) {
      synthetic += finding.synthetic;
      faults += !finding.fault.empty();
      if (finding.provenance) ++by_class[finding.provenance->class_name];
      table += line(finding) + '\n';
      images.push_back(to_json(finding));
    }
    auto classes = Json::object();
    std::string counts;
    for (const auto& [name, number] : by_class) {
      classes[name] = number;
      counts += text(counts.empty() ? " (" : ", ", name, " ", number);
    }
    auto figures = Json::object({{"images", findings.size()},
                                 {"synthetic", synthetic},
                                 {"faults", faults},
                                 {"classes", classes},
                                 {"findings", images}});
    auto summary = text(table, findings.size(), " images: ", synthetic, " synthetic",
                        counts.empty() ? "" : counts + ")", ", ",
                        static_cast<std::int64_t>(findings.size()) - synthetic, " without mark, ",
                        faults, " faults");

    Redrawn redrawn;
    if (count > 0 && faults == 0) {
      for (const auto& input : inputs) {
        if (!std::filesystem::exists(input / "plan.json")) continue;
        const auto found = redraw(generator, input, count);
        redrawn.images += found.images;
        redrawn.equal += found.equal;
        redrawn.largest = std::max(redrawn.largest, found.largest);
      }
      check_runtime(redrawn.images > 0, "[verify] --redraw: no PATH holds a plan.json");
      figures["redrawn"] = Json::object({{"images", redrawn.images},
                                         {"equal", redrawn.equal},
                                         {"largest_difference", redrawn.largest}});
      summary += text("\nredrawn: ", redrawn.images, ", of which ", redrawn.equal,
                      " equal; largest difference ", redrawn.largest, " of 255");
    }
    program.print(figures, summary);
    check_runtime(faults == 0, "[verify] ", faults, " of ", findings.size(),
                  " images have no valid mark or one that is not true");
    // Another machine, or number of threads, may round a value the other way.
    check_runtime(redrawn.largest <= 1,
                  "[verify] redrawn images differ from the stored ones by up "
                  "to ",
                  redrawn.largest, " of 255");
  });
}
