/// \file
/// Losses with their gradients and mixed batches (10a), AdamW and moving averages (10b), schedules
/// and layer decay (10c).

#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/module.h>

#include <cstdlib>

#include "case.hpp"
#include "dermis/data/mixup.hpp"
#include "dermis/distill/losses.hpp"
#include "dermis/models/vit.hpp"
#include "dermis/train/classification_loss.hpp"
#include "dermis/train/ema.hpp"
#include "dermis/train/optimizer.hpp"
#include "dermis/train/schedule.hpp"

namespace dermis::parity {
namespace {

at::Tensor scalar(double value) {
  return torch::tensor({value}, torch::kDouble);
}

at::Tensor vector(const std::vector<double>& values) {
  return torch::tensor(values, torch::kDouble);
}

using Loss = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

/// `name` and the gradients by `inputs`: NAME.grad, or NAME.grad0, NAME.grad1 of several.
void add_loss(StateDict& outputs, const std::string& name, const std::vector<at::Tensor>& inputs,
              const Loss& loss) {
  const torch::AutoGradMode grad_mode(true);
  std::vector<at::Tensor> leaves;
  for (const auto& input : inputs) leaves.push_back(input.detach().clone().requires_grad_());
  const auto value = loss(leaves);
  const auto gradients = torch::autograd::grad({value}, leaves);
  outputs.emplace_back(name, value.detach());
  for (std::size_t i = 0; i < gradients.size(); ++i)
    outputs.emplace_back(name + ".grad" + (gradients.size() > 1 ? std::to_string(i) : ""),
                         gradients[i]);
}

StateDict losses(const Case& c) {
  const auto in = c.inputs();
  const auto &student = at(in, "student_logits"), &teacher = at(in, "teacher_logits"),
             &labels = at(in, "labels"), &weights = at(in, "class_weights"),
             &hidden = at(in, "student_hidden"), &their_hidden = at(in, "teacher_hidden"),
             &mask = at(in, "attn_mask"), &images = at(in, "images");
  const auto number = [&](const char* key) { return c.config.at(key).get<double>(); };
  const double smoothing = number("smoothing"), gamma = number("gamma"), temperature = number("T"),
               lambda = number("lam");
  const auto classes = student.size(1);

  StateDict out;
  const auto corners = c.config.at("box").get<std::vector<std::int64_t>>();  // y0, y1, x0, x1
  const Box box{corners.at(2), corners.at(0), corners.at(3) - corners.at(2),
                corners.at(1) - corners.at(0)};
  const auto mixed = mixup_by(images, labels, classes, lambda, smoothing);
  const auto cut = cutmix_by(images, labels, classes, box, smoothing);
  out.emplace_back("mixup_images", mixed.images);
  out.emplace_back("mixup_targets", mixed.targets);
  out.emplace_back("mixup_target", mixed.targets.clone());
  out.emplace_back("cutmix_images", cut.images);
  out.emplace_back("cutmix_targets", cut.targets);
  out.emplace_back("cutmix_lam", scalar(kept_share(box, images.size(2), images.size(3))));

  const auto on_logits = [&](const char* name, const std::function<at::Tensor(at::Tensor)>& loss) {
    add_loss(out, name, {student}, [&](const auto& x) { return loss(x[0]); });
  };
  on_logits("ce", [&](auto x) { return cross_entropy(x, labels); });
  on_logits("ce_weighted", [&](auto x) { return cross_entropy(x, labels, 0, weights); });
  on_logits("ce_smooth", [&](auto x) { return cross_entropy(x, labels, smoothing); });
  on_logits("ce_weighted_smooth",
            [&](auto x) { return cross_entropy(x, labels, smoothing, weights); });
  on_logits("timm_smooth", [&](auto x) {
    return ClassificationLoss({.label_smoothing = smoothing},
                              std::vector<std::int64_t>(static_cast<std::size_t>(classes), 1))(
        x, labels);
  });
  on_logits("soft_ce", [&](auto x) { return cross_entropy(x, mixed.targets); });
  on_logits("bce_logits",
            [&](auto x) { return sigmoid_focal_loss(x, at(in, "bin_targets"), /*gamma=*/0); });
  on_logits("focal_sigmoid", [&](auto x) {
    return sigmoid_focal_loss(x, at(in, "bin_targets"), gamma, c.config.value("alpha", 0.25));
  });
  on_logits("focal_softmax", [&](auto x) { return softmax_focal_loss(x, labels, gamma); });
  on_logits("focal_softmax_weighted",
            [&](auto x) { return softmax_focal_loss(x, labels, gamma, weights); });
  on_logits("kd_kl", [&](auto x) { return softened_kl(x, teacher, temperature); });
  on_logits("kd_soft_ce", [&](auto x) { return softened_cross_entropy(x, teacher, temperature); });
  on_logits("kd_mse_logits", [&](auto x) {  // torch's mse_loss: a mean over classes too
    return logit_mse(x, teacher) / static_cast<double>(classes);
  });
  add_loss(out, "kd_cos", {hidden},
           [&](const auto& x) { return hidden_cosine(x[0], their_hidden); });
  add_loss(out, "kd_cos_masked", {hidden},
           [&](const auto& x) { return hidden_cosine(x[0], their_hidden, mask); });
  const auto& share = c.config.at("kd_weights");
  add_loss(out, "kd_total", {student, hidden}, [&](const auto& x) {
    return share.at("alpha_ce").template get<double>() * softened_kl(x[0], teacher, temperature) +
           share.at("alpha_task").template get<double>() * cross_entropy(x[0], labels) +
           share.at("alpha_cos").template get<double>() * hidden_cosine(x[1], their_hidden);
  });
  return out;
}

/// The number behind `key` in a sentence: "power=0.75", "power 2/3".
double number_after(const std::string& sentence, const std::string& key) {
  const auto at = sentence.find(key);
  check_runtime(at != std::string::npos, "[parity] expected '", key, "' in '", sentence, "'");
  char* end = nullptr;
  const double value = std::strtod(sentence.c_str() + at + key.size() + 1, &end);
  return *end == '/' ? value / std::strtod(end + 1, nullptr) : value;
}

StateDict adamw(const Case& c) {
  const auto in = c.inputs();
  torch::nn::Module model;
  auto w = model.register_parameter("w", at(in, "w0").clone());
  auto b = model.register_parameter("b", at(in, "b0").clone());
  const auto betas = c.config.at("betas").get<std::vector<double>>();
  AdamW optimizer(
      {{.names = {"w"}, .parameters = {w}, .weight_decay = c.config.at("wd").get<double>()},
       {.names = {"b"}, .parameters = {b}}},
      {betas.at(0), betas.at(1), c.config.at("eps").get<double>()});
  const auto& schedule = c.config.at("lr_schedule");
  check_runtime(
      schedule.at("kind").get<std::string>() == "transformers.get_cosine_schedule_with_warmup",
      "[parity] expected transformers' cosine, got ", schedule.at("kind").dump());
  const LearningRateOptions rate{.learning_rate = c.config.at("lr").get<double>(),
                                 .warmup_steps = schedule.at("warmup").get<std::int64_t>(),
                                 .steps = schedule.at("total").get<std::int64_t>()};

  const double decay = c.config.at("ema_decay").get<double>();
  const auto& rules = c.config.at("ema");
  const auto power_decay = [&](const char* rule, const char* gamma) {
    const auto sentence = rules.at(rule).get<std::string>();
    return [=](std::int64_t n) {
      return power_ema_decay(n, decay, number_after(sentence, "power"),
                             number_after(sentence, gamma));
    };
  };
  struct Average {
    std::string name;
    std::function<double(std::int64_t)> decay;
    EMA average;
    std::vector<double> decays{};
  };
  const auto fixed = [=](std::int64_t) { return decay; };
  std::vector<Average> averages{
      {"v2", fixed, EMA(model, decay)},
      {"v3", fixed, EMA(model, decay)},
      {"v3_warmup", power_decay("v3_warmup", "gamma"), EMA(model, decay)},
      {"diffusers", [=](std::int64_t n) { return diffusers_ema_decay(n, decay); },
       EMA(model, decay)},
      {"diffusers_warmup", power_decay("diffusers_warmup", "inv_gamma"), EMA(model, decay)}};

  std::map<std::string, std::vector<at::Tensor>> steps;  // of each output
  const auto record = [&](const std::string& name, const at::Tensor& value) {
    steps[name].push_back(value.detach().clone());
  };
  for (std::int64_t k = 0; k < c.config.at("steps").get<std::int64_t>(); ++k) {
    w.mutable_grad() = at(in, "grad_w")[k].clone();
    b.mutable_grad() = at(in, "grad_b")[k].clone();
    const double norm = optimizer.clip_gradients(c.config.at("max_norm").get<double>());
    record("grad_norm", torch::tensor(norm, torch::kFloat));
    record("clipped_w", w.grad());
    const double lr = transformers_cosine(static_cast<double>(k), rate);
    record("lr", torch::tensor(lr, torch::kDouble));
    optimizer.step(lr);
    record("w", w);
    record("b", b);
    record("exp_avg_w", at(optimizer.state(), "exp_avg.w"));
    record("exp_avg_sq_w", at(optimizer.state(), "exp_avg_sq.w"));
    for (auto& a : averages) {
      a.decays.push_back(a.decay(k + 1));
      a.average.update(model, a.decays.back());
      record("ema_" + a.name + "_w", at(a.average.state(), "average.w"));
    }
  }
  StateDict out;
  for (const auto& [name, values] : steps) out.emplace_back(name, at::stack(values));
  for (const auto& a : averages)
    if (a.name != "v2" && a.name != "v3")  // theirs is fixed
      out.emplace_back("ema_" + a.name + "_decay", vector(a.decays));
  return out;
}

StateDict schedules(const Case& c) {
  const auto total = c.config.at("sched_total").get<std::int64_t>();
  const double top = c.config.at("lr").get<double>();
  StateDict out;
  const auto curve = [&](const char* name, std::int64_t steps,
                         const std::function<double(double)>& rate) {
    std::vector<double> values;
    for (std::int64_t k = 0; k < steps; ++k) values.push_back(rate(static_cast<double>(k)));
    out.emplace_back(name, vector(values));
  };
  const auto shown = total + 2;  // how the peers go on past the end, too
  LearningRateOptions o{.learning_rate = top,
                        .warmup_steps = c.config.at("sched_warm").get<std::int64_t>(),
                        .steps = total};
  curve("hf_cosine", shown, [&](double k) { return transformers_cosine(k, o); });
  o.decay = Decay::Linear;
  curve("hf_linear", shown,
        [&](double k) { return learning_rate(static_cast<std::int64_t>(k), o); });
  o.decay = Decay::Constant;
  curve("hf_constant_warm", shown,
        [&](double k) { return learning_rate(static_cast<std::int64_t>(k), o); });
  o.decay = Decay::Cosine;
  o.minimum = top * c.config.at("hf_cosine_min").at("min_lr_rate").get<double>();
  curve("hf_cosine_min", shown, [&](double k) { return transformers_cosine(k, o); });

  const auto& timm = c.config.at("timm_cosine");
  o.minimum = timm.at("lr_min").get<double>();
  o.warmup_steps = timm.at("warmup_t").get<std::int64_t>();
  o.steps = timm.at("t_initial").get<std::int64_t>();
  const double start = timm.at("warmup_lr_init").get<double>();
  curve("timm_cosine", shown, [&](double k) { return timm_cosine(k, o, start); });
  curve("timm_cosine_prefix", shown, [&](double k) { return timm_cosine(k, o, start, true); });

  const auto& torch_cosine = c.config.at("torch_cosine");
  curve("torch_cosine", shown, [&](double k) {
    return cosine_annealing(k, top, torch_cosine.at("eta_min").get<double>(),
                            torch_cosine.at("T_max").get<double>());
  });
  const auto& cycle = c.config.at("torch_onecycle");
  const OneCycleOptions one{.learning_rate = cycle.at("max_lr").get<double>(),
                            .steps = cycle.at("total_steps").get<std::int64_t>(),
                            .rising = cycle.value("pct_start", 0.3)};
  curve("torch_onecycle", one.steps - 1, [&](double k) { return one_cycle(k, one); });

  const auto& v = c.config.at("vit");
  const auto patch = v.at("patch_size").get<std::int64_t>();
  const ViT vit(ViTOptions{.image_size = patch,  // groups go by names and dimensions, not by sizes
                           .patch_size = patch,
                           .dim = v.at("embed_dim").get<std::int64_t>(),
                           .depth = v.at("depth").get<std::int64_t>(),
                           .heads = v.at("num_heads").get<std::int64_t>(),
                           .mlp_ratio = v.at("mlp_ratio").get<double>(),
                           .num_classes = v.at("num_classes").get<std::int64_t>(),
                           .mean_pooling = v.at("global_pool").get<std::string>() == "avg",
                           .qkv_bias = v.at("qkv_bias").get<bool>(),
                           .layer_scale = v.value("init_values", 0.0)});
  std::map<std::string, std::pair<double, double>> of_parameter;  // scale, weight decay
  for (const auto& group : layer_decay_groups(*vit, c.config.at("wd").get<double>(),
                                              c.config.at("layer_decay").get<double>(),
                                              v.at("depth").get<std::int64_t>(), LayerRule::Timm))
    for (const auto& name : group.names)
      of_parameter[name] = {group.learning_rate_scale, group.weight_decay};
  std::vector<double> scales, decays;
  const auto names = Json::read(c.directory / "layer_decay_names.json");
  for (const auto& name : names.get<std::vector<std::string>>()) {
    scales.push_back(of_parameter.at(name).first);
    decays.push_back(of_parameter.at(name).second);
  }
  out.emplace_back("layer_decay.lr_scale", vector(scales));
  out.emplace_back("layer_decay.weight_decay", vector(decays));
  return out;
}

const Register a{"10a", losses}, b{"10b", adamw}, c{"10c", schedules};

}  // namespace
}  // namespace dermis::parity
