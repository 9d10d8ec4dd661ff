#pragma once
/// \file
/// Counter-based randomness: what a stream yields depends on its key alone, never on who drew
/// before, on thread count or on batch composition. This is what makes resumed training bit-equal
/// to uninterrupted training.

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "dermis/core/check.hpp"

namespace dermis {

namespace detail {

/// The block cipher of Philox4x32 with 10 rounds, as in the authors' Random123.
inline std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = 0xD2511F53ULL * counter[0];
    const std::uint64_t b = 0xCD9E8D57ULL * counter[2];
    counter = {
        static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return counter;
}

}  // namespace detail

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) keyed by
/// (seed, purpose, epoch, index). A UniformRandomBitGenerator of 32-bit words; copying a stream
/// copies its position.
///
///     RandomStream stream(seed, "augment", epoch, sample_index);
///     double angle = stream.uniform(-90, 90);
class RandomStream {
 public:
  using result_type = std::uint32_t;

  RandomStream(std::uint64_t seed, std::string_view purpose, std::uint64_t epoch = 0,
               std::uint64_t index = 0) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a over the purpose, so that streams of one
                                                 // seed differ by name
    for (const char c : purpose) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    const std::uint64_t key = mix(seed ^ mix(hash ^ mix(epoch)));
    key_ = {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)};
    counter_ = {0, 0, static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32)};
  }

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }

  result_type operator()() {
    if (position_ == 4) refill();
    return block_[position_++];
  }

  /// A 64-bit word, for seeding other generators.
  std::uint64_t bits64() {
    const std::uint64_t high = (*this)();
    return (high << 32) | (*this)();
  }

  /// Uniform in [0, 1), 53 random bits.
  double uniform() { return static_cast<double>(bits64() >> 11) * 0x1.0p-53; }
  /// Uniform in [low, high).
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform integer in [0, count), free of modulo bias; count above 0, otherwise
  /// std::invalid_argument.
  std::uint64_t below(std::uint64_t count) {
    check_argument(count > 0, "[random] expected a count above 0, got 0");
    const std::uint64_t limit = count * (std::numeric_limits<std::uint64_t>::max() / count);
    std::uint64_t word = bits64();
    while (word >= limit) word = bits64();
    return word % count;
  }
  /// True with the given probability.
  bool chance(double probability) { return uniform() < probability; }
  /// Standard normal (Box-Muller; both values of a pair are used).
  double normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    const double angle = 6.283185307179586476925 * uniform();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
  }

  /// Fisher-Yates in place.
  template <class T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }
  /// 0 .. count-1 in random order.
  std::vector<std::int64_t> permutation(std::int64_t count) {
    check_argument(count >= 0, "[random] expected a count of at least 0, got ", count);
    std::vector<std::int64_t> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    shuffle(order);
    return order;
  }

 private:
  static std::uint64_t mix(std::uint64_t z) {  // the finaliser of SplitMix64
    z += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  void refill() {
    block_ = detail::philox4x32_10(counter_, key_);
    position_ = 0;
    if (++counter_[0] == 0) ++counter_[1];
  }

  std::array<std::uint32_t, 2> key_{};
  std::array<std::uint32_t, 4> counter_{};
  std::array<std::uint32_t, 4> block_{};
  int position_ = 4;
  bool has_spare_ = false;
  double spare_ = 0;
};

}  // namespace dermis
