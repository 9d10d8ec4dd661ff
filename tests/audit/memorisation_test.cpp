#include "dermis/audit/memorisation.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "audit/planted.hpp"
#include "audit/planted_table.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Contains;
using Catch::StartsWith;

namespace {

constexpr std::int64_t kCopies = 10;

/// A small set, made once: 160 training images, 104 held-out and 104 synthetic ones of 32 pixels.
const PlantedData& small_data() {
  static const PlantedData data = planted_data(0, 160, 13, 32);
  return data;
}

MemorisationResult audited(const PixelSet& synthetic, const MemorisationOptions& options = {}) {
  return memorisation_audit(small_data().training, small_data().held_out, synthetic, options);
}

/// sqrt(1 - r) of two images, r the mean of the channels' correlations at 16 x 16 pixels: by loops,
/// in doubles.
double naive_distance(const at::Tensor& fine_a, const at::Tensor& fine_b) {
  const auto a = at::avg_pool2d(fine_a.to(at::kDouble), {2, 2});
  const auto b = at::avg_pool2d(fine_b.to(at::kDouble), {2, 2});
  double correlation = 0;
  for (std::int64_t c = 0; c < 3; ++c) {
    const auto x = a[c].to(at::kDouble).contiguous(), y = b[c].to(at::kDouble).contiguous();
    const auto *p = x.const_data_ptr<double>(), *q = y.const_data_ptr<double>();
    const auto n = x.numel();
    double sp = 0, sq = 0, pp = 0, qq = 0, pq = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      sp += p[i];
      sq += q[i];
      pp += p[i] * p[i];
      qq += q[i] * q[i];
      pq += p[i] * q[i];
    }
    const auto count = static_cast<double>(n);
    correlation +=
        (pq - sp * sq / count) / std::sqrt((pp - sp * sp / count) * (qq - sq * sq / count)) / 3;
  }
  return std::sqrt(1 - correlation);
}

/// Mean of each cell of a 4 x 4 grid, each channel: a poor encoder.
Eigen::MatrixXd thumbnails(const at::Tensor& images) {
  const auto cells =
      at::adaptive_avg_pool2d(images.to(at::kFloat), {4, 4}).flatten(1).to(at::kDouble);
  Eigen::MatrixXd features(cells.size(0), cells.size(1));
  for (std::int64_t i = 0; i < cells.size(0); ++i)
    for (std::int64_t j = 0; j < cells.size(1); ++j) features(i, j) = cells[i][j].item<double>();
  return features;
}

}  // namespace

TEST_CASE("memorisation: copies are found under every disguise, and few others") {
  const auto& data = small_data();
  for (const auto& disguise : disguises()) {
    INFO(disguise.name);
    const auto result = audited(with_copies(data, disguise, kCopies, 1));
    PlantedRow row;
    count_copies(row, result, kCopies);
    CHECK(row.found >= kCopies - 1);
    CHECK(row.false_alarms <= 2);
    CHECK(result.copies == row.found + row.false_alarms);
    CHECK(result.memorised());
    CHECK_THAT(result.verdict(), StartsWith("memorised: "));
    CHECK_FALSE(result.overfitted);  // a tenth of copies does not make the whole set close
  }
}

TEST_CASE("memorisation: clean sets pass") {
  for (const std::uint64_t seed : {0, 1}) {
    const auto data = seed == 0 ? small_data() : planted_data(seed, 160, 13, 32);
    const auto result = memorisation_audit(data.training, data.held_out, data.synthetic);
    CHECK(result.calibrated);
    CHECK(result.copies == 0);
    CHECK_FALSE(result.overfitted);
    CHECK_FALSE(result.low_diversity);
    CHECK(result.verdict() == "no copies found among 104");
    CHECK(result.closeness.lo < 0.5);
    CHECK(result.closeness.hi > 0.5);
  }
}

TEST_CASE("memorisation: a generator overfitted on 20 images is told from one that is not") {
  for (const double blend : {0.0, 0.5}) {
    const auto result = audited(overfitted(small_data(), 20, blend, 3));
    CHECK(result.overfitted);
    CHECK(result.closeness.mean > 0.9);
    CHECK(result.copies > 52);
    CHECK_THAT(result.verdict(), Contains("suspected copies, and the set as a whole"));
  }
  const auto repeated = audited(overfitted(small_data(), 20, 0, 3));
  CHECK(repeated.low_diversity);
  CHECK_THAT(repeated.verdict(), Contains("nearly repeat another"));
}

TEST_CASE("memorisation: names training image and view, and measures the distance") {
  const auto& data = small_data();
  auto synthetic = data.synthetic.subset({0, 1, 2, 3, 4, 5, 6, 7, 8});
  for (std::int64_t view = 0; view < 8; ++view)
    synthetic.images[view].copy_(turned(data.training.images[3 * view + 1], view));
  const auto result = audited(synthetic);
  for (std::int64_t view = 0; view < 8; ++view) {
    const auto& nearest = result.images[static_cast<std::size_t>(view)].pixel;
    CHECK(nearest.training == 3 * view + 1);
    CHECK(
        turned(data.training.images[nearest.training], nearest.view).equal(synthetic.images[view]));
    CHECK(nearest.distance < 1e-3);
    CHECK(nearest.p_value < 1e-9);
  }
  const auto& other = result.images[8].pixel;
  double least = 2;
  for (std::int64_t i = 0; i < data.training.size(); ++i)
    for (std::int64_t view = 0; view < 8; ++view)
      least = std::min(least,
                       naive_distance(synthetic.images[8], turned(data.training.images[i], view)));
  CHECK(other.distance == Approx(least).epsilon(1e-4));
  CHECK(naive_distance(synthetic.images[8], turned(data.training.images[other.training],
                                                   other.view)) == Approx(least).epsilon(1e-4));
}

TEST_CASE("memorisation: p-values follow the held-out ratios") {
  const auto result = audited(with_copies(small_data(), disguises()[5], kCopies, 1));
  std::vector<double> below, ratios;
  for (const auto& image : result.pixel.held_out) {
    ratios.push_back(image.ratio);
    if (image.ratio <= result.pixel.quartile) below.push_back(image.ratio);
  }
  CHECK(ratios.size() == 104);
  CHECK(below.size() == 26);
  // Half of the ratios below the quartile lie below that at which the power law gives 1/8.
  const double eighth = result.pixel.quartile * std::pow(0.5, 1 / result.pixel.exponent);
  CHECK(std::count_if(below.begin(), below.end(), [&](double r) { return r < eighth; }) == 13);
  for (const auto& image : result.images) {
    const auto& pixel = image.pixel;
    if (pixel.distance > result.pixel.distance_limit)
      CHECK(pixel.p_value == 1);
    else if (pixel.ratio < result.pixel.quartile)
      CHECK(pixel.p_value ==
            Approx(0.25 * std::pow(pixel.ratio / result.pixel.quartile, result.pixel.exponent)));
    else
      CHECK(pixel.p_value >= 0.25);
  }
  // Wilson (1927) by Python: (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)
  REQUIRE(result.copies == 10);
  CHECK(result.copy_share.mean == Approx(10 / 104.0));
  CHECK(result.copy_share.lo == Approx(0.0530700).epsilon(1e-4));
  CHECK(result.copy_share.hi == Approx(0.1680088).epsilon(1e-4));
  CHECK(result.expected_false_alarms == Approx(0.25));
}

TEST_CASE("memorisation: an encoder's features are searched as well") {
  const auto& data = small_data();
  const MemorisationOptions options{.encoder = thumbnails};
  const auto copies = audited(with_copies(data, disguises()[1], kCopies, 1), options);
  REQUIRE(copies.feature.has_value());
  for (std::size_t i = 0; i < kCopies; ++i) {
    REQUIRE(copies.images[i].feature.has_value());
    CHECK(copies.images[i].feature->training == copies.images[i].pixel.training);
    CHECK(copies.images[i].feature->view == copies.images[i].pixel.view);
    CHECK(copies.images[i].copy);
  }
  CHECK(audited(data.synthetic, options).copies == 0);

  CHECK_THROWS_WITH(
      audited(data.synthetic, {.encoder = [](const at::Tensor&) { return Eigen::MatrixXd(1, 4); }}),
      "[memorisation] expected features of shape [160, D], got [1, 4]");
  CHECK_THROWS_WITH(
      audited(data.synthetic,
              {.encoder =
                   [](const at::Tensor& images) {
                     return Eigen::MatrixXd::Ones(images.size(0), images.size(0)).eval();
                   }}),
      "[memorisation] expected features of shape [104, 160], got [104, 104]");
  CHECK_THROWS_WITH(audited(data.synthetic,
                            {.encoder =
                                 [](const at::Tensor& images) {
                                   return Eigen::MatrixXd::Constant(images.size(0), 2, NAN).eval();
                                 }}),
                    Contains("expected finite features"));
}

TEST_CASE("memorisation: a weak calibration is said, leaked held-out images are left out") {
  const auto& data = small_data();
  std::vector<std::int64_t> first(40);
  std::iota(first.begin(), first.end(), 0);
  auto few = data.held_out.subset(first);
  auto result = memorisation_audit(data.training, few, data.synthetic);
  CHECK_FALSE(result.calibrated);
  CHECK(result.held_out_lesions == 40);
  REQUIRE_FALSE(result.memorised());
  CHECK(result.verdict() ==
        "not calibrated: no copies found, but only 40 held-out lesions to tell");
  result = memorisation_audit(data.training, few, with_copies(data, disguises()[0], kCopies, 1));
  CHECK(result.copies >= kCopies);
  CHECK_THAT(result.verdict(), Contains("; the calibration is weak: 40 held-out lesions"));

  few.samples[0].lesion = data.training.samples[0].lesion;
  few.images[0].copy_(data.training.images[0]);
  few.samples[1].patient = "shared";
  auto training = data.training;
  training.samples[5].patient = "shared";
  result = memorisation_audit(training, few, data.synthetic);
  CHECK(result.held_out_left_out == 2);
  CHECK(result.held_out_lesions == 38);
  CHECK(result.pixel.held_out.size() == 38);

  CHECK_THROWS_WITH(
      memorisation_audit(data.training, few.subset({2, 3, 4, 5, 6, 7, 8, 9, 10}), data.synthetic),
      "[memorisation] expected at least 10 held-out lesions (held-out ones not in "
      "training), got 9");
  CHECK_THROWS_WITH(memorisation_audit(data.training.subset({0, 1}), few, data.synthetic),
                    Contains("expected at least 10 training lesions"));
}

TEST_CASE("memorisation: a flat image is near to none") {
  auto synthetic = small_data().synthetic;
  synthetic.images = synthetic.images.clone();
  synthetic.images[0].fill_(180);
  const auto result = audited(synthetic);
  CHECK(result.images[0].pixel.distance == Approx(1));
  CHECK(result.images[0].p_value == 1);
}

TEST_CASE("memorisation: options and sets that do not fit are refused") {
  const auto& data = small_data();
  CHECK_THROWS_WITH(audited(data.synthetic, {.level = 0}),
                    "[memorisation] expected a level between 0 and 1, got 0");
  CHECK_THROWS_WITH(audited(data.synthetic, {.neighbour = 1}),
                    Contains("expected neighbour in [2"));
  CHECK_THROWS_WITH(audited(data.synthetic.subset({})),
                    "[memorisation] expected synthetic images, got none");
  auto floats = data.synthetic;
  floats.images = floats.images.to(at::kFloat);
  CHECK_THROWS_WITH(audited(floats), Contains("expected synthetic images uint8 [N, 3, 32, 32]"));
  auto larger = data.held_out;
  larger.images = at::zeros({larger.size(), 3, 48, 48}, at::kByte);
  CHECK_THROWS_WITH(memorisation_audit(data.training, larger, data.synthetic),
                    Contains("expected held-out images uint8 [N, 3, 32, 32], got"));
  CHECK_THROWS_WITH(memorisation_audit({}, data.held_out, data.synthetic),
                    Contains("expected training images"));
}

TEST_CASE("memorisation: JSON and pictures show the nearest first") {
  const auto& data = small_data();
  const auto synthetic = with_copies(data, disguises()[3], kCopies, 1);
  const auto result = audited(synthetic);
  const auto json = to_json(result, data.training);
  CHECK(json.at("memorised").get<bool>());
  CHECK(json.at("verdict").get<std::string>() == result.verdict());
  CHECK(json.at("copies").get<std::int64_t>() == result.copies);
  CHECK_FALSE(json.contains("feature"));
  const auto& images = json.at("images").elements();
  CHECK(images.size() == 20);
  const auto& nearest = result.images[0].pixel;
  bool named = false;
  for (std::size_t k = 0; k < images.size(); ++k) {
    CHECK(images[k].at("copy").get<bool>() == (static_cast<std::int64_t>(k) < result.copies));
    if (images[k].at("id").get<std::string>() != synthetic.samples[0].id) continue;
    named = true;
    CHECK(images[k].at("pixel").at("training").get<std::string>() ==
          data.training.samples[static_cast<std::size_t>(nearest.training)].id);
  }
  CHECK(named);

  const auto pictures = memorisation_pictures(data.training, synthetic, result, 4);
  CHECK(pictures.width == 3 * 32 + 2 * 2);
  CHECK(pictures.height == 4 * 32 + 3 * 2);
  for (std::int64_t y = 0; y < 32; ++y) {
    for (std::int64_t x = 0; x < 32; ++x) {  // a turned copy equals its source, turned back
      CHECK(std::equal(pictures.pixel(x, y), pictures.pixel(x, y) + 3, pictures.pixel(x + 34, y)));
      CHECK(*pictures.pixel(x + 68, y) == 0);
    }
  }
  CHECK_THROWS_WITH(memorisation_pictures(data.training, synthetic.subset({0}), result),
                    "[memorisation] expected the 104 images of the result, got 1");
  CHECK_THROWS_WITH(memorisation_pictures(data.training, synthetic, result, 0),
                    "[memorisation] expected a count of at least 1, got 0");
  CHECK_THROWS_WITH(memorisation_pictures(data.training.subset({0}), synthetic, result),
                    Contains("expected the result's training images, got 1"));
}

TEST_CASE("memorisation: the table of planted faults", "[.full]") {
  const auto rows = planted_rows(5, 20);
  WARN("\n" << table(rows));
  for (const auto& row : rows) {
    INFO(row.fault);
    CHECK(20 * row.false_alarms <= row.clean);
    // Not found, and said so in leakage.hpp.
    if (row.fault == "the same under another lesion name" ||
        row.fault == "copy in test: blurred to 16 x 16")
      continue;
    CHECK(20 * row.found >= 19 * row.planted);
  }
}
