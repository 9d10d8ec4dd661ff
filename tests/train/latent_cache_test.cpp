#include "dermis/train/latent_cache.hpp"

#include <fstream>
#include <iostream>
#include <sstream>

#include <catch2/catch.hpp>

#include "dermis/core/file.hpp"
#include "dermis/data/pixels.hpp"
#include "dermis/io/tensors.hpp"
#include "dermis/layers/autocast.hpp"
#include "dermis/train/autoencoder.hpp"
#include "folder.hpp"
#include "stripes.hpp"
#include "support.hpp"

using namespace dermis;
using namespace dermis::test;

namespace {

KLVAE small_autoencoder(std::uint64_t seed) {
  return KLVAE(KLVAEOptions{.channels = {8, 16}, .layers_per_block = 1, .norm_groups = 4},
               ParameterOptions{.generator = generator(seed)});
}

/// What `action` says on stderr.
template <class Action>
std::string said(Action&& action) {
  std::ostringstream text;
  auto* const before = std::cerr.rdbuf(text.rdbuf());
  action();
  std::cerr.rdbuf(before);
  return text.str();
}

}  // namespace

TEST_CASE("latents: view after view, in full precision, with or without a folder") {
  const auto vae = small_autoencoder(1);
  const auto images = striped(3, 1).images;
  std::vector<at::Tensor> views;
  for (std::int64_t view = 0; view < 8; ++view)
    views.push_back(encode_latents(vae, right_angle_view(images, view)));
  const ScratchFolder folder;
  for (const auto& place : {std::filesystem::path(), folder / "new" / "cache"}) {
    const Autocast half(true);
    const auto latents = cached_latents(vae, images, 8, place);
    CHECK(latents.sizes() == at::IntArrayRef{24, 4, 8, 8});
    CHECK(at::equal(latents, at::cat(views)));
    CHECK(at::equal(cached_latents(vae, images, 8, place), latents));
  }
  CHECK(folder.names() == std::vector<std::string>{"new"});
}

TEST_CASE("latents: a file is read again if nothing has changed, else replaced") {
  auto vae = small_autoencoder(1);
  auto images = striped(3, 1).images;
  const ScratchFolder folder;
  const auto path = folder / "latents.safetensors";
  const auto latents = cached_latents(vae, images, 2, folder.path());

  // Other values under the same fingerprint come back: so they were read, not computed.
  auto file = read_tensors(path);
  const StateDict marked = {{"latents", torch::full_like(latents, 7)}};
  file.metadata["dermis.fingerprint"] = fingerprint(marked);
  const auto mark = [&] { write_tensors(path, marked, file.metadata); };
  const auto is_read = [&](std::int64_t views) {
    return at::equal(cached_latents(vae, images, views, folder.path()), marked.front().second);
  };
  mark();
  CHECK(is_read(2));

  CHECK_FALSE(is_read(1));
  CHECK(cached_latents(vae, images, 1, folder.path()).size(0) == 3);
  mark();
  vae->options.scaling_factor = 2;
  CHECK_FALSE(is_read(2));
  CHECK(difference(cached_latents(vae, images, 2, folder.path()), 2 * latents) < 1e-5);
  vae->options.scaling_factor = 1;
  mark();
  images[0][0][0][0] += 1;
  CHECK_FALSE(is_read(2));
  images[0][0][0][0] -= 1;
  mark();
  CHECK(is_read(2));
  vae = small_autoencoder(2);
  CHECK_FALSE(is_read(2));
  CHECK(folder.names() == std::vector<std::string>{"latents.safetensors"});
}

TEST_CASE("latents: a damaged file is computed anew, with a warning") {
  const auto vae = small_autoencoder(1);
  const auto images = striped(3, 1).images;
  const ScratchFolder folder;
  const auto path = folder / "latents.safetensors";
  const auto latents = cached_latents(vae, images, 1, folder.path());
  const auto whole = read_file(path);

  const auto check_mended = [&](const std::string& complaint) {
    at::Tensor again;
    const auto warning = said([&] { again = cached_latents(vae, images, 1, folder.path()); });
    CHECK(warning.rfind(text("[latents] ", path.string(), " is damaged and computed anew: "), 0) ==
          0);
    CHECK_THAT(warning, Catch::Contains(complaint));
    CHECK(at::equal(again, latents));
    CHECK(read_file(path) == whole);
    CHECK(said([&] { cached_latents(vae, images, 1, folder.path()); }).empty());
  };
  auto flipped = whole;
  flipped.back() = static_cast<char>(flipped.back() ^ 1);
  write_text(path, flipped);
  check_mended("its bytes have changed");
  write_text(path, whole.substr(0, whole.size() - 100));
  check_mended(path.string());
  write_text(path, "");
  check_mended(path.string());
  write_tensors(path, {{"latents", latents}});
  check_mended("its metadata lack dermis.cache_of");
}

TEST_CASE("latents: what cannot be is refused") {
  const auto vae = small_autoencoder(1);
  const auto images = striped(3, 1).images;
  CHECK(message_of([&] { cached_latents(vae, images, 9); }) ==
        "[latents] expected 1 to 8 views, got 9");
  CHECK(message_of([&] { cached_latents(vae, images, 0); }) ==
        "[latents] expected 1 to 8 views, got 0");
  CHECK(message_of([&] { cached_latents(vae, images.slice(0, 0, 0), 1); }) ==
        "[latents] expected images of shape [N, 3, S, S], got [0, 3, 16, 16]");
  const ScratchFolder folder;
  write_text(folder / "file", "");
  CHECK_THAT(message_of<std::runtime_error>(
                 [&] { cached_latents(vae, images, 1, folder / "file" / "cache"); }),
             Catch::Contains("is not a directory"));
}
