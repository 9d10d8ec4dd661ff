// edge_sample FOLDER: small edge and ONNX files of every precision, pixels, an image and what the
// network must say, for tests in other languages.
#include <cstdio>
#include <exception>
#include <string_view>

#include "checkpoint.hpp"
#include "dermis/core/file.hpp"
#include "dermis/edge/file.hpp"
#include "dermis/edge/model.hpp"
#include "dermis/edge/onnx.hpp"

namespace {

using namespace dermis;

template <class T>
std::string_view bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

void write(const std::filesystem::path& folder, const std::string& name,
           const test::CheckpointOptions& options) {
  const auto checkpoint = test::draw_checkpoint(options);
  checkpoint.save(folder / (name + ".safetensors"));
  const auto pixels = test::draw_pixels(options.network, 11);
  for (const auto precision : {edge::Precision::F32, edge::Precision::F16, edge::Precision::I8}) {
    const auto stem = (folder / (name + "." + edge::name(precision))).string();
    edge::export_model(folder / (name + ".safetensors"), stem + ".edge", {precision});
    edge::write_onnx(stem + ".edge", stem + ".onnx");
  }
  write_atomically(folder / (name + ".pixels"), bytes_of(pixels));
  write_atomically(folder / (name + ".logits"), bytes_of(test::expect(checkpoint, pixels).logits));

  Image image = make_image(90, 70);
  for (std::size_t i = 0; i < image.rgb.size(); ++i)
    image.rgb[i] = static_cast<std::uint8_t>(i * 31 % 253);
  edge::Model model(folder / (name + ".fp32.edge"));
  write_atomically(folder / (name + ".rgb"), bytes_of(image.rgb));
  write_atomically(folder / (name + ".probabilities"),
                   bytes_of(model.predict(image).probabilities));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: edge_sample FOLDER\n");
    return 2;
  }
  try {
    make_directories(argv[1]);
    write(argv[1], "classifier", test::odd_classifier());
    write(argv[1], "student", test::student_of_every_depth());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "edge_sample: %s\n", error.what());
    return 1;
  }
}
