#include "dermis/edge/manifest.hpp"

#include <algorithm>
#include <cmath>

#include "dermis/core/check.hpp"

namespace dermis::edge {
namespace {

constexpr std::int64_t max_size =
    65536;  // of an axis; sums of so many products of bytes fit 32 bits
constexpr std::int64_t max_heads = 1024, max_depth = 1024, max_tokens = 65536;
constexpr std::int64_t max_activations = std::int64_t{1} << 28;  // floats, of each kind

/// Throws naming the key unless min <= value <= max.
void check_range(const std::string& source, const char* key, std::int64_t value, std::int64_t min,
                 std::int64_t max) {
  check_runtime(value >= min && value <= max, "[edge] ", source, ": key '", key, "': expected ",
                min, " to ", max, ", got ", value);
}

template <class Allowed>
void check_numbers(const std::string& source, const char* key, const std::vector<double>& values,
                   std::int64_t count, const char* what, const Allowed& allowed) {
  check_runtime(static_cast<std::int64_t>(values.size()) == count, "[edge] ", source, ": key '",
                key, "': expected ", count, " numbers, got ", values.size());
  for (const double value : values)
    check_runtime(std::isfinite(value) && allowed(value), "[edge] ", source, ": key '", key,
                  "': expected ", what, ", got ", value);
}

void validate(const Network& n, const std::string& source) {
  check_range(source, "patch_size", n.patch_size, 1, max_size);
  check_range(source, "image_size", n.image_size, n.patch_size, max_size);
  check_runtime(n.image_size % n.patch_size == 0, "[edge] ", source,
                ": key 'image_size': expected a multiple of patch_size ", n.patch_size, ", got ",
                n.image_size);
  check_range(source, "in_channels", n.in_channels, 3, 3);
  check_range(source, "dim", n.dim, 1, max_size);
  check_range(source, "depth", n.depth, 1, max_depth);
  check_range(source, "heads", n.heads, 1, max_heads);
  check_runtime(n.dim % n.heads == 0, "[edge] ", source,
                ": key 'heads': expected a divisor of dim ", n.dim, ", got ", n.heads);
  check_range(source, "hidden", n.hidden, 1, max_size);
  check_range(source, "num_classes", n.num_classes, 1, max_size);
  check_runtime(!(n.every_depth && n.mean_pooling), "[edge] ", source,
                ": key 'every_depth': expected class-token pooling, got mean_pooling");
  check_runtime(n.norm_eps >= 0 && n.norm_eps < 1, "[edge] ", source,
                ": key 'norm_eps': expected [0, 1), got ", n.norm_eps);
  const std::int64_t patch = n.in_channels * n.patch_size * n.patch_size;
  check_range(source, "patch_size squared times channels", patch, 1, max_size);
  check_range(source, "tokens", n.tokens(), 2, max_tokens);
  const std::int64_t widest = std::max({n.hidden, 2 * (n.dim + 16 * n.heads), patch});
  check_runtime(widest <= max_activations / n.tokens(), "[edge] ", source, ": expected at most ",
                max_activations, " activations of a layer, got ", n.tokens(), " x ", widest);
}

}  // namespace

std::string name(Precision precision) {
  return precision == Precision::F32 ? "fp32" : precision == Precision::F16 ? "fp16" : "int8";
}

void from_name(Precision& precision, const std::string& name) {
  check_argument(name == "fp32" || name == "fp16" || name == "int8",
                 "[edge] expected precision fp32, fp16 or int8, got '", name, "'");
  precision = name == "fp32" ? Precision::F32 : name == "fp16" ? Precision::F16 : Precision::I8;
}

void validate(const Manifest& m, const std::string& source) {
  check_range(source, "version", m.version, 1, 1);
  validate(m.network, source);
  const auto classes = m.network.num_classes, exits = m.network.exits();
  check_runtime(static_cast<std::int64_t>(m.classes.size()) == classes, "[edge] ", source,
                ": key 'classes': expected ", classes, " names, got ", m.classes.size());
  const auto finite = [](double) { return true; };
  const auto positive = [](double value) { return value >= 1e-6 && value <= 1e6; };
  const auto at_least_zero = [](double value) { return value >= 0; };
  check_numbers(source, "mean", m.mean, m.network.in_channels, "finite numbers", finite);
  check_numbers(source, "std", m.std, m.network.in_channels, "1e-6 to 1e6", positive);
  check_numbers(source, "temperatures", m.temperatures, exits, "1e-6 to 1e6", positive);
  check_numbers(source, "exit_confidences", m.exit_confidences, exits - 1, "at least 0",
                at_least_zero);
  check_numbers(source, "abstain_below", {m.abstain_below}, 1, "at least 0", at_least_zero);
  check_numbers(source, "thresholds", m.thresholds, m.thresholds.empty() ? 0 : classes,
                "at least 0", at_least_zero);
}

Manifest parse_manifest(std::string_view json, const std::string& source) {
  Manifest manifest;
  options_from_json(manifest, Json::parse(json, source), source);
  validate(manifest, source);
  return manifest;
}

}  // namespace dermis::edge
