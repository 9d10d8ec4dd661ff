#include "dermis/io/tensors.hpp"
#include "dermis/train/prompted_images.hpp"
#include "dermis/weights/flux.hpp"
#include "dermis/weights/lora.hpp"
#include "text_pipeline.hpp"
#include "tiny_text_to_image.hpp"

using namespace dermis;
using test::message_of;

namespace {

/// The published file set, small.
struct Files : test::Pipeline {
  FluxOptions flux = flux_tiny();

  Files() {
    flux.text_dim = t5.dim;
    flux.pooled_dim = clip.dim;
    write_flux();
    const auto autoencoder = test::random_autoencoder(test::striped(8, 4));
    save_autoencoder(*this / "ae.safetensors", autoencoder);
  }
  Flux network() const { return Flux(flux, ParameterOptions{.generator = test::generator(5)}); }
  void write_flux() const { save_diffusers_flux(*this / "flux", network()); }
  /// An adapter of kohya's kind.
  void write_adapter() const {
    auto adapted = network();
    add_low_rank(*adapted, {"linear2"}, {.rank = 2, .alpha = 2}, test::generator(1));
    auto adapter = collect_lora(*adapted);
    for (auto& layer : adapter.layers) layer.B = test::randn(layer.B.sizes(), 8);
    write_lora_kohya(*this / "adapter.safetensors", adapter);
  }
  FluxFiles all() const { return {*this / "flux", *this / "ae.safetensors", folders()}; }
};

const std::vector<std::string> prompts = {"a benign mole", "a melanoma"};
const TextEmbeddingOptions text_options{.t5_length = 14, .batch_size = 2, .dtype = at::kFloat};
const FluxSamplingOptions sampling{.steps = 2};

at::Tensor images(const FluxFiles& files) {
  return draw(published_flux(files, prompts, 16, sampling, text_options),
              {{prompts[0], 0}, {prompts[1], 1}}, 3);
}

}  // namespace

TEST_CASE("published_flux: files make the images that their parts make, block by block too") {
  const Files files;
  const auto drawn = images(files.all());
  CHECK(drawn.sizes() == at::IntArrayRef({2, 3, 16, 16}));
  auto streamed = files.all();
  streamed.streamed = true;
  CHECK(test::byte_difference(images(streamed), drawn) <= 1);

  const auto generator = published_flux(files.all(), prompts, 16, sampling, text_options);
  const auto text = text_embeddings(prompts, files.folders(), text_options);
  const auto noise = test::randn({2, 4, 8, 8}, 1);
  auto flux = files.network();
  CHECK(test::difference(generator.latents(prompts, noise),
                         sample_flux(flux, {text.tokens, text.pooled}, noise, sampling)) < 1e-4);
  CHECK(generator.mark.guidance_scale == 3.5);
  CHECK_THAT(message_of([&] {
               generator.latents({"another"}, test::randn({1, 4, 8, 8}));
             }),
             Catch::Contains("'another'"));
}

TEST_CASE("published_flux: an adapter acts by its weight") {
  const Files files;
  files.write_adapter();
  auto adapted = files.all();
  adapted.adapter = files / "adapter.safetensors";
  const auto plain = images(files.all());
  CHECK_FALSE(at::equal(images(adapted), plain));
  adapted.streamed = true;
  CHECK_FALSE(at::equal(images(adapted), plain));
  adapted.adapter_weight = 0;
  CHECK(at::equal(images(adapted), images([&] {
                    auto streamed = files.all();
                    streamed.streamed = true;
                    return streamed;
                  }())));
}

TEST_CASE("published_flux: parts that do not fit are refused") {
  Files files;
  CHECK_THAT(message_of([&] {
               draw(published_flux(files.all(), prompts, 18, sampling, text_options),
                    {{prompts[0], 0}}, 1);
             }),
             Catch::Contains("divisible by 4, got 18"));
  auto missing = files.all();
  missing.autoencoder = files / "none.safetensors";
  CHECK_THAT(message_of<std::runtime_error>([&] { images(missing); }),
             Catch::Contains("none.safetensors"));
  files.flux.text_dim = 12;
  files.write_flux();
  CHECK_THAT(message_of<std::runtime_error>([&] { images(files.all()); }),
             Catch::Contains("widths 12 (T5) and 16 (CLIP)"));
}
