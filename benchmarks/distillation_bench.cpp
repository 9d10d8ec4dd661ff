// A student's training step at the demo's sizes: asking the teacher, and with answers that are
// kept.
#include "dermis/distill/student.hpp"
#include "models.hpp"

namespace {

using namespace dermis;

constexpr std::int64_t kBatch = 32;

void step(benchmark::State& state, bool kept) {
  const ViT teacher(ViTOptions{
      .image_size = 64, .patch_size = 8, .dim = 128, .depth = 6, .heads = 4, .num_classes = 8});
  Distiller distiller(student_from_layers(teacher, first_layers(3)), teacher, skindistilvit_loss());
  const auto images = torch::rand({kBatch, 3, 64, 64});
  const auto labels = torch::arange(kBatch) % 8;
  const auto answers = distiller->ask_teacher(images);
  bench::train_steps(state, *distiller, kBatch, false, [&] {
    return distiller->forward(images, labels, kept ? answers : distiller->ask_teacher(images))
        .total;
  });
}

void asking(benchmark::State& state) {
  step(state, false);
}
void kept(benchmark::State& state) {
  step(state, true);
}
BENCHMARK(asking)->Name("student_b32_asking")->Unit(benchmark::kMillisecond);
BENCHMARK(kept)->Name("student_b32_kept")->Unit(benchmark::kMillisecond);

}  // namespace
