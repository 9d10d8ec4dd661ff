#include <torch/types.h>

#include <catch2/catch.hpp>

#include "dermis/distill/student.hpp"

using namespace dermis;

namespace {
ViTOptions sized(std::int64_t dim, std::int64_t depth, std::int64_t patch) {
  return {.image_size = 16,
          .patch_size = patch,
          .dim = dim,
          .depth = depth,
          .heads = 2,
          .num_classes = 3};
}
const auto images = [] { return torch::randn({2, 3, 16, 16}); };
const auto labels = [] { return torch::tensor({0, 2}, torch::kLong); };
}  // namespace

TEST_CASE("distillation losses: published sample values") {  // papers.md section 7, SkinDistilViT
                                                             // loss sample
  const auto s = torch::tensor({{2.0, 1.0, 0.0}, {0.5, -1.0, 3.0}});
  const auto t = torch::tensor({{1.0, 2.0, 0.0}, {0.0, 0.0, 4.0}});
  const auto y = torch::tensor({0, 2}, torch::kLong);
  const double kl = softened_kl(s, t, 2.0).item<double>();
  CHECK(kl == Approx(0.264338232));
  CHECK(cross_entropy(s, y).item<double>() == Approx(0.251640147));
  CHECK(logit_mse(s, t).item<double>() == Approx(2.125));
  CHECK(0.5 * kl + cross_entropy(s, y).item<double>() + 0.25 * 2.125 == Approx(0.915059263));
  CHECK(softened_kl(t, t, 3.0).item<double>() == Approx(0).margin(1e-9));
  const auto hidden = torch::randn({2, 5, 8});
  CHECK(hidden_cosine(hidden, 3 * hidden).item<double>() == Approx(0).margin(1e-5));
  CHECK(hidden_cosine(hidden, -hidden).item<double>() == Approx(2));
}

TEST_CASE("distillation losses: shapes that differ and a temperature of zero are refused") {
  CHECK_THROWS_WITH(softened_kl(torch::zeros({2, 3}), torch::zeros({2, 4}), 2),
                    Catch::Contains("[2, 3] and [2, 4]"));
  CHECK_THROWS_WITH(softened_kl(torch::zeros({2, 3}), torch::zeros({2, 3}), 0),
                    Catch::Contains("temperature"));
  CHECK_THROWS_WITH(hidden_cosine(torch::zeros({2, 3, 4}), torch::zeros({2, 3, 5})),
                    Catch::Contains("hidden_projection"));
}

TEST_CASE(
    "distiller: DerMAE's loss is alpha T^2 KL + (1 - alpha) CE, whatever the student's shape") {
  ViT teacher(sized(16, 3, 4)), student(sized(8, 2, 8));
  Distiller distiller(student, teacher, dermae_loss(0.3, 2.0));
  const auto x = images();
  const auto y = labels();
  const auto terms = distiller->forward(x, y);
  teacher->eval();
  const auto expected = 0.3 * softened_kl(student->forward(x), teacher->forward(x), 2.0) +
                        0.7 * cross_entropy(student->forward(x), y);
  CHECK(terms.total.item<double>() == Approx(expected.item<double>()));
  CHECK_FALSE(terms.logit_mse.defined());
  CHECK_THROWS_WITH(dermae_loss(1.5), Catch::Contains("alpha in [0, 1], got 1.5"));
}

TEST_CASE("distiller: the teacher stays in evaluation mode, gets no gradient and is not saved") {
  auto options = sized(16, 3, 4);
  options.drop_path = 0.9;
  ViT teacher(options);
  const auto before = teacher->blocks->at<TransformerBlockImpl>(0).attn->qkv->weight.clone();
  Distiller distiller(ViT(sized(16, 1, 4)), teacher, skindistilvit_loss());
  distiller->train();
  CHECK_FALSE(distiller->teacher().ptr()->is_training());
  const auto x = images();
  const auto y = labels();
  distiller->student->eval();  // only the teacher could still be random
  CHECK(distiller->forward(x, y).total.item<double>() ==
        distiller->forward(x, y).total.item<double>());
  distiller->train();
  distiller->forward(x, y).total.backward();
  for (const auto& parameter : distiller->teacher().ptr()->parameters()) {
    CHECK_FALSE(parameter.requires_grad());
    CHECK_FALSE(parameter.grad().defined());
  }
  for (const auto& item : distiller->named_parameters())
    CHECK(item.key().rfind("student.", 0) == 0);
  CHECK(at::equal(teacher->blocks->at<TransformerBlockImpl>(0).attn->qkv->weight, before));
  CHECK(teacher->parameters().front().requires_grad());  // the caller's own copy is left as it was
}

TEST_CASE("distiller: hidden states of another width or grid need a named projection") {
  ViT teacher(sized(16, 3, 4));
  auto loss = dermae_loss();
  loss.hidden_cosine = 1;
  CHECK_THROWS_WITH(Distiller(ViT(sized(8, 2, 4)), teacher, loss),
                    Catch::Contains("width 8") && Catch::Contains("width 16") &&
                        Catch::Contains("hidden_projection"));
  CHECK_THROWS_WITH(Distiller(ViT(sized(16, 2, 8)), teacher, loss),
                    Catch::Contains("4 patches") && Catch::Contains("16 patches"));
  loss.hidden_projection = HiddenProjection::Linear;
  Distiller distiller(ViT(sized(8, 2, 8)), teacher, loss);
  const auto terms = distiller->forward(images(), labels());
  REQUIRE(terms.hidden_cosine.defined());
  terms.total.backward();
  CHECK(distiller->projection->weight.grad().abs().sum().item<double>() > 0);
  auto other = sized(16, 3, 4);
  other.num_classes = 4;
  CHECK_THROWS_WITH(Distiller(ViT(other), teacher, dermae_loss()),
                    Catch::Contains("same classes, got 4 and 3"));
}

TEST_CASE("student: starts as the chosen teacher layers") {
  ViT teacher(sized(16, 4, 4));
  auto student = student_from_layers(teacher, {1, 3});
  CHECK(student->options.depth == 2);
  const auto weight = [](const ViT& vit, std::size_t i) {
    return vit.ptr()->blocks->at<TransformerBlockImpl>(i).mlp->fc1->weight;
  };
  CHECK(at::equal(weight(student, 0), weight(teacher, 1)));
  CHECK(at::equal(weight(student, 1), weight(teacher, 3)));
  CHECK(at::equal(student->head->weight, teacher->head->weight));
  teacher->eval();
  auto all = student_from_layers(teacher, {0, 1, 2, 3});
  all->eval();
  const auto x = images();
  CHECK(at::equal(all->forward(x), teacher->forward(x)));
  CHECK(alternate_layers(12) == std::vector<std::int64_t>{0, 2, 4, 6, 8, 10});
  CHECK(first_layers(3) == std::vector<std::int64_t>{0, 1, 2});
  CHECK(spread_layers(12, 6) == std::vector<std::int64_t>{0, 2, 4, 7, 9, 11});  // DistilBERT's
  CHECK(spread_layers(6, 3) == std::vector<std::int64_t>{0, 3, 5});
  CHECK(spread_layers(4, 4) == first_layers(4));
  CHECK(spread_layers(5, 1) == std::vector<std::int64_t>{0});
  CHECK_THROWS_WITH(spread_layers(4, 5), Catch::Contains("1 to 4 layers to keep, got 5"));
  CHECK_THROWS_WITH(student_from_layers(teacher, {0, 4}), Catch::Contains("0..3, got 4"));
  CHECK_THROWS_WITH(student_from_layers(teacher, {2, 1}), Catch::Contains("ascending"));
  CHECK_THROWS_WITH(student_from_layers(teacher, {}), Catch::Contains("at least one"));
}

TEST_CASE("distillation losses: soft cross-entropy, masked tokens, class weights") {  // torch 2.13
  const auto s = torch::tensor({{2.0, 1.0, 0.0}, {0.5, -1.0, 3.0}});
  const auto t = torch::tensor({{1.0, 2.0, 0.0}, {0.0, 0.0, 4.0}});
  CHECK(softened_cross_entropy(s, t, 2.0).item<double>() == Approx(3.635866165));
  CHECK(softened_cross_entropy(s, t, 2.0).item<double>() - softened_kl(s, t, 2.0).item<double>() ==
        Approx(softened_cross_entropy(t, t, 2.0).item<double>()));
  const auto weights = torch::tensor({1.0, 2.0, 4.0});
  CHECK(cross_entropy(s, torch::tensor({0, 2}, torch::kLong), 0.1, weights).item<double>() ==
        Approx(0.302407682));
  CHECK_THROWS_WITH(softened_cross_entropy(s, t, 0), Catch::Contains("temperature"));
  CHECK_THROWS_WITH(softened_cross_entropy(s, t.slice(1, 0, 2), 1),
                    Catch::Contains("[2, 3] and [2, 2]"));

  const auto ours = torch::tensor({{{1.0, 0.0}, {0.0, 2.0}}});
  const auto theirs = torch::tensor({{{3.0, 0.0}, {1.0, 0.0}}});  // cosines 1 and 0
  const auto mask = [](int first, int second) {
    return torch::tensor({{first, second}}, torch::kLong);
  };
  CHECK(hidden_cosine(ours, theirs, mask(1, 1)).item<double>() == Approx(0.5));
  CHECK(hidden_cosine(ours, theirs, mask(0, 1)).item<double>() == Approx(1));
  CHECK(hidden_cosine(ours, theirs, mask(1, 0)).item<double>() == Approx(0).margin(1e-9));
  CHECK_THROWS_WITH(hidden_cosine(ours, theirs, torch::ones({2, 2})),
                    Catch::Contains("mask of shape [1, 2], got [2, 2]"));
}

TEST_CASE("distiller: the cosine over the class token alone is that of two vectors an image") {
  ViT teacher(sized(16, 3, 4)), student(sized(16, 2, 8));  // other token grids
  auto loss = skindistilvit_text_loss();
  loss.hidden_tokens = HiddenTokens::Class;
  Distiller distiller(student, teacher, loss);
  const auto x = images();
  const auto answers = distiller->ask_teacher(x);
  CHECK(answers.hidden.sizes() == at::IntArrayRef({2, 1, 16}));
  const auto terms = distiller->forward(x, labels());
  const auto token = [&](ViT vit) {
    return vit->forward_features(x, {.hidden_states = true}).hidden_states.back().select(1, 0);
  };
  teacher->eval();
  const auto a = token(student), b = token(teacher);
  const auto cosine = (a * b).sum(-1) / (a.norm(2, -1) * b.norm(2, -1));
  CHECK(terms.hidden_cosine.item<double>() ==
        Approx(1 - cosine.mean().item<double>()).epsilon(1e-4));
  CHECK(terms.total.item<double>() ==
        Approx((terms.kl + terms.cross_entropy + terms.hidden_cosine).item<double>()));

  // d/da of 1 - cos(a, b) is (cos a / |a|^2 - b / (|a| |b|)) / B.
  auto ours = torch::randn({2, 1, 16}).requires_grad_();
  const auto theirs = torch::randn({2, 1, 16});
  hidden_cosine(ours, theirs).backward();
  const auto na = ours.norm(2, -1, true), nb = theirs.norm(2, -1, true);
  const auto cos = (ours * theirs).sum(-1, true) / (na * nb);
  CHECK(at::allclose(ours.grad(), (cos * ours / na.square() - theirs / (na * nb)) / 2, 1e-4, 1e-6));

  loss.hidden_tokens = HiddenTokens::All;
  CHECK_THROWS_WITH(Distiller(student, teacher, loss), Catch::Contains("hidden_projection"));
  HiddenTokens tokens{};
  CHECK_THROWS_WITH(from_name(tokens, "some"), Catch::Contains("all or class, got some"));
}

TEST_CASE("distillation losses: gradients for the student in closed form") {
  const auto t = torch::randn({3, 4}), y = torch::tensor({0, 3, 1}, torch::kLong);
  auto s = torch::randn({3, 4}).requires_grad_();
  const DistillationOptions options{
      .temperature = 3, .kl = 0.7, .cross_entropy = 0.4, .logit_mse = 0.2};
  distillation_terms(options, s, t, y).total.backward();
  const auto softened = 3 * (at::softmax(s / 3, -1) - at::softmax(t / 3, -1));  // T^2 / T
  const auto hard = at::softmax(s, -1) - at::one_hot(y, 4);
  CHECK(at::allclose(s.grad(), (0.7 * softened + 0.4 * hard + 0.2 * 2 * (s - t)) / 3, 1e-4, 1e-6));
  CHECK_FALSE(distillation_terms({.kl = 0, .cross_entropy = 0}, s, t, y).total.defined());
}
