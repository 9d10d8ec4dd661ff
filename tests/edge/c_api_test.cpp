#include <catch2/catch.hpp>
#include <string>

#include "checkpoint.hpp"
#include "dermis/edge/file.hpp"
#include "dermis/edge/model.hpp"
#include "dermis_edge.h"
#include "folder.hpp"

namespace dermis::edge {
namespace {

struct Fixture {
  Fixture() {
    test::draw_checkpoint(options).save(folder / "student.safetensors");
    export_model(folder / "student.safetensors", file);
  }
  test::CheckpointOptions options = test::student_of_every_depth();
  test::ScratchFolder folder;
  std::filesystem::path file = folder / "student.edge";
};

TEST_CASE("The C API says what the model says") {
  const Fixture f;
  dermis_edge* handle = nullptr;
  REQUIRE(dermis_edge_load(f.file.c_str(), 2, nullptr, &handle) == 0);
  CHECK(std::string(dermis_edge_error()).empty());
  CHECK(dermis_edge_abi() == DERMIS_EDGE_ABI);
  CHECK(dermis_edge_class_count(handle) == 8);
  CHECK(std::string(dermis_edge_class_name(handle, 7)) == "class 7");
  CHECK(dermis_edge_class_name(handle, 8) == nullptr);
  CHECK(dermis_edge_class_name(handle, -1) == nullptr);
  CHECK(dermis_edge_image_size(handle) == 64);
  CHECK(dermis_edge_grid(handle) == 8);
  CHECK(dermis_edge_exits(handle) == 4);
  CHECK(dermis_edge_kernels(handle) == kernel_names().front());

  Model model(f.file);
  CHECK(dermis_edge_memory(handle) >= static_cast<std::int64_t>(model.memory_bytes()));
  Image image = make_image(50, 70);
  for (std::size_t i = 0; i < image.rgb.size(); ++i)
    image.rgb[i] = static_cast<std::uint8_t>(i * 13 % 256);
  std::vector<std::uint8_t> padded;  // rows with seven bytes more
  for (std::int64_t y = 0; y < 70; ++y) {
    padded.insert(padded.end(), image.pixel(0, y), image.pixel(0, y) + 150);
    padded.insert(padded.end(), 7, 255);
  }
  const auto& expected = model.predict(image);
  dermis_edge_answer answer;
  REQUIRE(dermis_edge_predict(handle, padded.data(), 50, 70, 157, &answer) == 0);
  CHECK(answer.best == expected.best);
  CHECK(answer.exit == 3);
  CHECK(std::vector<float>(answer.probabilities, answer.probabilities + 8) ==
        expected.probabilities);
  CHECK(std::vector<float>(answer.attention, answer.attention + 64) == expected.attention);

  const auto pixels = test::draw_pixels(f.options.network, 4);
  std::vector<float> logits(32);
  REQUIRE(dermis_edge_logits(handle, pixels.data(), logits.data()) == 0);
  CHECK(logits == model.logits(pixels.data()));
  REQUIRE(dermis_edge_predict_pixels(handle, pixels.data(), &answer) == 0);
  CHECK(answer.best == model.predict(pixels.data()).best);
  char digest[65];
  REQUIRE(dermis_edge_verify(f.file.c_str(), digest) == 0);
  CHECK(digest == verify(f.file));
  dermis_edge_free(handle);
  dermis_edge_free(nullptr);
}

TEST_CASE("The C API throws nothing and says why") {
  const Fixture f;
  dermis_edge* handle = reinterpret_cast<dermis_edge*>(8);
  const auto said = [](const char* what) {
    return std::string(dermis_edge_error()).find(what) != std::string::npos;
  };
  CHECK(dermis_edge_load("/nonexistent/file", 1, nullptr, &handle) == -1);
  CHECK(handle == nullptr);
  CHECK(said("/nonexistent/file"));
  CHECK(dermis_edge_load(f.file.c_str(), 0, nullptr, &handle) == -1);
  CHECK(said("expected 1 to 64 threads, got 0"));
  CHECK(dermis_edge_load(f.file.c_str(), 1, "abacus", &handle) == -1);
  CHECK(said("got 'abacus'"));
  CHECK(dermis_edge_load(nullptr, 1, nullptr, &handle) == -1);
  CHECK(said("got NULL"));
  char digest[65];
  CHECK(dermis_edge_verify((f.folder / "student.safetensors").c_str(), digest) == -1);
  CHECK(said("expected an edge file"));

  REQUIRE(dermis_edge_load(f.file.c_str(), 1, nullptr, &handle) == 0);
  const std::vector<std::uint8_t> rgb(300);
  dermis_edge_answer answer;
  CHECK(dermis_edge_predict(handle, rgb.data(), 0, 10, 30, &answer) == -1);
  CHECK(dermis_edge_predict(handle, rgb.data(), 10, 1 << 30, 30, &answer) == -1);
  CHECK(said("expected an image of 1 x 1 to"));
  CHECK(dermis_edge_predict(handle, rgb.data(), 10, 10, 29, &answer) == -1);
  CHECK(said("expected at least 30 bytes a row, got 29"));
  CHECK(dermis_edge_predict(handle, rgb.data(), 10, 10, 30, nullptr) == -1);
  CHECK(dermis_edge_predict(handle, rgb.data(), 10, 10, 30, &answer) == 0);
  CHECK(said(""));
  dermis_edge_free(handle);
}

}  // namespace
}  // namespace dermis::edge
