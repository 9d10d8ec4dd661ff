#include "dermis/data/pixels.hpp"

#include <torch/types.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <stdexcept>

#include "dermis/core/check.hpp"
#include "dermis/core/interrupt.hpp"
#include "folder_fixture.hpp"

using namespace dermis;
using Catch::Contains;

namespace {

/// `count` formula images of different sizes, label i % 2; those for which `broken(i)` holds do not
/// load.
Dataset formulas(int64_t count, std::function<bool(int64_t)> broken = nullptr) {
  std::vector<Sample> samples;
  for (int64_t i = 0; i < count; ++i) {
    samples.push_back({.id = "image" + std::to_string(i), .label = static_cast<int>(i % 2)});
  }
  return Dataset({"NV", "MEL"}, std::move(samples), [broken](int64_t i) {
    if (broken && broken(i))
      throw std::runtime_error("image" + std::to_string(i) + ".jpg: truncated");
    return test::formula_image(40 + 3 * i, 32 + i, static_cast<int>(i));
  });
}

PixelOptions quiet(int threads = 1, DataReport* report = nullptr) {
  return {.threads = threads, .report = report, .progress = false};
}

}  // namespace

TEST_CASE("pixels: images come squared and in order, whatever the threads") {
  const Dataset data = formulas(11);
  const PixelSet one = load_pixels(data, 16, quiet(1));
  REQUIRE(one.images.sizes() == at::IntArrayRef({11, 3, 16, 16}));
  CHECK(one.images.scalar_type() == torch::kUInt8);
  CHECK(one.labels.scalar_type() == torch::kInt64);
  CHECK(one.classes == data.classes());
  for (int64_t i = 0; i < 11; ++i) {
    CHECK(to_image(one.images[i]) == square_resized(data.load(i), 16));
    CHECK(one.labels[i].item<int64_t>() == i % 2);
    CHECK(one.samples[static_cast<std::size_t>(i)].original_width == 40 + 3 * i);
    CHECK(one.samples[static_cast<std::size_t>(i)].original_height == 32 + i);
  }
  for (const int threads : {2, 5, 64}) {
    const PixelSet many = load_pixels(data, 16, quiet(threads));
    CHECK(torch::equal(many.images, one.images));
    CHECK(torch::equal(many.labels, one.labels));
  }
}

TEST_CASE("pixels: squashing and other filters are there for comparison") {
  const Dataset data = formulas(2);
  const PixelSet squashed = load_pixels(
      data, 8, {.square = {.fit = Fit::Squash, .filter = Filter::Bilinear}, .progress = false});
  CHECK(to_image(squashed.images[1]) == resize(data.load(1), 8, 8, Filter::Bilinear));
  CHECK_FALSE(torch::equal(squashed.images, load_pixels(data, 8, quiet()).images));
}

TEST_CASE("pixels: corrupt images are left out, counted and named") {
  const Dataset data = formulas(9, [](int64_t i) { return i == 3 || i == 8; });
  for (const int threads : {1, 3}) {
    DataReport report;
    const PixelSet pixels = load_pixels(data, 8, quiet(threads, &report));
    REQUIRE(pixels.size() == 7);
    CHECK(pixels.images.size(0) == 7);
    CHECK(pixels.class_counts() == std::vector<int64_t>{4, 3});
    CHECK(pixels.samples[3].id == "image4");
    CHECK(to_image(pixels.images[3]) == square_resized(data.load(4), 8));
    CHECK(report.corrupt == 2);
    REQUIRE(report.messages.size() == 2);
    CHECK_THAT(report.messages[0], Contains("image3.jpg: truncated"));
    CHECK_THAT(report.messages[1], Contains("image8.jpg"));
  }
  CHECK(load_pixels(data, 8, quiet()).size() == 7);  // a report is not a must
}

TEST_CASE("pixels: real files that are damaged, empty or gone") {
  const test::ImageFolder folder;
  folder.write_image("good.jpg", 1);
  folder.write_image("good.png", 2);
  const std::string bytes = encode_jpeg(test::formula_image(64, 64, 3));
  const std::vector<std::filesystem::path> paths = {
      folder / "good.jpg",
      folder.write("cut.jpg", bytes.substr(0, bytes.size() / 3)),
      folder.write("empty.png", ""),
      folder / "gone.png",
      folder.write("text.jpg", "not an image"),
      folder / "good.png"};
  std::vector<Sample> samples;
  for (const auto& path : paths) samples.push_back({.id = path.filename().string()});
  DataReport report;
  const PixelSet pixels = load_pixels(
      Dataset({"NV"}, samples,
              [&](int64_t i) { return read_image(paths[static_cast<std::size_t>(i)]); }),
      8, quiet(2, &report));
  CHECK(pixels.size() == 2);
  CHECK(report.corrupt == 4);
  CHECK_THAT(report.messages.at(0), Contains("cut.jpg"));
}

TEST_CASE("pixels: a class without a readable image is an error") {
  CHECK_THROWS_WITH(load_pixels(formulas(6, [](int64_t i) { return i % 2 == 1; }), 8, quiet()),
                    Contains("none of the 3 images of class MEL") && Contains("image1.jpg"));
  CHECK_THROWS_AS(load_pixels(formulas(6, [](int64_t) { return true; }), 8, quiet()),
                  std::runtime_error);
  CHECK_THROWS_AS(load_pixels(Dataset(), 8, quiet()), std::runtime_error);
  CHECK_THROWS_AS(load_pixels(formulas(2), 0, quiet()), std::invalid_argument);
  CHECK_THROWS_AS(load_pixels(formulas(2), 8, quiet(0)), std::invalid_argument);
}

TEST_CASE("pixels: defects in a loader are not mistaken for corrupt images") {
  const Dataset data({"NV"}, {{.id = "a"}, {.id = "b"}, {.id = "c"}}, [](int64_t i) -> Image {
    if (i == 1) throw std::logic_error("defect");
    return make_image(4, 4);
  });
  CHECK_THROWS_AS(load_pixels(data, 4, quiet(1)), std::logic_error);
  CHECK_THROWS_AS(load_pixels(data, 4, quiet(3)), std::logic_error);
}

TEST_CASE("pixels: Ctrl-C stops loading") {
  {
    const InterruptGuard guard;
    std::raise(SIGINT);
    CHECK_THROWS_AS(load_pixels(formulas(4), 8, quiet(2)), Interrupted);
  }
  InterruptGuard::clear();
  CHECK(load_pixels(formulas(4), 8, quiet(2)).size() == 4);
}

TEST_CASE("pixels: subset and concatenation") {
  const PixelSet all = load_pixels(formulas(5), 8, quiet());
  const PixelSet part = all.subset({4, 1});
  CHECK(torch::equal(part.images[0], all.images[4]));
  CHECK(part.samples[1].id == "image1");
  CHECK(part.class_counts() == std::vector<int64_t>{1, 1});
  CHECK(all.subset({}).size() == 0);
  const PixelSet both = concatenate(part, all);
  CHECK(both.size() == 7);
  CHECK(torch::equal(both.images.slice(0, 2), all.images));
  CHECK(both.labels[1].item<int64_t>() == 1);

  CHECK_THROWS_AS(all.subset({5}), std::invalid_argument);
  CHECK_THROWS_AS(concatenate(all, load_pixels(formulas(2), 16, quiet())), std::invalid_argument);
  PixelSet renamed = all;
  renamed.classes = {"MEL", "NV"};
  CHECK_THROWS_AS(concatenate(all, renamed), std::invalid_argument);
}

TEST_CASE("pixels: image to tensor and back") {
  const Image image = test::formula_image(7, 5);
  const at::Tensor tensor = to_tensor(image);
  REQUIRE(tensor.sizes() == at::IntArrayRef({3, 5, 7}));
  CHECK(tensor[1][4][6].item<int>() == image.pixel(6, 4)[1]);
  CHECK(to_image(tensor) == image);
  CHECK(to_image(tensor.to(torch::kFloat32) / 255) == image);
  CHECK(to_image(tensor.to(torch::kFloat64).div(255).requires_grad_()) == image);
  CHECK(to_image(tensor.permute({1, 2, 0}).contiguous().permute({2, 0, 1})) == image);
  CHECK(to_image(torch::full({3, 1, 1}, 1.7)).rgb == std::vector<std::uint8_t>{255, 255, 255});
  CHECK(to_image(torch::full({3, 1, 1}, -0.2)).rgb[0] == 0);
  CHECK(to_image(torch::full({3, 1, 1}, NAN)).rgb[0] == 0);

  CHECK_THROWS_AS(to_image(torch::zeros({1, 4, 4})), std::invalid_argument);
  CHECK_THROWS_AS(to_image(torch::zeros({2, 3, 4, 4})), std::invalid_argument);
  CHECK_THROWS_AS(to_image(torch::zeros({3, 4, 4}, torch::kInt64)), std::invalid_argument);
  CHECK_THROWS_AS(to_image(at::Tensor()), std::invalid_argument);
}

TEST_CASE("normalization: training images come out with mean 0 and deviation 1") {
  const PixelSet training = load_pixels(formulas(9), 12, quiet());
  const Normalization normalization = measure_normalization(training);
  const at::Tensor exact =
      training.images.to(torch::kFloat64).div(255).transpose(0, 1).flatten(1);  // [3, N*S*S]
  for (int64_t c = 0; c < 3; ++c) {
    CHECK(normalization.mean[static_cast<std::size_t>(c)] ==
          Approx(exact[c].mean().item<double>()).epsilon(1e-12));
    CHECK(normalization.std[static_cast<std::size_t>(c)] ==
          Approx(exact[c].std(false).item<double>()).epsilon(1e-12));
  }
  const at::Tensor normal = normalization(training.images);
  CHECK(normal.scalar_type() == torch::kFloat32);
  CHECK(torch::allclose(normal.mean({0, 2, 3}), torch::zeros(3), 0, 1e-5));
  CHECK(torch::allclose(normal.std({0, 2, 3}, false), torch::ones(3), 0, 1e-5));
  CHECK(torch::allclose(normalization(training.images.to(torch::kFloat32) / 255), normal, 0, 1e-6));
  CHECK(torch::allclose(normalization(training.images[2]), normal[2]));
  CHECK(to_image(normalization.inverse(normal)[4]) == to_image(training.images[4]));
}

TEST_CASE("normalization: constant images have a floor, nonsense is refused") {
  PixelSet flat = load_pixels(formulas(2), 4, quiet());
  flat.images.fill_(51);
  const Normalization normalization = measure_normalization(flat);
  CHECK(normalization.mean[0] == Approx(0.2));
  CHECK(normalization.std[2] == Approx(1.0 / 255));
  CHECK(normalization(flat.images).abs().max().item<float>() < 1e-4);

  CHECK_THROWS_AS(measure_normalization(PixelSet{}), std::invalid_argument);
  CHECK_THROWS_AS(normalization(torch::zeros({2, 1, 4, 4})), std::invalid_argument);
  CHECK_THROWS_AS(normalization(torch::zeros({3, 4, 4}, torch::kInt64)), std::invalid_argument);
  CHECK_THROWS_AS(normalization.inverse(flat.images), std::invalid_argument);
  CHECK_THROWS_AS((Normalization{.mean = {0.5}, .std = {1}}(flat.images)), std::invalid_argument);
  CHECK_THROWS_AS((Normalization{.std = {1, 0, 1}}(flat.images)), std::invalid_argument);
}

TEST_CASE("pixels: tensors are resized as torch's interpolate does") {  // torch 2.13
  const auto images = torch::tensor({{0., 100., 200.}, {50., 150., 250.}}, torch::kFloat32)
                          .expand({1, 3, 2, 3})
                          .contiguous();
  const auto first = [](const at::Tensor& resized) { return resized[0][2]; };
  CHECK(torch::allclose(first(resize(images, 1, 2, Filter::Bilinear)),
                        torch::tensor({{62.5, 187.5}}, torch::kFloat32)));
  CHECK(torch::allclose(first(resize(images, 2, 2, Filter::Bicubic)),
                        torch::tensor({{30.9791, 169.0209}, {80.9791, 219.0209}}, torch::kFloat32),
                        1e-4));
  CHECK(torch::allclose(first(resize(images, 2, 2, Filter::Bicubic, false)),
                        torch::tensor({{19.1406, 180.8594}, {69.1406, 230.8594}}, torch::kFloat32),
                        1e-4));
  CHECK(torch::allclose(first(resize(images, 2, 2, Filter::Bilinear, false)),
                        torch::tensor({{25., 175.}, {75., 225.}}, torch::kFloat32)));
  const auto bytes = resize(images[0].to(torch::kUInt8), 1, 2, Filter::Bilinear);
  CHECK(bytes.scalar_type() == torch::kUInt8);
  CHECK(bytes.sizes() == at::IntArrayRef{3, 1, 2});
  CHECK_THROWS_WITH(resize(images, 2, 2, Filter::Lanczos), Catch::Contains("Filter::Bilinear"));
  CHECK_THROWS_WITH(resize(images, 0, 2, Filter::Bilinear), Catch::Contains("a size above 0"));
}
