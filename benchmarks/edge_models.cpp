// edge_models FOLDER: the students that benchmarks/peers/edge.py measures, with drawn weights, as
// edge and ONNX files of each precision, and a photograph of ISIC's usual size.
#include <cmath>
#include <cstdio>
#include <exception>

#include "dermis/core/file.hpp"
#include "dermis/edge/file.hpp"
#include "dermis/edge/onnx.hpp"
#include "dermis/io/image.hpp"
#include "edge/checkpoint.hpp"

namespace {

using namespace dermis;

void write(const std::filesystem::path& folder, const std::string& name, std::int64_t dim,
           std::int64_t depth, std::int64_t heads) {
  test::CheckpointOptions options;
  options.network.dim = dim;
  options.network.depth = depth;
  options.network.heads = heads;
  options.network.hidden = 4 * dim;
  options.network.num_classes = 8;
  const auto checkpoint = folder / (name + ".safetensors");
  test::draw_checkpoint(options).save(checkpoint);
  for (const auto precision : {edge::Precision::F32, edge::Precision::I8}) {
    const auto stem = folder / (name + "." + edge::name(precision));
    edge::export_model(checkpoint, stem.string() + ".edge", {precision});
    edge::write_onnx(stem.string() + ".edge", stem.string() + ".onnx");
  }
  std::filesystem::remove(checkpoint);
}

/// 600 x 450 pixels of slow waves.
std::string photo() {
  Image image = make_image(600, 450);
  for (std::int64_t y = 0; y < image.height; ++y)
    for (std::int64_t x = 0; x < image.width; ++x)
      for (int c = 0; c < 3; ++c)
        image.pixel(x, y)[c] =
            static_cast<std::uint8_t>(128 + 80 * std::sin(0.02 * static_cast<double>(x + c * y)));
  return encode_jpeg(image);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: edge_models FOLDER\n");
    return 2;
  }
  try {
    const std::filesystem::path folder = argv[1];
    make_directories(folder);
    write_atomically(folder / "photo.jpg", photo());
    write(folder, "student_vits6_b1", 384, 6, 6);     // ViT-S/16 at 224, half its blocks
    write(folder, "student_vitb16_b1", 768, 12, 12);  // ViT-B/16 at 224
  } catch (const std::exception& error) {
    std::fprintf(stderr, "edge_models: %s\n", error.what());
    return 1;
  }
}
