#include "dermis/data/duplicates.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <exception>
#include <functional>
#include <mutex>
#include <numeric>
#include <thread>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"
#include "dermis/core/interrupt.hpp"
#include "dermis/io/csv.hpp"
#include "perceptual_hash.hpp"

namespace dermis {
namespace {

struct Fingerprint {
  detail::Luminance luminance{};
  std::array<std::uint64_t, 8> hashes{};
  std::string error;  // not empty: the image does not decode
};

/// Calls work(0) .. work(count - 1), each once; the first exception ends all and is thrown.
void for_each(std::size_t count, int threads, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex mutex;
  const auto run = [&] {
    try {
      for (std::size_t i = next++; i < count; i = next++) {
        if (InterruptGuard::requested())
          throw Interrupted("[duplicates] interrupted while comparing images");
        work(i);
      }
    } catch (...) {
      next = count;
      const std::lock_guard<std::mutex> lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (int t = 1; t < threads; ++t) others.emplace_back(run);
    run();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

std::vector<NearDuplicate> find_near_duplicates(const Dataset& dataset,
                                                const DuplicateOptions& options) {
  check_argument(options.max_distance >= 0 && options.max_distance <= 64,
                 "[duplicates] expected max_distance in 0..64, got ", options.max_distance);
  check_argument(options.min_correlation >= -1 && options.min_correlation <= 1,
                 "[duplicates] expected min_correlation in [-1, 1], got ", options.min_correlation);
  check_argument(options.threads >= 1, "[duplicates] expected at least 1 thread, got ",
                 options.threads);
  const std::vector<Sample>& samples = dataset.samples();
  std::vector<Fingerprint> prints(samples.size());
  for_each(prints.size(), options.threads, [&](std::size_t i) {
    try {
      prints[i].luminance = detail::hash_luminance(dataset.load(static_cast<int64_t>(i)));
      prints[i].hashes = detail::luminance_hashes(prints[i].luminance);
    } catch (const Interrupted&) {
      throw;
    } catch (const std::runtime_error& error) {
      if (options.report == nullptr) throw;
      prints[i].error = error.what();
    }
  });

  // By id: the distance of a to the versions of b may differ from that of b to those of a.
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < prints.size(); ++i) {
    if (prints[i].error.empty()) {
      order.push_back(i);
    } else {
      ++options.report->corrupt;
      options.report->messages.push_back("corrupt image left out: " + prints[i].error);
    }
  }
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return samples[a].id < samples[b].id; });
  std::vector<std::array<std::uint64_t, 8>> hashes;  // side by side for the long loop
  for (const std::size_t i : order) hashes.push_back(prints[i].hashes);

  std::vector<std::vector<NearDuplicate>> found(order.size());
  for_each(order.size(), options.threads, [&](std::size_t i) {
    for (std::size_t j = i + 1; j < order.size(); ++j) {
      NearDuplicate pair{.distance = options.max_distance + 1, .correlation = -2};
      for (std::size_t view = 0; view < 8; ++view) {
        const int distance = std::popcount(hashes[i][0] ^ hashes[j][view]);
        if (distance > options.max_distance) continue;
        pair.distance = std::min(pair.distance, distance);
        pair.correlation = std::max(
            pair.correlation,
            detail::view_correlation(prints[order[i]].luminance, prints[order[j]].luminance, view));
      }
      if (pair.distance > options.max_distance || pair.correlation < options.min_correlation)
        continue;
      pair.a = static_cast<int64_t>(std::min(order[i], order[j]));
      pair.b = static_cast<int64_t>(std::max(order[i], order[j]));
      found[i].push_back(pair);
    }
  });
  std::vector<NearDuplicate> all;
  for (const auto& pairs : found) all.insert(all.end(), pairs.begin(), pairs.end());
  std::sort(all.begin(), all.end(), [](const NearDuplicate& p, const NearDuplicate& q) {
    return std::pair(p.a, p.b) < std::pair(q.a, q.b);
  });
  return all;
}

std::vector<IndexPair> index_pairs(const std::vector<NearDuplicate>& duplicates) {
  std::vector<IndexPair> pairs;
  for (const NearDuplicate& pair : duplicates) pairs.emplace_back(pair.a, pair.b);
  return pairs;
}

std::vector<PlacedDuplicate> place_duplicates(const std::vector<Sample>& samples,
                                              const std::vector<NearDuplicate>& duplicates,
                                              const std::vector<NamedPart>& parts) {
  const auto check_index = [&](int64_t i) {
    const auto count = static_cast<int64_t>(samples.size());
    check_argument(i >= 0 && i < count, "[duplicates] expected an index in [0, ", count, "), got ",
                   i);
    return static_cast<std::size_t>(i);
  };
  std::vector<std::string> part_of(samples.size());
  for (const auto& [name, indices] : parts) {
    for (const int64_t index : indices) {
      const std::size_t i = check_index(index);
      check_argument(part_of[i].empty(), "[duplicates] expected each sample in one part, got ",
                     samples[i].id, " twice");
      part_of[i] = name;
    }
  }
  std::vector<PlacedDuplicate> rows;
  for (const NearDuplicate& pair : duplicates) {
    const std::size_t a = check_index(pair.a), b = check_index(pair.b);
    rows.push_back({samples[a].id, samples[b].id, pair.distance, part_of[a], part_of[b]});
  }
  return rows;
}

std::vector<PlacedDuplicate> place_duplicates(const std::vector<Sample>& samples,
                                              const std::vector<NearDuplicate>& duplicates,
                                              const Split& split) {
  return place_duplicates(
      samples, duplicates,
      {{"train", split.train}, {"validation", split.validation}, {"test", split.test}});
}

void write_duplicates(const std::filesystem::path& path, const std::vector<PlacedDuplicate>& rows) {
  std::string csv = "id_a,id_b,distance,part_a,part_b\n";
  for (const PlacedDuplicate& row : rows) {
    csv +=
        csv_line({row.id_a, row.id_b, std::to_string(row.distance), row.part_a, row.part_b}) + "\n";
  }
  write_atomically(path, csv);
}

}  // namespace dermis
