/// \file
/// SkinDistilViT: heads at every depth, the distillation losses, students from a teacher's layers.

#include <torch/csrc/autograd/autograd.h>

#include "case.hpp"
#include "dermis/distill/depth_heads.hpp"
#include "dermis/distill/student.hpp"
#include "dermis/weights/skindistilvit.hpp"
#include "dermis/weights/transformers_vit.hpp"

namespace {

using namespace dermis;
using namespace dermis::parity;

ViTOptions options_of(const Case& c, const std::string& depth = "num_hidden_layers") {
  auto options = vit_options_from_transformers(c.config);
  options.depth = c.config.at(depth).get<std::int64_t>();
  return options;
}

DepthViT load_depth_vit(const Case& c, DepthHeadUse use) {
  DepthViT model(options_of(c), use, ParameterOptions{.init = false});
  const auto tensors = depth_heads_from_fcvit(c.weights(), "weights.safetensors");
  load_state_dict(*model->vit, tensors.vit, "weights.safetensors");
  load_state_dict(*model->heads, tensors.heads, "weights.safetensors");
  model->eval();
  return model;
}

ViT load_distilvit(const Case& c, const std::string& file, const std::string& depth) {
  ViT vit(options_of(c, depth), ParameterOptions{.init = false});
  load_state_dict(*vit, vit_from_distilvit(c.tensors(file), file), file);
  vit->eval();
  return vit;
}

at::Tensor head_weight(DepthViT& model, std::size_t level) {
  return model->heads[level]->as<LinearImpl>()->weight;
}

/// The gradient's rows for the value of block 0.
at::Tensor value_rows(const at::Tensor& qkv) {
  return qkv.chunk(3)[2];
}

void append_hidden_states(StateDict& out, const ViTFeatures& features) {
  for (std::size_t i = 0; i < features.hidden_states.size(); ++i)
    out.emplace_back(text("hidden_states.", i), features.hidden_states[i].detach());
}

StateDict fcvit(const Case& c) {
  const torch::AutoGradMode gradients(true);
  auto model = load_depth_vit(c, DepthHeadUse::Own);
  const auto inputs = c.inputs();
  const auto features =
      model->vit->forward_features(parity::at(inputs, "pixel_values"), {.hidden_states = true});
  const auto logits = model->classify(features);
  const auto entropies = depth_cross_entropy(logits, parity::at(inputs, "labels"));
  const auto loss = entropies.sum();
  const auto grads = torch::autograd::grad(
      {loss}, {head_weight(model, model->heads->size() - 1), head_weight(model, 0),
               model->vit->blocks[0]->as<TransformerBlockImpl>()->attn->qkv->weight});
  StateDict out{{"all_logits", logits.detach()},
                {"logits", logits[-1].detach()},
                {"ce", entropies.detach()},
                {"loss", loss.detach()},
                {"grad_classifier", grads[0]},
                {"grad_classifier0", grads[1]},
                {"grad_layer0_value", value_rows(grads[2])}};
  append_hidden_states(out, features);
  return out;
}

StateDict fcvit_probs(const Case& c) {
  const torch::AutoGradMode gradients(true);
  auto model = load_depth_vit(c, DepthHeadUse::Last);
  const auto inputs = c.inputs();
  StateDict out;
  for (const auto levels : c.config.at("active").get<std::vector<std::int64_t>>()) {
    const auto features =
        model->vit->forward_features(parity::at(inputs, "pixel_values"), {.hidden_states = true});
    if (out.empty()) append_hidden_states(out, features);
    const auto logits = model->classify(features);
    const auto loss = depth_agreement_loss(logits, parity::at(inputs, "labels"), levels);
    const auto grads = torch::autograd::grad(
        {loss}, {head_weight(model, model->heads->size() - 1),
                 model->vit->blocks[0]->as<TransformerBlockImpl>()->attn->qkv->weight});
    append(out,
           {{"all_logits", logits.detach().slice(0, logits.size(0) - 1 - levels).flip({0})},
            {"logits", logits[-1].detach()},
            {"loss", loss.detach()},
            {"grad_classifier", grads[0]},
            {"grad_layer0_value", value_rows(grads[1])}},
           text("n", levels, "."));
  }
  return out;
}

StateDict distiller(const Case& c) {
  const torch::AutoGradMode gradients(true);
  auto student = load_distilvit(c, "weights.safetensors", "student_layers");
  auto teacher = load_distilvit(c, "teacher.safetensors", "teacher_layers");
  const auto inputs = c.inputs();
  const auto &images = parity::at(inputs, "pixel_values"), &labels = parity::at(inputs, "labels");
  const auto theirs = teacher->forward_features(images, {.hidden_states = true});
  const auto their_hidden = theirs.hidden_states.back().detach();
  const auto their_logits = teacher->classify(theirs.pooled).detach();
  const auto ours = student->forward_features(images, {.hidden_states = true});
  const auto& hidden = ours.hidden_states.back();
  const auto logits = student->classify(ours.pooled);
  StateDict out{{"t_hidden", their_hidden},
                {"t_logits", their_logits},
                {"s_hidden", hidden.detach()},
                {"s_logits", logits.detach()}};

  for (const auto& [run, weights] : c.config.at("runs").items()) {
    const DistillationOptions options{
        .temperature = weights.value("temperature", c.config.at("temperature").get<double>()),
        .kl = weights.at("alpha_ce").get<double>(),
        .cross_entropy = weights.at("alpha_task").get<double>(),
        .logit_mse = weights.at("alpha_mse").get<double>(),
        .hidden_cosine = weights.at("alpha_cos").get<double>()};
    // The terms on tensors whose gradients are asked for; the loss itself is the Distiller's.
    const auto loss = options.kl * softened_kl(logits, their_logits, options.temperature) +
                      options.cross_entropy * cross_entropy(logits, labels) +
                      options.logit_mse * logit_mse(logits, their_logits) +
                      options.hidden_cosine * hidden_cosine(hidden, their_hidden);
    const auto grads = torch::autograd::grad({loss}, {logits, hidden, student->head->weight},
                                             /*grad_outputs=*/{}, /*retain_graph=*/true);
    const auto whole = Distiller(student, teacher, options)->forward(images, labels).total;
    append(out,
           {{"loss", whole.detach()},
            {"grad_logits", grads[0]},
            {"grad_hidden", grads[1]},
            {"grad_classifier", grads[2]}},
           run + ".");
  }
  return out;
}

/// A student as the original's script starts it: the first layers of the teacher.
StateDict student_init(const Case& c) {
  const auto teacher = load_distilvit(c, "weights.safetensors", "layers");
  StateDict out;
  for (const auto count : c.config.at("keep").get<std::vector<std::int64_t>>())
    append(out, vit_to_distilvit(state_dict(*student_from_layers(teacher, first_layers(count)))),
           text("k", count, "."));
  return out;
}

const Register _[] = {
    {"16a", fcvit}, {"16b", fcvit_probs}, {"16c", distiller}, {"16d", student_init}};

}  // namespace
