/// \file
/// The text encoders of transformers: T5 and CLIP.

#include "case.hpp"
#include "dermis/weights/transformers_text.hpp"

namespace {

using namespace dermis;
using namespace dermis::parity;

void append_hidden(StateDict& out, const std::vector<at::Tensor>& hidden) {
  for (std::size_t i = 0; i < hidden.size(); ++i)
    out.emplace_back(text("hidden_states.", i), hidden[i]);
}

StateDict t5(const Case& c) {
  T5Encoder encoder(t5_options_from_transformers(c.config), ParameterOptions{.init = false});
  load_state_dict(*encoder, t5_from_transformers(c.weights()), "weights.safetensors");
  const auto inputs = c.inputs();
  const auto& ids = parity::at(inputs, "input_ids");
  std::vector<at::Tensor> hidden;
  const auto tokens = encoder->forward(ids, {}, &hidden);
  StateDict out{
      {"last_hidden_state", tokens},
      {"last_hidden_state_masked", encoder->forward(ids, parity::at(inputs, "attention_mask"))},
      {"position_bias", encoder->position_bias(ids.size(1))}};
  append_hidden(out, hidden);
  return out;
}

StateDict clip_text(const Case& c) {
  const auto weights = c.weights();
  auto options = clip_text_options_from_transformers(c.config);
  options.projection = parity::at(weights, "text_projection.weight").size(0);
  ClipText encoder(options, ParameterOptions{.init = false});
  load_state_dict(*encoder, clip_text_from_transformers(weights), "weights.safetensors");
  const auto inputs = c.inputs();
  const auto& ids = parity::at(inputs, "input_ids");
  const auto features = encoder->forward(ids, {}, /*hidden_states=*/true);
  StateDict out{{"last_hidden_state", features.tokens},
                {"pooler_output", features.pooled},
                {"text_embeds", features.projected},
                {"last_hidden_state_masked",
                 encoder->forward(ids, parity::at(inputs, "attention_mask")).tokens}};
  append_hidden(out, features.hidden);
  return out;
}

const Register text_cases[] = {{"09a", t5}, {"09b", clip_text}, {"09c", clip_text}};

}  // namespace
