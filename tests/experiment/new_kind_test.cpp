#include "dermis/experiment/new_kind.hpp"

#include "folder.hpp"
#include "support.hpp"

using namespace dermis;
using test::message_of;

namespace {

NewKindRecipe tiny() {
  auto r = new_kind_recipe("demo");
  const StageSchedule brief{.steps = 6, .batch_size = 8, .learning_rate = 1e-2, .warmup_steps = 1};
  r.data = {.image_size = 32,
            .phantom_images = 96,
            .phantom_validation_per_class = 1,
            .phantom_test_per_class = 4};
  r.autoencoder.model.channels = {8, 16};
  r.autoencoder.model.norm_groups = 4;
  r.model = {.dim = 24,
             .heads = 2,
             .double_blocks = 1,
             .single_blocks = 1,
             .axes = {4, 4, 4},
             .guidance = false};
  r.judge.model.dim = 16;
  r.judge.model.depth = 1;
  r.judge.model.heads = 2;
  r.autoencoder.training = r.base.training = r.adapter.training = r.judge.training = brief;
  r.adapter.low_rank = {.rank = 2, .alpha = 2};
  r.text_dim = 8;
  r.draws_per_kind = 12;
  r.latent_views = 2;
  r.sampling.steps = 2;
  r.images_per_kind = 4;
  return r;
}

DataParts parts_of(const NewKindRecipe& r) {
  return phantom_parts({.train_images = r.data.phantom_images,
                        .validation_lesions_per_class = r.data.phantom_validation_per_class,
                        .test_lesions_per_class = r.data.phantom_test_per_class,
                        .image_size = r.data.image_size},
                       1);
}

}  // namespace

TEST_CASE("class prompts: by name and seed, the empty one is zeros") {
  const auto two = class_prompts({"NV", "MEL"}, 3, 5, 7);
  CHECK(two.text.sizes() == at::IntArrayRef({3, 3, 5}));
  CHECK(two.pooled.sizes() == at::IntArrayRef({3, 5}));
  CHECK(two.text[0].abs().max().item<float>() == 0);
  const auto turned = class_prompts({"MEL", "NV", "DF"}, 3, 5, 7);
  CHECK(at::equal(turned.text[2], two.text[1]));
  CHECK(at::equal(turned.pooled[1], two.pooled[2]));
  CHECK_FALSE(at::equal(class_prompts({"NV"}, 3, 5, 8).text[1], two.text[1]));
}

TEST_CASE("new kind: equal noise for all models, adapters change the base, runs resume") {
  const test::ScratchFolder folder;
  const auto recipe = tiny();
  const auto parts = parts_of(recipe);
  const StageContext context{.out = folder.path(), .seed = 3, .progress = false};
  const auto results = learn_new_kind(recipe, "VASC", parts, context);
  REQUIRE(results.models.size() == 3);
  const auto& base = results.models[0];
  CHECK(base.model == "base");
  CHECK(base.drift == 0);
  CHECK(base.learned.mean == 0);
  CHECK(base.images.size() == 8 * 4);
  CHECK(results.chance_drift > 0);
  CHECK(results.new_images == parts.train.class_counts()[6]);
  for (std::size_t m = 1; m < 3; ++m) {
    CHECK(results.models[m].drift > 0);
    CHECK_FALSE(at::equal(results.models[m].images.images, base.images.images));
  }
  for (const auto& sample : base.images.samples) CHECK(sample.synthetic);

  auto again = context;
  again.resume = true;
  const auto resumed = learn_new_kind(recipe, "VASC", parts, again);
  CHECK(to_json(resumed).dump() == to_json(results).dump());
  for (const auto* name : {"adapter", "adapter_replay"})
    CHECK(std::filesystem::exists(folder.path() / (std::string(name) + ".safetensors")));
}

TEST_CASE("new kind: what cannot be is refused before training") {
  auto recipe = tiny();
  const auto parts = parts_of(recipe);
  CHECK_THAT(message_of([&] { learn_new_kind(recipe, "WART", parts, {}); }),
             Catch::Contains("one of the classes") && Catch::Contains("got WART"));
  recipe.adapter.low_rank.rank = 0;
  CHECK_THAT(message_of([&] { validate(recipe); }), Catch::Contains("rank 1 or more"));
  recipe = tiny();
  recipe.model.guidance = true;
  CHECK_THAT(message_of([&] { validate(recipe); }), Catch::Contains("without guidance"));
  CHECK(plan(tiny(), 8).size() == 5);
  CHECK(plan(tiny(), 8)[3].parameters < plan(tiny(), 8)[2].parameters);
}
