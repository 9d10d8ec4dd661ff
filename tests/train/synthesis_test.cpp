#include "dermis/train/synthesis.hpp"

#include <torch/types.h>

#include <catch2/catch.hpp>

#include "dermis/audit/quarantine.hpp"
#include "dermis/core/file.hpp"
#include "dermis/data/isic.hpp"
#include "dermis/io/png_text.hpp"
#include "folder.hpp"
#include "stripes.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

/// A generator that never learned anything draws all the same.
Generator untrained(const PixelSet& training) {
  const KLVAE autoencoder(
      KLVAEOptions{.channels = {8, 16}, .layers_per_block = 1, .norm_groups = 4},
      first_weights(quiet(), "a"));
  UNetOptions model{.channels = {16, 16},
                    .layers_per_block = 1,
                    .attention = {0, 0},
                    .head_dim = 8,
                    .norm_groups = 4};
  model.in_channels = model.out_channels = autoencoder.ptr()->options.latent_channels;
  model.num_classes = 2;
  Generator generator{autoencoder, UNet(model, first_weights(quiet(), "u")), {.sampling_steps = 2}};
  generator.classes = training.classes;
  generator.image_size = 16;
  generator.lineage = lineage_of(training);
  generator.autoencoder->eval();
  return generator;
}

const std::vector<std::int64_t> counts{40, 30};  // a whole batch and six more

std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      files[entry.path().lexically_relative(folder).string()] = read_file(entry.path());
  return files;
}

std::string fault_of(const fs::path& folder, const std::string& file) {
  for (const auto& finding : inspect_marks(folder))
    if (finding.file.filename() == file) return finding.fault;
  return "not found";
}

void replace_in(const fs::path& file, const std::string& from, const std::string& to) {
  auto content = read_file(file);
  const auto place = content.find(from);
  REQUIRE(place != std::string::npos);
  write_atomically(file, content.replace(place, from.size(), to));
}

/// The image in `file` with another mark.
void mark_again(const fs::path& file, const PngText& text) {
  write_png(file, read_image(file), text);
}

}  // namespace

TEST_CASE("synthesis: the plan fills every class up to the target, or draws a minimum") {
  CHECK(balancing_plan({10, 3, 7}, 0) == std::vector<std::int64_t>{0, 7, 3});
  CHECK(balancing_plan({10, 3, 7}, 8) == std::vector<std::int64_t>{0, 5, 1});
  CHECK(balancing_plan({10, 3, 7}, 8, 2) == std::vector<std::int64_t>{2, 5, 2});
  CHECK_THROWS_WITH(balancing_plan({}, 0), Contains("expected classes"));
  CHECK_THROWS_WITH(synthesize(untrained(striped(8, 1)), {2}, 1, {}, false),
                    Contains("each of 2 classes, got 1"));
}

TEST_CASE("synthesis: exactly the plan is drawn, marked and written down") {
  const auto training = striped(9, 4);
  const auto generator = untrained(training);
  const ScratchFolder folder;
  const auto set = synthesize(generator, {2, 3}, 5, folder.path(), false);
  CHECK(set.class_counts() == std::vector<std::int64_t>{2, 3});
  for (const auto& sample : set.samples) CHECK(sample.synthetic);

  CHECK(find_images(folder.path()).size() == 5);
  const auto file = folder / "striped/synthetic_striped_00002.png";
  const auto mark = read_provenance(file);
  REQUIRE(mark);
  CHECK(mark->class_name == "striped");
  CHECK(mark->number == 2);
  CHECK(mark->seed == 5);
  CHECK(mark->steps == 2);
  CHECK(mark->sampler == "ddim");
  CHECK(mark->generator == generator_hash(generator));
  CHECK(mark->split == lineage_of(training).split);
  CHECK(declares_synthetic(file));
  CHECK(to_image(set.images[4]) == read_image(file));

  const auto plan = Json::read(folder / "plan.json");
  CHECK(plan.at("classes") == Json::parse(R"({"plain": {"real": 5, "synthetic": 2, "total": 7},
                        "striped": {"real": 4, "synthetic": 3, "total": 7}})",
                                          "x"));
  CHECK(read_lineage(folder.path()) == generator.lineage);
  CHECK_THAT(read_file(folder / "labels.csv"),
             Contains("plain/synthetic_plain_00001.png,plain,synthetic_plain_00001\n"));
  auto other = untrained(training);
  torch::NoGradGuard no_grad;
  other.unet->conv_in->bias.add_(1);
  CHECK(generator_hash(other) != generator_hash(generator));
}

TEST_CASE(
    "synthesis: a run that was stopped half-way ends with the same bytes as one that was not") {
  const auto generator = untrained(striped(32, 4));
  const ScratchFolder whole, halved;
  synthesize(generator, counts, 1, whole.path(), false);
  const auto expected = contents(whole.path());
  REQUIRE(expected.size() == 73);  // 70 images, plan, lineage, labels

  synthesize(generator, counts, 1, halved.path(), false);
  const auto kept = halved / "plain/synthetic_plain_00000.png";
  const auto time = fs::last_write_time(kept);
  fs::remove(halved / "labels.csv");
  for (int i = 3; i < 30; ++i)
    fs::remove(halved / text("striped/synthetic_striped_000", i < 10 ? "0" : "", i, ".png"));
  // Cut off while it was written; not its own mark; no mark.
  fs::resize_file(halved / "plain/synthetic_plain_00007.png", 700);
  fs::copy_file(halved / "plain/synthetic_plain_00001.png",
                halved / "plain/synthetic_plain_00002.png", fs::copy_options::overwrite_existing);
  mark_again(halved / "plain/synthetic_plain_00003.png", {});
  const auto set = synthesize(generator, counts, 1, halved.path(), false);
  CHECK(contents(halved.path()) == expected);
  CHECK(fs::last_write_time(kept) == time);
  CHECK(to_image(set.images[0]) == read_image(kept));

  // Another seed or guidance: nothing may be taken over.
  synthesize(generator, counts, 2, halved.path(), false);
  CHECK(contents(halved.path()) != expected);
  for (const auto& file : find_images(halved.path())) CHECK(read_provenance(file)->seed == 2);
  auto guided = generator;
  guided.options.guidance_scale = 3;
  synthesize(guided, counts, 2, halved.path(), false);
  for (const auto& file : find_images(halved.path()))
    CHECK(read_provenance(file)->guidance_scale == 3);
}

TEST_CASE("synthetic folder: read back as synthetic, refused where marks contradict its lists") {
  const auto training = striped(8, 4);
  const auto generator = untrained(training);
  const ScratchFolder folder;
  const auto set = synthesize(generator, {2, 2}, 1, folder.path(), false);
  const auto load = [&] { return load_synthetic(folder.path(), training, 1); };
  const auto loaded = load();
  CHECK(at::equal(loaded.images, set.images));
  CHECK(loaded.samples[3].synthetic);
  CHECK_THROWS_WITH(read_labelled_folder(folder.path(), folder / "labels.csv"),
                    Contains("is marked synthetic: pass it with --synthetic"));

  auto unknown = training;
  unknown.classes = {"plain", "dotted"};
  CHECK_THROWS_WITH(load_synthetic(folder.path(), unknown, 1),
                    Contains("class striped is none of the training data's"));

  const auto file = folder / "plain/synthetic_plain_00001.png";
  const auto mark = *read_provenance(file);
  auto other = mark;
  other.class_name = "striped";
  mark_again(file, png_text(other));
  CHECK_THROWS_WITH(load(), Contains("synthetic_plain_00001.png: expected class plain, its mark "
                                     "says striped"));
  other = mark;
  other.split = "0000000000000000";
  mark_again(file, png_text(other));
  CHECK_THROWS_WITH(load(), Contains("expected split " + mark.split + ", its mark says 0000"));
  mark_again(file, {});
  CHECK_THROWS_WITH(load(), Contains("expected a mark that says what drew it"));
  fs::rename(folder / "lineage.json", folder / "away.json");
  CHECK_NOTHROW(load());  // another generator's images need no mark
  CHECK_THROWS_WITH(check_unseen(folder.path(), training, "test part"),
                    Contains("expected lineage.json"));
  fs::rename(folder / "away.json", folder / "lineage.json");
  fs::remove(file);
  CHECK_THROWS_WITH(load(), Contains("cannot read") && Contains("synthetic_plain_00001.png"));
  CHECK_NOTHROW(check_unseen(folder.path(), striped(8, 5), "test part"));
  CHECK_THROWS_WITH(check_unseen(folder.path(), training, "test part"),
                    Contains("test part: the generator was trained on 8 of 8 images"));
}

TEST_CASE("verify: a clean folder has no fault, and every contradiction is one") {
  const auto generator = untrained(striped(8, 4));
  const ScratchFolder folder;
  synthesize(generator, {3, 2}, 1, folder / "synthetic", false);
  write_png(folder / "photo.png", make_image(8, 8));  // beside it: nothing is expected of it
  const auto findings = inspect_marks(folder.path());
  REQUIRE(findings.size() == 6);
  for (const auto& finding : findings) {
    CHECK(finding.fault.empty());
    CHECK(finding.synthetic == (finding.file.filename() != "photo.png"));
    CHECK(finding.provenance.has_value() == finding.synthetic);
  }
  CHECK(inspect_marks(folder / "photo.png").size() == 1);

  const std::string name = "synthetic_plain_00001.png";
  const auto file = folder / ("synthetic/plain/" + name);
  const auto bytes = read_file(file);
  const auto mark = *read_provenance(file);
  const auto fault_with = [&](const PngText& text) {
    mark_again(file, text);
    const auto fault = fault_of(folder.path(), name);
    write_atomically(file, bytes);
    return fault;
  };
  const auto changed = [&](auto change) {
    auto other = mark;
    change(other);
    return fault_with(png_text(other));
  };
  CHECK(fault_with({}) == "is not marked synthetic");
  CHECK(fault_with({{"Description", "SYNTHETIC: not a patient"}}) ==
        "its mark does not say what drew it");
  CHECK(changed([](Provenance& m) { m.class_name = "striped"; }) ==
        "expected class plain, its mark says striped");
  CHECK_THAT(changed([](Provenance& m) { m.number = 2; }),
             Contains("expected name synthetic_plain_00001, its mark says synthetic_plain_00002"));
  CHECK_THAT(changed([](Provenance& m) { m.generator = "beef"; }),
             Contains("expected generator ") && Contains("its mark says beef"));
  CHECK_THAT(changed([](Provenance& m) { m.split = "beef"; }), Contains("expected split "));
  CHECK(changed([](Provenance& m) { m.seed = 9; }) == "expected seed 1, its mark says 9");
  auto damaged = bytes;
  damaged[damaged.find("dermis:Seed") + 3] ^= 1;
  write_atomically(file, damaged);
  CHECK_THAT(fault_of(folder.path(), name), Contains("checksum"));
  CHECK_THAT(inspect_marks(file)[0].fault, Contains("checksum"));  // whatever the folder is
  fs::remove(file);
  CHECK(fault_of(folder.path(), name) == "is listed in labels.csv, but missing");
  write_atomically(file, bytes);
  CHECK(fault_of(folder.path(), name).empty());
  write_png(folder / "synthetic/plain/real.png", make_image(8, 8));
  CHECK(fault_of(folder.path(), "real.png") == "is not marked synthetic");
  fs::remove(folder / "synthetic/plain/real.png");
  synthesize(generator, {1, 2}, 7, folder / "synthetic", false);  // leaves two of another seed
  CHECK(inspect_marks(folder.path()).size() == 6);
  CHECK(fault_of(folder.path(), name).empty());
}

TEST_CASE("verify: what cannot be looked at is an error") {
  const auto generator = untrained(striped(8, 4));
  const ScratchFolder folder;
  CHECK_THROWS_WITH(inspect_marks(folder / "nowhere"), Contains("no such file or folder"));
  CHECK_THROWS_WITH(inspect_marks(folder.path()), Contains("found none"));
  synthesize(generator, {3, 2}, 1, folder.path(), false);
  const auto files = contents(folder.path());
  const auto message = [&](const std::string& file, const std::string& from,
                           const std::string& to) {
    replace_in(folder / file, from, to);
    std::string found;
    try {
      inspect_marks(folder.path());
    } catch (const std::runtime_error& error) {
      found = error.what();
    }
    write_atomically(folder / file, files.at(file));
    return found;
  };
  CHECK_THAT(message("plan.json", "\"synthetic\": 3", "\"synthetic\": 4000000000000000000"),
             Contains("plan.json: expected the 5 images that labels.csv lists, got 4000"));
  CHECK_THAT(message("plan.json", "\"synthetic\": 3", "\"synthetic\": 2"),
             Contains("plan.json: expected the 5 images that labels.csv lists, got 4"));
  CHECK_THAT(message("plan.json", "\"seed\": \"1\"", "\"seed\": 1"), Contains("plan.json"));
  CHECK_THAT(message("plan.json", "\"split\": \"", "\"split\": \"0"),
             Contains("expected one split in plan.json and lineage.json"));
  CHECK_THAT(message("lineage.json", "\"plain\": 4", "\"plain\": 5"),
             Contains("expected the hash of its content as split"));
  CHECK_THAT(message("labels.csv", "image,", "picture,"),
             Contains("labels.csv: expected columns image and label"));
  fs::remove(folder / "labels.csv");
  CHECK_THROWS_WITH(inspect_marks(folder.path()), Contains("labels.csv"));
}

TEST_CASE("verify: images drawn again are equal, and changed pixels or another model are found") {
  const auto generator = untrained(striped(8, 4));
  const ScratchFolder folder;
  auto guided = generator;
  guided.options.guidance_scale = 1.5;  // given when drawing: the mark says so, the model does not
  synthesize(guided, counts, 1, folder.path(), false);
  const auto some = redraw(generator, folder.path(), 3);
  CHECK(some.images == 3);
  CHECK(some.equal == 3);
  const auto all = redraw(generator, folder.path(), 1000);
  CHECK(all.images == 70);
  CHECK(all.equal == 70);
  CHECK(all.largest == 0);

  const auto file = folder / "striped/synthetic_striped_00029.png";
  auto image = read_image(file);
  const auto text = png_text(*read_provenance(file));
  image.pixel(3, 3)[1] ^= 0x40;
  write_png(file, image, text);
  const auto tampered = redraw(generator, folder.path(), 1000);
  CHECK(tampered.equal == 69);
  CHECK(tampered.largest == 0x40);
  write_png(file, make_image(8, 8), text);
  CHECK_THROWS_WITH(redraw(generator, folder.path(), 1000), Contains("expected 16 x 16 pixels"));
  mark_again(file, {});
  CHECK_THROWS_WITH(redraw(generator, folder.path(), 1000), Contains("does not say what drew it"));

  auto other = untrained(striped(8, 4));
  torch::NoGradGuard no_grad;
  other.unet->conv_in->bias.add_(1);
  CHECK_THROWS_WITH(redraw(other, folder.path(), 1), Contains("was drawn by another generator"));
  other.classes = {"plain", "dotted"};
  CHECK_THROWS_WITH(redraw(other, folder.path(), 1),
                    Contains("expected the model's classes plain, dotted, got plain, striped"));
  CHECK_THROWS_AS(redraw(generator, folder.path(), 0), std::invalid_argument);
}

TEST_CASE("synthesis: an image in quarantine is neither drawn nor listed again") {
  const ScratchFolder scratch;
  const auto folder = scratch.path();
  const auto generator = untrained(striped(8, 1));
  synthesize(generator, counts, 7, folder, false);
  MemorisationResult found;
  found.images.resize(1);
  found.images[0].id = "synthetic_" + generator.classes[1] + "_00002";
  found.images[0].copy = true;
  REQUIRE(quarantine(folder, found) == 1);
  const auto before = contents(folder);

  const auto again = synthesize(generator, counts, 7, folder, false);
  CHECK(again.size() == 69);
  CHECK(contents(folder) == before);
  for (const auto& sample : again.samples) CHECK(sample.id != found.images[0].id);
  for (const auto& finding : inspect_marks(folder)) CHECK(finding.fault == "");
  CHECK(redraw(generator, folder, 70).equal == 70);
  CHECK(load_synthetic(folder, again, 1).size() == 69);
}
