#include "dermis/edge/model.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <new>
#include <numeric>

#include "checkpoint.hpp"
#include "dermis/edge/file.hpp"
#include "folder.hpp"

namespace {
// Counts what this program allocates, to see that inference does not.
std::size_t allocations = 0;
}  // namespace

// Not inlined: the compiler would see free where new comes.
__attribute__((noinline)) void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* block = std::malloc(bytes)) return block;
  throw std::bad_alloc();
}
// std::stable_sort's, whose memory the operator delete below frees.
__attribute__((noinline)) void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes);
}
__attribute__((noinline)) void operator delete(void* block) noexcept {
  std::free(block);
}
__attribute__((noinline)) void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}

namespace dermis::edge {
namespace {

/// The exported file of a drawn classifier.
struct Fixture {
  explicit Fixture(const test::CheckpointOptions& options, const ExportOptions& how = {})
      : checkpoint(test::draw_checkpoint(options)), file(folder / "model.edge") {
    checkpoint.save(folder / "model.safetensors");
    export_model(folder / "model.safetensors", file, how);
  }
  test::ScratchFolder folder;
  test::Checkpoint checkpoint;
  std::filesystem::path file;
};

template <class A, class B>
double largest_difference(const A& a, const B& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(a[i]) - b[i]));
  return most;
}

TEST_CASE("Logits and attention are those of the definition, whatever the kernels") {
  const auto options = GENERATE(test::odd_classifier(), test::student_of_every_depth());
  const Fixture f(options);
  const auto pixels = test::draw_pixels(options.network, 7);
  const auto expected = test::expect(f.checkpoint, pixels);
  for (const auto& kernels : kernel_names()) {
    CAPTURE(kernels);
    Model model(f.file, {1, kernels});
    CHECK(model.kernels() == kernels);
    CHECK(largest_difference(model.logits(pixels.data()), expected.logits) < 1e-5);
    CHECK(largest_difference(model.predict(pixels.data()).attention, expected.attention) < 1e-6);
  }
}

TEST_CASE("The number of threads changes no bit") {
  const auto precision = GENERATE(Precision::F32, Precision::I8);
  const auto options = GENERATE(test::odd_classifier(), test::student_of_every_depth());
  const Fixture f(options, {precision});
  const auto pixels = test::draw_pixels(options.network, 7);
  Model alone(f.file);
  const auto logits = alone.logits(pixels.data());
  const auto attention = alone.predict(pixels.data()).attention;
  for (const int threads : {2, 3, 5}) {
    Model model(f.file, {threads});
    for (int repeat = 0; repeat < 5; ++repeat) CHECK(model.logits(pixels.data()) == logits);
    CHECK(model.predict(pixels.data()).attention == attention);
  }
}

TEST_CASE("Half precision and bytes stay near, and smaller files hold them") {
  const auto options = test::student_of_every_depth();
  const Fixture full(options), half(options, {Precision::F16}), bytes(options, {Precision::I8});
  const auto size = [](const Fixture& f) {
    return static_cast<double>(std::filesystem::file_size(f.file));
  };
  CHECK(size(half) < 0.6 * size(full));
  CHECK(size(bytes) < 0.4 * size(full));
  const auto pixels = test::draw_pixels(options.network, 7);
  const auto expected = test::expect(full.checkpoint, pixels).logits;
  const auto spread = *std::max_element(expected.begin(), expected.end());
  CHECK(largest_difference(Model(half.file).logits(pixels.data()), expected) < 2e-3 * spread);
  for (const auto& kernels : kernel_names())
    CHECK(largest_difference(Model(bytes.file, {1, kernels}).logits(pixels.data()), expected) <
          5e-2 * spread);
}

TEST_CASE("A confident exit is the answer, with its own temperature") {
  const auto options = test::student_of_every_depth();
  const auto pixels = test::draw_pixels(options.network, 7);
  const Fixture never(options);
  const Fixture second(options, {Precision::F32, {1, 2, 1, 1}, {1.5, 0, 0}});
  CHECK(Model(never.file).predict(pixels.data()).exit == 3);
  Model model(second.file);
  const auto& answer = model.predict(pixels.data());
  CHECK(answer.exit == 1);
  const auto logits = test::expect(second.checkpoint, pixels).logits;
  std::vector<double> expected(8);
  for (std::size_t c = 0; c < 8; ++c) expected[c] = std::exp(logits[8 + c] / 2);
  const double sum = std::accumulate(expected.begin(), expected.end(), 0.0);
  for (double& p : expected) p /= sum;
  CHECK(largest_difference(answer.probabilities, expected) < 1e-6);
  CHECK(largest_difference(Model(second.file).logits(pixels.data()), logits) < 1e-5);
}

TEST_CASE("Answers that are not sure are withheld, and classes are flagged at their thresholds") {
  const auto options = test::odd_classifier();
  const auto pixels = test::draw_pixels(options.network, 7);
  const Fixture plain(options);
  Model model(plain.file);
  const auto& sure = model.predict(pixels.data());
  CHECK_FALSE(sure.abstained);
  CHECK(sure.flagged == std::vector<std::uint8_t>{0, 0, 0, 0, 0});
  const auto best = static_cast<std::size_t>(sure.best);
  const double most = sure.probabilities[best];
  CHECK(most == *std::max_element(sure.probabilities.begin(), sure.probabilities.end()));
  std::vector<double> thresholds(5, 1.1);
  thresholds[best] = most - 1e-3;
  const Fixture strict(options, {Precision::F32, {}, {}, most + 1e-3, thresholds});
  Model other(strict.file);
  const auto& unsure = other.predict(pixels.data());
  CHECK(unsure.abstained);
  for (std::size_t c = 0; c < 5; ++c) CHECK(unsure.flagged[c] == (c == best));
}

TEST_CASE("Nothing is allocated after loading") {
  const Fixture f(test::student_of_every_depth(), {Precision::I8});
  const auto pixels = test::draw_pixels(f.checkpoint.options.network, 7);
  const auto photo = make_image(640, 480, 90), small = make_image(1, 1, 90);
  const auto large = make_image(641, 641, 90);
  Model model(f.file, {2, "", true, 480});
  const std::size_t before = allocations;
  model.logits(pixels.data());
  model.predict(pixels.data());
  model.predict(photo);
  model.predict(small);
  CHECK(allocations == before);
  CHECK(model.memory_bytes() > 100'000);
  model.predict(large);
  CHECK(allocations > before);  // the counter counts
}

TEST_CASE("Images of any size become the pixels that the network takes") {
  auto options = test::odd_classifier();
  options.preprocessing.colour_constancy = true;
  const Fixture f(options);
  Model model(f.file);
  CHECK(model.manifest().preprocessing.colour_constancy);
  Image image = make_image(61, 45);
  for (std::size_t i = 0; i < image.rgb.size(); ++i)
    image.rgb[i] = static_cast<std::uint8_t>(i * 7 % 251);
  const auto pixels = pixels_of(image, model.manifest());
  const auto probabilities = model.predict(image).probabilities;
  CHECK(model.predict(pixels.data()).probabilities == probabilities);
  CHECK_NOTHROW(model.predict(make_image(1, 1, 9)));
  CHECK_THROWS_WITH(model.predict(Image{}), Catch::Contains("expected an image of at least 1 x 1"));
}

TEST_CASE("Options that cannot be are refused") {
  const Fixture f(test::odd_classifier());
  CHECK_THROWS_WITH(Model(f.file, {0}), "[edge] expected 1 to 64 threads, got 0");
  CHECK_THROWS_WITH(Model(f.file, {1, "sse9"}), Catch::Contains("got 'sse9'"));
  CHECK_THROWS_WITH(Model(f.folder / "none"), Catch::Contains("none"));
}

}  // namespace
}  // namespace dermis::edge
