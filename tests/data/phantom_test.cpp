#include "dermis/data/phantom.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace dermis;

namespace {

constexpr std::array<PhantomPart, 3> parts{PhantomPart::Train, PhantomPart::Validation,
                                           PhantomPart::Test};

Phantom small_phantom(std::int64_t lesions_per_class = 4) {
  return Phantom({.seed = 11,
                  .train_images = 120,
                  .minimum_share = 0.03,
                  .validation_lesions_per_class = 2,
                  .test_lesions_per_class = lesions_per_class,
                  .image_size = 32});
}

std::vector<std::int64_t> counts_of(const Phantom& phantom, PhantomPart part) {
  std::vector<std::int64_t> counts(8);
  for (const Sample& s : phantom.samples(part)) ++counts[static_cast<std::size_t>(s.label)];
  return counts;
}

double distance(const Image& a, const Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i)
    sum += std::abs(static_cast<double>(a.rgb[i]) - static_cast<double>(b.rgb[i]));
  return sum / static_cast<double>(a.rgb.size());
}

}  // namespace

TEST_CASE("phantom: the same options give the same bytes, another seed others") {
  const Phantom phantom = small_phantom(), again = small_phantom();
  PhantomOptions other_options = phantom.options();
  other_options.seed = 12;
  const Phantom other(other_options);
  for (const PhantomPart part : parts) {
    REQUIRE(phantom.size(part) == again.size(part));
    for (std::int64_t i = 0; i < phantom.size(part); i += 5) {
      CHECK(phantom.samples(part)[static_cast<std::size_t>(i)].lesion ==
            again.samples(part)[static_cast<std::size_t>(i)].lesion);
      const Image image = phantom.render(part, i);
      CHECK(image.rgb == again.render(part, i).rgb);
      CHECK(image.rgb != other.render(part, i).rgb);
    }
  }
}

TEST_CASE("phantom: four threads in any order render what one does") {
  const Phantom phantom = small_phantom();
  const Dataset data = phantom.dataset(PhantomPart::Test);
  const std::int64_t size = data.size();
  std::vector<Image> parallel(static_cast<std::size_t>(size));
  std::vector<std::thread> workers;
  for (std::int64_t t = 0; t < 4; ++t)
    workers.emplace_back([&, t] {
      for (std::int64_t i = size - 1 - t; i >= 0; i -= 4)
        parallel[static_cast<std::size_t>(i)] = data.load(i);
    });
  for (std::thread& worker : workers) worker.join();
  for (std::int64_t i = 0; i < size; ++i)
    CHECK(parallel[static_cast<std::size_t>(i)].rgb == phantom.render(PhantomPart::Test, i).rgb);
}

TEST_CASE("phantom: training is imbalanced as ISIC 2019, the other parts are balanced") {
  const Phantom phantom;
  const auto train = counts_of(phantom, PhantomPart::Train);
  CHECK(phantom.size(PhantomPart::Train) == 2000);
  CHECK(counts_of(phantom, PhantomPart::Validation) == std::vector<std::int64_t>(8, 40));
  CHECK(counts_of(phantom, PhantomPart::Test) == std::vector<std::int64_t>(8, 200));
  // Order of the classes by frequency as published; the rarest raised to the minimum share.
  CHECK(train[1] > train[0]);
  CHECK(train[0] > train[2]);
  CHECK(train[2] > train[4]);
  CHECK(train[4] > train[3]);
  CHECK(train[1] > 15 * train[5]);
  CHECK(*std::min_element(train.begin(), train.end()) == 40);
  std::array<std::set<std::string>, 8> lesions;
  for (const Sample& s : phantom.samples(PhantomPart::Train))
    lesions[static_cast<std::size_t>(s.label)].insert(s.lesion);
  for (const auto& of_class : lesions) CHECK(of_class.size() >= 12);

  SECTION("without a minimum, the published shares to the image") {
    const Phantom published({.train_images = 25331, .minimum_share = 0});
    CHECK(counts_of(published, PhantomPart::Train) ==
          std::vector<std::int64_t>{4522, 12875, 3323, 867, 2624, 239, 253, 628});
  }
}

TEST_CASE("phantom: parts share no lesion and no image name") {
  const Phantom phantom;
  std::map<std::string, PhantomPart> owner;
  std::map<std::string, int> label;
  std::set<std::string> names;
  std::size_t images = 0;
  for (const PhantomPart part : parts)
    for (const Sample& s : phantom.samples(part)) {
      CHECK(owner.emplace(s.lesion, part).first->second == part);
      CHECK(label.emplace(s.lesion, s.label).first->second == s.label);
      names.insert(s.id);
      ++images;
    }
  CHECK(names.size() == images);
  const auto& train = phantom.samples(PhantomPart::Train);
  std::map<std::string, int> views;
  for (const Sample& s : train) ++views[s.lesion];
  CHECK(views.size() < train.size());
  CHECK(std::all_of(views.begin(), views.end(), [](const auto& v) { return v.second <= 4; }));
  CHECK(train[0].lesion.size() == 7);
  CHECK(train[0].lesion[0] == 'L');
}

TEST_CASE("phantom: views of one lesion share its truth and differ in pixels") {
  const Phantom phantom;
  std::map<std::string, std::int64_t> first;
  int pairs = 0;
  for (std::int64_t i = 0; i < 400; ++i) {
    const PhantomAttributes b = phantom.attributes(PhantomPart::Train, i);
    const auto [place, is_new] = first.emplace(b.lesion, i);
    if (is_new) continue;
    const PhantomAttributes a = phantom.attributes(PhantomPart::Train, place->second);
    ++pairs;
    CHECK(a.view != b.view);
    CHECK(a.rotation != b.rotation);
    CHECK(a.label == b.label);
    CHECK(a.colours == b.colours);
    CHECK(a.diameter_mm == b.diameter_mm);
    CHECK(a.globules == b.globules);
    CHECK(a.streaks == b.streaks);
    CHECK(distance(phantom.render(PhantomPart::Train, i),
                   phantom.render(PhantomPart::Train, place->second)) > 1);
  }
  CHECK(pairs > 10);
}

TEST_CASE("phantom: the structures are those of the class") {
  const Phantom phantom;
  for (std::int64_t i = 0; i < phantom.size(PhantomPart::Validation); ++i) {
    const PhantomAttributes a = phantom.attributes(PhantomPart::Validation, i);
    const std::string& name = phantom_classes()[static_cast<std::size_t>(a.label)];
    INFO(name << " " << a.lesion);
    CHECK((a.streaks > 0) == (name == "MEL"));
    CHECK((a.blotches > 0) == (name == "MEL"));
    CHECK((a.network == "regular" || a.globules > 0) == (name == "NV"));
    CHECK((a.vessels == "arborising" && a.nests > 0) == (name == "BCC"));
    CHECK((a.follicles > 0 && a.network == "pseudo" && a.scale) == (name == "AK"));
    CHECK((a.ridges && a.cysts > 0 && a.comedo_openings > 0) == (name == "BKL"));
    CHECK((a.scar && a.network == "delicate") == (name == "DF"));
    CHECK((a.lacunae > 0) == (name == "VASC"));
    CHECK((a.keratin && a.vessels == "hairpin" && a.white_circles > 0) == (name == "SCC"));
    if (name == "MEL") CHECK(a.asymmetry_axes == 2);
    if (name == "NV") CHECK(a.asymmetry_axes == 0);
    if (name == "BKL" || name == "VASC") CHECK(a.border_abruptness > 0.8);
    if (name == "AK") CHECK(a.border_abruptness < 0.4);
    CHECK(a.border_irregularity >= 0);
    CHECK(a.diameter_mm > 5);
    CHECK(a.diameter_mm < 15);
    CHECK(a.colours.size() >= 3);
  }
}

TEST_CASE("phantom: masks show the lesion, and agree over sizes with its diameter") {
  const Phantom phantom = small_phantom();
  for (std::int64_t i = 0; i < phantom.size(PhantomPart::Test); ++i) {
    std::array<double, 2> share{};
    for (std::size_t k = 0; k < 2; ++k) {
      const Image mask = phantom.mask(PhantomPart::Test, i, k == 0 ? 32 : 80);
      std::size_t white = 0;
      for (std::size_t p = 0; p < mask.rgb.size(); p += 3) {
        CHECK((mask.rgb[p] == 0 || mask.rgb[p] == 255));
        white += mask.rgb[p] == 255 ? 1U : 0U;
      }
      share[k] = 3 * static_cast<double>(white) / static_cast<double>(mask.rgb.size());
    }
    CHECK(share[0] == Approx(share[1]).margin(0.03));
    const PhantomAttributes a = phantom.attributes(PhantomPart::Test, i);
    const double radius = a.diameter_mm / 16 * a.zoom;  // in half widths of the picture
    CHECK(share[0] == Approx(3.14159 * radius * radius / 4).epsilon(0.35));
  }
}

TEST_CASE("phantom: artefacts, skin and size are independent of the class") {
  const Phantom phantom({.seed = 3, .train_images = 8, .test_lesions_per_class = 400});
  // Rows: hair, ruler, vignette, bubbles, reflections, darker skin, large.
  std::array<std::array<double, 8>, 7> seen{};
  for (std::int64_t i = 0; i < phantom.size(PhantomPart::Test); ++i) {
    const PhantomAttributes a = phantom.attributes(PhantomPart::Test, i);
    const std::array<bool, 7> facts{a.hairs > 0,         a.ruler,           a.vignette,
                                    a.bubbles > 0,       a.reflections > 0, a.skin_type > 0,
                                    a.diameter_mm > 10.5};
    for (std::size_t f = 0; f < facts.size(); ++f)
      seen[f][static_cast<std::size_t>(a.label)] += facts[f] ? 1 : 0;
  }
  for (const auto& row : seen) {
    double mean = 0;
    for (const double count : row) mean += count / 8;
    CHECK(mean > 20);  // each occurs ...
    CHECK(mean < 380);
    double chi_square = 0;  // ... as often in every class: 7 degrees of freedom, 29.9 is p = 1e-4
    for (const double count : row)
      chi_square += (count - mean) * (count - mean) / (mean * (1 - mean / 400));
    CHECK(chi_square < 29.9);
  }
}

TEST_CASE("phantom: the mean colour says nothing of the class") {
  const Phantom phantom(
      {.seed = 5, .train_images = 8, .test_lesions_per_class = 60, .image_size = 32});
  std::array<std::array<double, 3>, 8> mean{};
  std::array<double, 3> all{}, squares{};
  const auto count = static_cast<double>(phantom.size(PhantomPart::Test));
  for (std::int64_t i = 0; i < phantom.size(PhantomPart::Test); ++i) {
    const Image image = phantom.render(PhantomPart::Test, i);
    const auto label = static_cast<std::size_t>(
        phantom.samples(PhantomPart::Test)[static_cast<std::size_t>(i)].label);
    for (std::size_t c = 0; c < 3; ++c) {
      double sum = 0;
      for (std::size_t p = c; p < image.rgb.size(); p += 3) sum += image.rgb[p];
      sum /= 32 * 32;
      mean[label][c] += sum / 60;
      all[c] += sum / count;
      squares[c] += sum * sum / count;
    }
  }
  for (std::size_t c = 0; c < 3; ++c) {
    const double spread = std::sqrt(squares[c] - all[c] * all[c]);
    CHECK(spread > 10);                // images differ much,
    for (const auto& of_class : mean)  // class means by no more than chance allows
      CHECK(std::abs(of_class[c] - all[c]) < 4 * spread / std::sqrt(60.0));
  }
}

TEST_CASE("phantom: parts are data sets, and views of the truth agree with them") {
  const PhantomData data = make_phantom({.seed = 11,
                                         .train_images = 120,
                                         .validation_lesions_per_class = 2,
                                         .test_lesions_per_class = 4,
                                         .image_size = 32});
  CHECK(data.train.size() == 120);
  CHECK(data.validation.size() == 16);
  CHECK(data.test.size() == 32);
  CHECK(data.train.classes() == phantom_classes());
  const Image image = data.test.load(3);
  CHECK(image.width == 32);
  CHECK(image.height == 32);
  CHECK(image.rgb.size() == 32 * 32 * 3);
  const Phantom phantom = small_phantom();
  CHECK(phantom.attributes(PhantomPart::Test, 3).label ==
        phantom.samples(PhantomPart::Test)[3].label);
  CHECK(phantom.render(PhantomPart::Test, 3, 48).width == 48);
}

TEST_CASE("phantom: refuses what it cannot draw") {
  CHECK_THROWS_AS(Phantom({.train_images = 0}), std::invalid_argument);
  CHECK_THROWS_AS(Phantom({.minimum_share = 0.2}), std::invalid_argument);
  CHECK_THROWS_AS(Phantom({.test_lesions_per_class = -1}), std::invalid_argument);
  CHECK_THROWS_AS(Phantom({.image_size = 7}), std::invalid_argument);
  CHECK_THROWS_WITH(Phantom({.image_size = 0}),
                    Catch::Contains("[phantom]") && Catch::Contains("got 0"));
  const Phantom phantom = small_phantom();
  CHECK_THROWS_AS(phantom.render(PhantomPart::Test, phantom.size(PhantomPart::Test)),
                  std::invalid_argument);
  CHECK_THROWS_AS(phantom.mask(PhantomPart::Test, -1), std::invalid_argument);
  CHECK_THROWS_AS(phantom.attributes(PhantomPart::Test, -1), std::invalid_argument);
}
