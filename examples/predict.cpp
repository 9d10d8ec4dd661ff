/// \file
/// Class probabilities of single images or folders, as CSV.

#include <cstdio>
#include <iostream>

#include "dermis/core/file.hpp"
#include "dermis/io/csv.hpp"
#include "program.hpp"

using namespace dermis;

int main(int argc, char** argv) {
  Program program(
      "predict", "Writes one CSV line of class probabilities an image.",
      "  predict --model out/dermae/student.safetensors lesion.jpg\n"
      "  predict --model out/dermae/student.safetensors photos --out probabilities.csv\n");
  std::filesystem::path model_file;
  std::vector<std::filesystem::path> inputs;
  program.app
      .add_option("--model", model_file,
                  "classifier.safetensors, teacher.safetensors or student.safetensors")
      ->required();
  program.app.add_option("images", inputs, "JPEG or PNG files, or folders of them")->required();
  program.app.add_option("--out", program.out, "CSV file to write; default: standard output");
  return program.run(argc, argv, [&] {
    const auto classifier = load_classifier(model_file, at::Device(program.device));
    std::vector<std::filesystem::path> paths;
    for (const auto& input : inputs) {
      if (!std::filesystem::is_directory(input)) {
        paths.push_back(input);
        continue;
      }
      const auto found = find_images(input);
      check_runtime(!found.empty(), "[predict] ", input.string(),
                    ": expected JPEG or PNG images in this folder, found none");
      paths.insert(paths.end(), found.begin(), found.end());
    }
    const auto size = classifier.model.ptr()->options.image_size;
    std::vector<std::string> header = {"image"};
    header.insert(header.end(), classifier.classes.begin(), classifier.classes.end());
    std::string csv = csv_line(header) + "\n";
    auto found = Json::array();
    std::size_t unreadable = 0;
    for (const auto& path : paths) {
      try {
        const auto image =
            to_tensor(squared(read_image(path), size, {.preprocessing = classifier.preprocessing}))
                .unsqueeze(0);
        const auto probabilities = predict_probabilities(classifier, image);
        std::vector<std::string> row = {path.string()};
        for (Eigen::Index c = 0; c < probabilities.cols(); ++c) {
          char value[32];
          std::snprintf(value, sizeof value, "%.6f", probabilities(0, c));
          row.push_back(value);
        }
        csv += csv_line(row) + "\n";
        auto by_class = Json::object();
        for (std::size_t c = 0; c < classifier.classes.size(); ++c)
          by_class[classifier.classes[c]] = probabilities(0, static_cast<Eigen::Index>(c));
        found.push_back(Json::object({{"image", path.string()}, {"probabilities", by_class}}));
      } catch (const std::runtime_error& error) {
        ++unreadable;
        std::cerr << "left out: " << error.what() << '\n';
      }
    }
    check_runtime(unreadable < paths.size(), "[predict] none of ", paths.size(),
                  " images could be read");
    if (!program.out.empty()) write_atomically(program.out, csv);
    csv.pop_back();  // print() ends the line
    if (program.out.empty() || program.json) program.print(found, csv);
    check_runtime(unreadable == 0, "[predict] ", unreadable, " of ", paths.size(),
                  " images could not be read; the others are written");
  });
}
