#include "dermis/weights/streamed_flux.hpp"

#include <fstream>
#include <iostream>

#include "dermis/core/json.hpp"
#include "folder.hpp"
#include "support.hpp"

using namespace dermis;
using Catch::Contains;
using dermis::test::difference;
using dermis::test::randn;

namespace {

FluxOptions deep() {
  auto options = flux_tiny();
  options.double_blocks = 2;
  options.single_blocks = 3;
  return options;
}

FluxInput input_of(const FluxOptions& o) {
  return {.image = randn({1, 4, o.in_channels}, 1),
          .image_ids = flux_image_ids(4, 4),
          .text = randn({1, 3, o.text_dim}, 2),
          .text_ids = {},
          .time = at::full({1}, 0.6),
          .pooled = randn({1, o.pooled_dim}, 4),
          .guidance = at::full({1}, 3.5)};
}

/// A file with the header of a Flux and a hole where the weights would be: it takes no space, and
/// reads as zeros.
void write_hollow(const std::filesystem::path& path, const FluxOptions& o, const char* type,
                  std::uint64_t element) {
  auto header = Json::object();
  std::uint64_t end = 0;
  for (const auto& [name, tensor] : state_dict(*Flux(o, ParameterOptions{.device = at::kMeta}))) {
    const auto bytes = element * static_cast<std::uint64_t>(tensor.numel());
    header[name] = Json::object(
        {{"dtype", type},
         {"shape", tensor.sizes().vec()},
         {"data_offsets", std::vector<std::int64_t>{static_cast<std::int64_t>(end),
                                                    static_cast<std::int64_t>(end + bytes)}}});
    end += bytes;
  }
  auto text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t size = text.size();
  std::ofstream file(path, std::ios::binary);
  for (int i = 0; i < 8; ++i) file.put(static_cast<char>(size >> (8 * i)));
  file << text;
  file.close();
  std::filesystem::resize_file(path, 8 + size + end);
}

/// The most memory that this process has held, bytes; `reset` forgets what was before.
std::uint64_t peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "VmHWM:") {
      std::uint64_t kib = 0;
      status >> kib;
      return kib * 1024;
    }
  throw std::runtime_error("no VmHWM in /proc/self/status");
}
void reset_peak_memory() {
  std::ofstream("/proc/self/clear_refs") << 5;
}

}  // namespace

TEST_CASE("streamed flux: the answer of the whole model, bit for bit, from either layout") {
  const test::ScratchFolder folder;
  Flux flux(deep(), ParameterOptions{.generator = test::generator(3)});
  write_tensors(folder / "bfl.safetensors", state_dict(*flux));
  save_diffusers_flux(folder / "diffusers", flux);
  const auto input = input_of(flux->options);
  const torch::NoGradGuard no_grad;
  const auto expected = flux->forward(input);
  for (const auto* name : {"bfl.safetensors", "diffusers"}) {
    StreamedFlux streamed(folder / name);
    CHECK(at::equal(streamed.forward(input), expected));
    CHECK(at::equal(streamed.forward(input), expected));
  }
  StreamedFlux rough(folder / "bfl.safetensors", {.dtype = at::kBFloat16});
  auto whole = load_flux(folder / "bfl.safetensors", {.dtype = at::kBFloat16});
  CHECK(at::equal(rough.forward(input), whole->forward(input)));
}

TEST_CASE("streamed flux: an adapter gives what it gives the whole model") {
  const test::ScratchFolder folder;
  Flux flux(deep(), ParameterOptions{.generator = test::generator(3)});
  write_tensors(folder / "bfl.safetensors", state_dict(*flux));
  const auto d = flux->options.dim;
  const LoraAdapter adapter{
      {{"lora_unet_double_blocks_1_img_attn_proj", randn({2, d}, 5), randn({d, 2}, 6), 1},
       {"transformer.single_transformer_blocks.2.attn.to_k", randn({2, d}, 7), randn({d, 2}, 8),
        1}}};
  const auto map = diffusers_flux_layers(flux->options);
  const auto input = input_of(flux->options);
  const torch::NoGradGuard no_grad;
  const auto plain = flux->forward(input);
  apply_lora(*flux, adapter, "adapter", map);
  StreamedFlux streamed(folder / "bfl.safetensors");
  CHECK(streamed.set_lora(adapter, "adapter").applied.size() == 2);
  CHECK(at::equal(streamed.forward(input), flux->forward(input)));
  CHECK_FALSE(at::equal(streamed.forward(input), plain));
  CHECK_THROWS_WITH(streamed.set_lora({{{"img_in", randn({2, 16}), randn({d, 2}), 1}}}, "x"),
                    Contains("x: expected an adapter of blocks alone, got one of 'img_in'"));
}

TEST_CASE("streamed flux: a file that does not fit is refused before the first forward") {
  const test::ScratchFolder folder;
  auto tensors = state_dict(*Flux(deep(), ParameterOptions{.generator = test::generator(3)}));
  std::erase_if(tensors, [](const auto& e) { return e.first == "single_blocks.2.linear1.bias"; });
  write_tensors(folder / "x.safetensors", tensors);
  CHECK_THROWS_WITH(StreamedFlux(folder / "x.safetensors"),
                    Contains("missing") && Contains("single_blocks.2.linear1.bias"));
}

TEST_CASE("streamed flux: memory holds two blocks, not the model") {
  const test::ScratchFolder folder;
  const FluxOptions o{.in_channels = 16,
                      .pooled_dim = 12,
                      .text_dim = 20,
                      .dim = 256,
                      .heads = 4,
                      .double_blocks = 6,
                      .single_blocks = 12,
                      .axes = {8, 28, 28}};
  write_hollow(folder / "hollow.safetensors", o, "F32", 4);
  const auto model = std::filesystem::file_size(folder / "hollow.safetensors");
  REQUIRE(model > 90'000'000);
  reset_peak_memory();
  const auto before = peak_memory();
  StreamedFlux flux(folder / "hollow.safetensors", {}, o);
  CHECK(at::isfinite(flux.forward(input_of(o))).all().item<bool>());
  INFO("model " << model << ", peak " << peak_memory() - before);
  CHECK(peak_memory() - before < model / 2);
}

TEST_CASE("streamed flux: FLUX.1-dev in 8 GiB", "[.full]") {
  const test::ScratchFolder folder;
  const auto o = flux_dev();
  write_hollow(folder / "flux1-dev.safetensors", o, "BF16", 2);
  CHECK(std::filesystem::file_size(folder / "flux1-dev.safetensors") > 2 * 11'901'408'320);
  reset_peak_memory();
  StreamedFlux flux(folder / "flux1-dev.safetensors");
  const auto side = flux_latent_side(64);
  const FluxInput input{.image = randn({1, side * side / 4, o.in_channels}, 1),
                        .image_ids = flux_image_ids(side, side),
                        .text = randn({1, 512, o.text_dim}, 2),
                        .text_ids = {},
                        .time = at::ones({1}),
                        .pooled = randn({1, o.pooled_dim}, 4),
                        .guidance = at::full({1}, 3.5)};
  CHECK(at::isfinite(flux.forward(input)).all().item<bool>());
  std::cout << "peak memory " << static_cast<double>(peak_memory()) / (1 << 30) << " GiB\n";
  CHECK(peak_memory() < std::uint64_t{8} << 30);
}
