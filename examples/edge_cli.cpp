// edge_cli MODEL.edge IMAGE...: the smallest program that names lesions on a phone's terms, without
// LibTorch.
#include <cstdio>
#include <exception>

#include "dermis/edge/model.hpp"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: edge_cli MODEL.edge IMAGE...\n");
    return 2;
  }
  try {
    dermis::edge::Model model(argv[1]);
    for (int i = 2; i < argc; ++i) {
      const auto& answer = model.predict(dermis::read_image(argv[i]));
      const auto best = static_cast<std::size_t>(answer.best);
      std::printf("%s: %s %.3f%s\n", argv[i], model.manifest().classes[best].c_str(),
                  answer.probabilities[best], answer.abstained ? " (not sure)" : "");
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "edge_cli: %s\n", error.what());
    return 1;
  }
}
