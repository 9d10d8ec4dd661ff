#include "dermis/train/teacher_cache.hpp"

#include <torch/types.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <iostream>

#include "dermis/train/distillation.hpp"
#include "folder.hpp"
#include "stripes.hpp"

using namespace dermis;
using namespace dermis::test;
namespace fs = std::filesystem;

namespace {

Classifier teacher_of(const PixelSet& training) {
  auto model = small;
  model.drop_path = 0.1;
  return train_classifier(training, measure_normalization(training),
                          {.model = model, .training = steps(4)}, quiet(), "teacher");
}

StudentOptions student(double cosine = 0, HiddenTokens tokens = HiddenTokens::All) {
  auto loss = skindistilvit_loss();
  loss.hidden_cosine = cosine;
  loss.hidden_tokens = tokens;
  return {.layers = {0}, .loss = loss, .training = steps(5), .views = "shared"};
}

StageContext keeping(const fs::path& cache) {
  auto context = quiet();
  context.cache = cache;
  return context;
}

bool same_weights(const Classifier& a, const Classifier& b) {
  const auto first = state_dict(*a.model), second = state_dict(*b.model);
  return std::equal(first.begin(), first.end(), second.begin(), [](const auto& x, const auto& y) {
    return x.first == y.first && at::equal(x.second, y.second);
  });
}

std::vector<fs::path> files(const fs::path& folder) {
  std::vector<fs::path> all;
  for (const auto& entry : fs::directory_iterator(folder)) all.push_back(entry.path());
  return all;
}

}  // namespace

TEST_CASE("teacher cache: with and without it a student is the same to the bit") {
  const auto training = striped(40, 1);
  const auto teacher = teacher_of(training);
  const ScratchFolder scratch;
  const auto context = keeping(scratch / "answers");
  for (const auto& options :
       {student(), student(1, HiddenTokens::All), student(1, HiddenTokens::Class)}) {
    const auto asked = distill(teacher, training, options, quiet(), "student");
    const auto first = distill(teacher, training, options, context, "student");
    const auto second = distill(teacher, training, options, context, "student");
    CHECK(same_weights(asked, first));
    CHECK(same_weights(asked, second));
  }
  CHECK(files(scratch / "answers").size() == 3);  // by what is kept of the hidden states
}

TEST_CASE("teacher cache: a second student of another loss and length asks for what is missing") {
  const auto training = striped(40, 1);
  const auto teacher = teacher_of(training);
  const ScratchFolder scratch;
  const auto context = keeping(scratch.path());
  distill(teacher, training, student(), context, "student");
  REQUIRE(files(scratch.path()).size() == 1);
  const auto file = files(scratch.path()).front();
  CHECK(read_tensors(file).tensors[1].second.sizes() == at::IntArrayRef({5 * 16, 2}));

  auto longer = student();
  longer.loss.kl = 1;
  longer.training = steps(8);
  const auto kept = distill(teacher, training, longer, context, "student");
  CHECK(same_weights(kept, distill(teacher, training, longer, quiet(), "student")));
  CHECK(files(scratch.path()).size() == 1);
  CHECK(read_tensors(file).tensors[1].second.size(0) == 8 * 16);

  // What the answers depend on is another file: order and views, the teacher.
  auto other = student();
  other.views = "";
  distill(teacher, training, other, context, "student");
  CHECK(files(scratch.path()).size() == 2);
  auto moved = teacher;
  moved.model = locked(teacher.model);
  {
    torch::NoGradGuard no_grad;
    moved.model->head->bias += 0.5;
  }
  distill(moved, training, student(), context, "student");
  CHECK(files(scratch.path()).size() == 3);
}

TEST_CASE("teacher cache: kept answers are used, which a false one shows") {
  const auto training = striped(40, 1);
  const auto teacher = teacher_of(training);
  const ScratchFolder scratch;
  const auto context = keeping(scratch.path());
  const auto first = distill(teacher, training, student(), context, "student");
  const auto file = files(scratch.path()).front();
  auto stored = read_tensors(file);
  auto metadata = stored.metadata;
  stored.tensors[1].second = stored.tensors[1].second + 1.5 * torch::tensor({1.0, -1.0});
  metadata["dermis.fingerprint"] = fingerprint(stored.tensors);
  write_tensors(file, stored.tensors, metadata);
  CHECK_FALSE(same_weights(distill(teacher, training, student(), context, "student"), first));

  // A damaged file is computed anew.
  std::ofstream(file, std::ios::app) << "more";
  std::ostringstream said;
  auto* const before = std::cerr.rdbuf(said.rdbuf());
  const auto again = distill(teacher, training, student(), context, "student");
  std::cerr.rdbuf(before);
  CHECK(same_weights(again, first));
  CHECK_THAT(said.str(), Catch::Contains("[teacher cache]") && Catch::Contains("is damaged"));
}

TEST_CASE("teacher cache: rows by view, whatever the batch they came in") {
  const ScratchFolder scratch;
  const auto key = Json::object({{"teacher", "t"}});
  TeacherCache cache(scratch.path(), key);
  CHECK_FALSE(cache.find({3}).has_value());
  const auto logits = torch::arange(6, torch::kFloat).reshape({3, 2});
  cache.add({3, 5, 9}, {logits, {}});
  cache.add({5, 4}, {torch::full({2, 2}, 7.0), {}});  // 5 is known already
  cache.save();
  TeacherCache again(scratch.path(), key);
  CHECK(again.size() == 4);
  CHECK(at::equal(again.find({9, 5})->logits, torch::tensor({{4.f, 5.f}, {2.f, 3.f}})));
  CHECK(at::equal(again.find({4})->logits, torch::tensor({{7.f, 7.f}})));
  CHECK_FALSE(again.find({4, 6}).has_value());
  CHECK(TeacherCache(scratch.path(), Json::object({{"teacher", "u"}})).size() == 0);
  TeacherCache nowhere;
  nowhere.add({1}, {torch::zeros({1, 2}), {}});
  CHECK_FALSE(nowhere.find({1}).has_value());
}

TEST_CASE("teacher cache: answers that would fill the disk are not kept") {
  const auto training = striped(8, 1);
  const auto teacher = teacher_of(training);
  const ScratchFolder scratch;
  const auto context = keeping(scratch.path());
  const StageViews views{.name = "v", .recipe = {}};
  const auto sampler = Sampler::natural(8, 1, "v");
  auto schedule = steps(1'000'000);
  auto none = teacher_cache(teacher.model, training, views, sampler, schedule, context, {17, 32});
  none.add({1}, {torch::zeros({1, 2}), torch::zeros({1, 17, 32})});
  none.save();
  CHECK(none.size() == 0);
  auto some = teacher_cache(teacher.model, training, views, sampler, schedule, context);
  some.add({1}, {torch::zeros({1, 2}), {}});
  CHECK(some.size() == 1);
}
