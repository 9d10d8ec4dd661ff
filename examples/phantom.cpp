/// \file
/// Writes the embedded phantom as ordinary files: PNG images, lesion masks, labels.csv and
/// attributes.jsonl.

#include <iostream>

#include "dermis/core/file.hpp"
#include "dermis/core/progress.hpp"
#include "dermis/io/csv.hpp"
#include "program.hpp"

using namespace dermis;

namespace {

Json to_json(const PhantomAttributes& a) {
  return Json::object({{"lesion", a.lesion},
                       {"class", phantom_classes()[static_cast<std::size_t>(a.label)]},
                       {"asymmetry_axes", a.asymmetry_axes},
                       {"border_irregularity", a.border_irregularity},
                       {"border_abruptness", a.border_abruptness},
                       {"diameter_mm", a.diameter_mm},
                       {"colours", a.colours},
                       {"network", a.network},
                       {"vessels", a.vessels},
                       {"globules", a.globules},
                       {"streaks", a.streaks},
                       {"skin_type", a.skin_type},
                       {"hairs", a.hairs},
                       {"ruler", a.ruler},
                       {"vignette", a.vignette},
                       {"bubbles", a.bubbles}});
}

}  // namespace

int main(int argc, char** argv) {
  Program program("phantom",
                  "Writes phantom images (drawings, not patients) with labels, lesion ids, masks "
                  "and ground truth.",
                  "  phantom --out out/photos --images 500 --image-size 128\n"
                  "  dermae --data out/photos --labels labels.csv --out out/mine\n");
  PhantomOptions options;
  bool masks = false;
  program.out = "out/phantom";
  program.app.add_option("--out", program.out, "folder to write")->capture_default_str();
  program.app
      .add_option("--images", options.train_images,
                  "number of images, classes as frequent as in ISIC 2019")
      ->capture_default_str();
  program.app
      .add_option("--minimum-share", options.minimum_share,
                  "share of images that the rarest class has at least")
      ->capture_default_str();
  program.app.add_option("--image-size", options.image_size, "side in pixels")
      ->capture_default_str();
  program.app.add_option("--seed", options.seed, "of lesions and views")->capture_default_str();
  program.app.add_flag("--masks", masks, "also write masks/<image>.png: white where the lesion is");
  return program.run(argc, argv, [&] {
    const Phantom phantom(options);
    make_directories(program.out / "images");
    if (masks) make_directories(program.out / "masks");
    std::string csv = csv_line({"image", "label", "lesion_id"}) + "\n", attributes;
    Progress progress("phantom", phantom.size(PhantomPart::Train), "image");
    for (std::int64_t i = 0; i < phantom.size(PhantomPart::Train); ++i) {
      const auto& sample = phantom.samples(PhantomPart::Train)[static_cast<std::size_t>(i)];
      write_png(program.out / "images" / (sample.id + ".png"),
                phantom.render(PhantomPart::Train, i));
      if (masks)
        write_png(program.out / "masks" / (sample.id + ".png"),
                  phantom.mask(PhantomPart::Train, i));
      csv += csv_line({"images/" + sample.id + ".png",
                       phantom_classes()[static_cast<std::size_t>(sample.label)], sample.lesion}) +
             "\n";
      attributes += to_json(phantom.attributes(PhantomPart::Train, i)).dump() + "\n";
      progress.update(i + 1);
    }
    progress.finish();
    write_atomically(program.out / "labels.csv", csv);
    write_atomically(program.out / "attributes.jsonl", attributes);
    const auto labels = (program.out / "labels.csv").string();
    program.print(Json::object({{"images", phantom.size(PhantomPart::Train)}, {"labels", labels}}),
                  labels);
  });
}
