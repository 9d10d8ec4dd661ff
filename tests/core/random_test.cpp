#include "dermis/core/random.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

namespace dermis {
namespace {

using Words = std::array<std::uint32_t, 4>;

double correlation(RandomStream a, RandomStream b, int count) {
  double sum_ab = 0, sum_a = 0, sum_b = 0, sum_aa = 0, sum_bb = 0;
  for (int i = 0; i < count; ++i) {
    const double x = a.uniform(), y = b.uniform();
    sum_ab += x * y;
    sum_a += x;
    sum_b += y;
    sum_aa += x * x;
    sum_bb += y * y;
  }
  const double covariance = sum_ab - sum_a * sum_b / count;
  return covariance /
         std::sqrt((sum_aa - sum_a * sum_a / count) * (sum_bb - sum_b * sum_b / count));
}

TEST_CASE("random: Philox4x32-10 gives the known answers") {
  // Random123 (Salmon et al.), tests/kat_vectors.
  CHECK(detail::philox4x32_10({0, 0, 0, 0}, {0, 0}) ==
        Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(detail::philox4x32_10({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(detail::philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                              {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("random: a stream's words are fixed for ever") {
  // From an independent implementation in Python: stored checkpoints depend on them.
  RandomStream stream(7, "augment", 2, (std::uint64_t{1} << 32) + 5);
  const std::vector<std::uint32_t> expected{0xe1a5b906, 0x7fafa14a, 0xfcfb6ea3, 0xd5672ee4,
                                            0x8ea3379c, 0xfcd23b69, 0xf6c12bd8, 0xa460b29c};
  for (const std::uint32_t word : expected) CHECK(stream() == word);
}

TEST_CASE("random: a copy continues where the original is, normals included") {
  RandomStream stream(1, "copy");
  stream();
  stream.normal();
  RandomStream copy = stream;
  for (int i = 0; i < 7; ++i) {
    CHECK(copy.normal() == stream.normal());
    CHECK(copy() == stream());
  }
}

TEST_CASE("random: every part of the key makes another stream") {
  std::set<std::uint64_t> first_words;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    for (const char* purpose : {"", "a", "b", "ab", "ba", "mask"}) {
      for (std::uint64_t epoch = 0; epoch < 20; ++epoch) {
        for (std::uint64_t index = 0; index < 20; ++index) {
          first_words.insert(RandomStream(seed, purpose, epoch, index).bits64());
        }
      }
    }
  }
  CHECK(first_words.size() == 10 * 6 * 20 * 20);
}

TEST_CASE("random: streams of neighbouring keys are uncorrelated") {
  constexpr int count = 20000;
  const double bound = 4.5 / std::sqrt(count);
  const RandomStream stream(3, "noise", 5, 7);
  CHECK(std::abs(correlation(stream, RandomStream(4, "noise", 5, 7), count)) < bound);
  CHECK(std::abs(correlation(stream, RandomStream(3, "mask", 5, 7), count)) < bound);
  CHECK(std::abs(correlation(stream, RandomStream(3, "noise", 6, 7), count)) < bound);
  CHECK(std::abs(correlation(stream, RandomStream(3, "noise", 5, 8), count)) < bound);
  RandomStream later = stream;
  later.uniform();
  CHECK(std::abs(correlation(stream, later, count)) < bound);
  CHECK(correlation(stream, RandomStream(3, "noise", 5, 7), count) == Approx(1));
}

TEST_CASE("random: words and uniforms are uniform") {
  // Chi-square with 255 degrees of freedom: mean 255, deviation 22.6.
  RandomStream stream(11, "uniform");
  constexpr int bins = 256, per_bin = 256;
  std::vector<double> top(bins), bottom(bins), reals(bins);
  for (int i = 0; i < bins * per_bin; ++i) {
    const std::uint32_t word = stream();
    ++top[word >> 24];
    ++bottom[word & 255];
    const double real = stream.uniform();
    REQUIRE(real >= 0);
    REQUIRE(real < 1);
    ++reals[static_cast<std::size_t>(real * bins)];
  }
  for (const auto* counts : {&top, &bottom, &reals}) {
    double chi_square = 0;
    for (const double n : *counts) chi_square += (n - per_bin) * (n - per_bin) / per_bin;
    CHECK(chi_square > 150);
    CHECK(chi_square < 370);
  }
  for (int i = 0; i < 1000; ++i) {
    const double real = stream.uniform(-90, 30);
    REQUIRE(real >= -90);
    REQUIRE(real < 30);
  }
}

TEST_CASE("random: below is unbiased also where a modulo would not be") {
  RandomStream stream(5, "below");
  std::array<int, 3> counts{};
  for (int i = 0; i < 30000; ++i) ++counts[stream.below(3)];
  for (const int n : counts) CHECK(std::abs(n - 10000) < 400);  // deviation 82
  // Of 3/4 of 2^64, a modulo would give the lower third with probability 1/2.
  const std::uint64_t count = std::uint64_t{3} << 62;
  int low = 0;
  for (int i = 0; i < 10000; ++i) low += stream.below(count) < count / 3;
  CHECK(std::abs(low - 3333) < 250);  // deviation 47
  CHECK(stream.below(1) == 0);
  CHECK_THROWS_AS(stream.below(0), std::invalid_argument);
}

TEST_CASE("random: chance and normal have their moments") {
  RandomStream stream(6, "moments");
  int hits = 0;
  for (int i = 0; i < 10000; ++i) hits += stream.chance(0.3);
  CHECK(std::abs(hits - 3000) < 230);  // deviation 46
  CHECK_FALSE(stream.chance(0));
  CHECK(stream.chance(1));
  double sum = 0, sum2 = 0, sum3 = 0, sum4 = 0, neighbours = 0, before = 0;
  constexpr int count = 50000;
  for (int i = 0; i < count; ++i) {
    const double x = stream.normal();
    sum += x;
    sum2 += x * x;
    sum3 += x * x * x;
    sum4 += x * x * x * x;
    neighbours += x * before;
    before = x;
  }
  CHECK(std::abs(sum / count) < 0.025);
  CHECK(sum2 / count == Approx(1).margin(0.035));
  CHECK(std::abs(sum3 / count) < 0.09);
  CHECK(sum4 / count == Approx(3).margin(0.25));
  CHECK(std::abs(neighbours / count) <
        0.025);  // the two values of a Box-Muller pair are independent
}

TEST_CASE("random: permutations are permutations, each equally likely") {
  std::vector<std::int64_t> order = RandomStream(1, "order", 2).permutation(1000);
  CHECK(order != RandomStream(1, "order", 3).permutation(1000));
  CHECK(order == RandomStream(1, "order", 2).permutation(1000));
  std::sort(order.begin(), order.end());
  for (std::int64_t i = 0; i < 1000; ++i) REQUIRE(order[static_cast<std::size_t>(i)] == i);
  CHECK(RandomStream(1, "order").permutation(0).empty());
  CHECK_THROWS_AS(RandomStream(1, "order").permutation(-1), std::invalid_argument);

  std::map<std::vector<std::int64_t>, int> counts;
  for (std::uint64_t i = 0; i < 24000; ++i) ++counts[RandomStream(9, "small", 0, i).permutation(4)];
  CHECK(counts.size() == 24);
  for (const auto& [permutation, n] : counts) CHECK(std::abs(n - 1000) < 160);  // deviation 31
}

TEST_CASE("random: a standard generator") {
  RandomStream stream(2, "standard");
  std::vector<int> values{1, 2, 3, 4, 5};
  std::shuffle(values.begin(), values.end(), stream);
  std::sort(values.begin(), values.end());
  CHECK(values == std::vector<int>{1, 2, 3, 4, 5});
}

}  // namespace
}  // namespace dermis
