#include "dermis/train/text_to_image.hpp"

#include <ATen/CPUGeneratorImpl.h>

#include <iostream>
#include <sstream>

#include "dermis/core/file.hpp"
#include "dermis/io/contact_sheet.hpp"
#include "dermis/io/image.hpp"
#include "dermis/io/tensors.hpp"
#include "dermis/train/prompted_images.hpp"
#include "dermis/weights/lora.hpp"
#include "folder.hpp"
#include "tiny_text_to_image.hpp"

using namespace dermis;
using test::message_of;

namespace {

const StageContext quiet{.seed = 5, .progress = false};

/// What `action` writes to stderr.
template <class Action>
std::string stderr_of(const Action& action) {
  std::ostringstream captured;
  auto* before = std::cerr.rdbuf(captured.rdbuf());
  action();
  std::cerr.rdbuf(before);
  return captured.str();
}

TextToImage trained(std::int64_t steps, const StageContext& context = quiet,
                    Objective objective = Objective::Flow) {
  const auto set = test::striped(32, 4);
  auto options = test::tiny_text_to_image(steps);
  options.objective = objective;
  return train_text_to_image(set, test::striped_captions(set), test::random_autoencoder(set),
                             options, context);
}

}  // namespace

TEST_CASE("train_text_to_image: the words of a caption reach the network") {
  const auto held_out = test::striped(32, 6);
  const auto captions = test::striped_captions(held_out);
  for (const auto objective : {Objective::Flow, Objective::Velocity}) {
    const auto model = trained(120, quiet, objective);
    const auto use = caption_use(model, held_out, captions, 1);
    INFO(use.own << " with its own caption, " << use.shuffled << " with another's");
    CHECK(use.shuffled_minus_own.lo > 0);
    CHECK(model.options.text_length < 20);  // as long as the longest caption
    const auto noise = test::randn({1, 4, 8, 8}, 9);
    CHECK(test::difference(model.latents({"a plain disc"}, noise),
                           model.latents({"a disc with stripes"}, noise)) > 0.01);
  }
}

TEST_CASE("train_text_to_image: the same seed gives the same weights, a finished run is loaded") {
  const test::ScratchFolder folder;
  auto context = quiet;
  context.out = folder.path();
  const auto whole = trained(8, context);
  save_text_to_image(folder.path(), whole);
  const auto again = trained(8);
  CHECK(fingerprint(state_dict(*again.network)) == fingerprint(state_dict(*whole.network)));
  context.resume = true;
  TrainResult result;
  const auto set = test::striped(32, 4);
  train_text_to_image(set, test::striped_captions(set), test::random_autoencoder(set),
                      test::tiny_text_to_image(8), context, "text_to_image", &result);
  CHECK(result.loaded);

  const auto loaded = load_text_to_image(folder.path());
  const auto noise = test::randn({2, 4, 8, 8}, 1);
  const std::vector<std::string> prompts = {"a disc with stripes", "a plain disc"};
  CHECK(at::equal(loaded.latents(prompts, noise), whole.latents(prompts, noise)));
  CHECK(loaded.image_size == 16);
  CHECK(loaded.lineage == whole.lineage);
}

TEST_CASE("train_text_to_image: pictures on the way, training images above what their words give") {
  const test::ScratchFolder folder;
  auto context = quiet;
  context.out = folder.path();
  const auto model = trained(8, context);
  const auto set = test::striped(32, 4);
  const auto captions = test::striped_captions(set);
  std::vector<Image> images;
  std::vector<std::string> prompts;
  for (std::int64_t row = 0; row < 32; row += 4) {
    images.push_back(to_image(set.images[row]));
    prompts.push_back(captions[static_cast<std::size_t>(row)]);
  }
  const auto noise =
      torch::randn({8, 4, 8, 8}, at::make_generator<at::CPUGeneratorImpl>(context.seed));
  for (const auto& image :
       decode_latents(model.autoencoder, model.latents(prompts, noise)).unbind())
    images.push_back(to_image(image));
  const auto shown = read_image(folder / "text_to_image/samples/step_000008.png");
  CHECK(torch::equal(to_tensor(shown), to_tensor(grid(images, 8))));
}

TEST_CASE("text_to_image: long texts are cut and said so, files that do not fit are refused") {
  const test::ScratchFolder folder;
  const auto model = trained(1);
  const std::string longer = "a disc with stripes, a plain disc, a disc with stripes";
  CHECK_THAT(stderr_of([&] { model.read({longer}); }),
             Catch::Contains("1 of 1 texts are longer than the") &&
                 Catch::Contains("that the text encoder takes and were cut"));
  CHECK(stderr_of([&] { model.read({"a plain disc"}); }).empty());
  save_text_to_image(folder.path(), model);
  auto vocabulary = learned_vocabulary(
      {"many more different words than the text encoder of this model has ever seen before"},
      {.least_count = 1});
  write_atomically(folder / "tokenizer.json", vocabulary.dump());
  CHECK_THAT(message_of<std::runtime_error>([&] { load_text_to_image(folder.path()); }),
             Catch::Contains("tokenizer"));
  const auto set = test::striped(32, 4);
  CHECK_THAT(message_of([&] {
               train_text_to_image(set, {"one"}, test::random_autoencoder(set),
                                   test::tiny_text_to_image(1), quiet);
             }),
             Catch::Contains("a caption for each of 32 images, got 1"));
  auto options = test::tiny_text_to_image(1);
  options.caption_dropout = 2;
  CHECK_THAT(message_of([&] { validate(options); }), Catch::Contains("got 2"));
  options = test::tiny_text_to_image(1);
  options.model.guidance = true;
  CHECK_THAT(message_of([&] { validate(options); }), Catch::Contains("empty caption"));
}

TEST_CASE("draw_images: marked, listed, taken over; what is missing is drawn as before") {
  const test::ScratchFolder folder;
  const auto generator = prompted(trained(2));
  std::vector<ImageRequest> requests;
  for (std::int64_t i = 0; i < 18; ++i)
    requests.push_back({i % 2 ? "a disc with stripes" : "a plain disc", i, i % 2 ? "b" : "a"});
  const auto first = draw_images(generator, requests, {"a", "b"}, 7, folder.path(), false);
  CHECK(first.labels[1].item<std::int64_t>() == 1);
  CHECK(first.samples[0].synthetic);
  const auto file = folder / "b" / "prompted_000001.png";
  const auto mark = read_provenance(file);
  REQUIRE(mark.has_value());
  CHECK(mark->prompt == "a disc with stripes");
  CHECK(mark->seed == 7);
  CHECK(declares_synthetic(file));
  CHECK_THAT(read_file(folder / "captions.csv"), Catch::Contains("b/prompted_000001.png"));
  std::filesystem::remove(file);
  const auto second = draw_images(generator, requests, {"a", "b"}, 7, folder.path(), false);
  CHECK(at::equal(first.images, second.images));
  CHECK(std::filesystem::exists(file));
  CHECK_THAT(message_of([&] { draw(generator, {{.prompt = " "}}, 1); }),
             Catch::Contains("a prompt with words"));
  CHECK_THAT(message_of([&] { draw_images(generator, requests, {"a"}, 1, {}, false); }),
             Catch::Contains("one of the classes a, got b"));
}
