#pragma once
/// \file
/// Low-rank adapters of a whole model: switched on by the names of its layers, merged, measured.

#include <concepts>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dermis/layers/linear.hpp"

namespace dermis {

/// Names and values of all fields, for reading and writing options.
template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, LowRankOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("rank", o.rank);
  visit("alpha", o.alpha);
  visit("rank_stabilised", o.rank_stabilised);
  visit("dropout", o.dropout);
  visit("strength", o.strength);
}

/// The Linear layers below `module`, by their paths ("double_blocks.0.img_attn.qkv").
std::vector<std::pair<std::string, LinearImpl*>> linear_layers(torch::nn::Module& module);

/// Whether `pattern` is the end of `path`, beginning at one of its components; `*` stands for one
/// component: "attn.qkv", "blocks.*.mlp.fc1" and "*" (every path) match "blocks.3.mlp.fc1" as
/// their words say.
bool matches_path(const std::string& path, const std::string& pattern);

/// Freezes `module` and opens the low-rank slot of every Linear that matches a pattern, A drawn
/// from `generator`, B zero: the output stays what it was, and only adapters train.
/// \param patterns  see matches_path; flux_adapter_layers() are those that kohya adapts
/// \param trained   patterns of parameters that train in full ("head.*")
/// \param type      of the adapters; none: each its weight's
/// \returns the paths of the layers
/// \throws std::invalid_argument, before anything changes, if a pattern matches nothing, a rank
///         does not fit a layer, or one has an adapter already
std::vector<std::string> add_low_rank(torch::nn::Module& module,
                                      const std::vector<std::string>& patterns,
                                      const LowRankOptions& options,
                                      const std::optional<at::Generator>& generator = {},
                                      const std::vector<std::string>& trained = {},
                                      std::optional<at::ScalarType> type = {});

/// Adapters become part of the weights, and cease to be (exact up to rounding).
void merge_low_rank(torch::nn::Module& module);
void unmerge_low_rank(torch::nn::Module& module);
/// Merges and empties the slots: the module has its plain state dict again.
void fold_low_rank(torch::nn::Module& module);
/// Factor of all adapters, 1 as trained.
void set_low_rank_strength(torch::nn::Module& module, double strength);
/// Where the adapters' dropout is drawn from: a generator keyed by the step makes a resumed run
/// equal an uninterrupted one.
void set_low_rank_generator(torch::nn::Module& module, const at::Generator& generator);

}  // namespace dermis
