#include "dermis/data/isic.hpp"

#include <catch2/catch.hpp>
#include <stdexcept>

#include "dermis/data/image_folder.hpp"
#include "dermis/data/provenance.hpp"
#include "folder_fixture.hpp"

using namespace dermis;
using Catch::Contains;
using dermis::test::ids;
using dermis::test::ImageFolder;
using Names = std::vector<std::string>;

namespace {

/// images/ISIC_1.jpg .. images/ISIC_4.jpg beside labels.csv with the classes NV, MEL, NV, DF.
struct Fixture : dermis::test::FourImages {
  Fixture() : FourImages("ISIC_") {
    folder.write("labels.csv",
                 "image,label,lesion_id,age\nimages/ISIC_1.jpg,NV,L1,50\nimages/ISIC_2.jpg,MEL,,\n"
                 "images/ISIC_3.jpg,NV,L1,51\nimages/ISIC_4.jpg,DF,L2,9\n");
  }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "isic: the long form, from the parent and from the image folder") {
  for (const char* data : {"", "images", "images/"}) {
    const FolderData found = read_labelled_folder(folder / data, folder / "labels.csv");
    CHECK(found.data.classes() == Names{"DF", "MEL", "NV"});
    CHECK(ids(found.data) == Names{"ISIC_1", "ISIC_2", "ISIC_3", "ISIC_4"});
    CHECK(found.data.labels() == std::vector<int>{2, 1, 2, 0});
    CHECK(found.data.lesions() == Names{"L1", "", "L1", "L2"});
    CHECK(found.report.messages.empty());
    const Image image = found.data.load(1);
    CHECK(image.width == 24);
    CHECK(image == read_image(folder / "images/ISIC_2.jpg"));
  }
}

TEST_CASE_METHOD(Fixture, "isic: a relative CSV is looked for in the data folder and beside it") {
  CHECK(read_labelled_folder(folder.path(), "labels.csv").data.size() == 4);
  CHECK(read_labelled_folder(folder / "images", "labels.csv").data.size() == 4);
  CHECK(read_labelled_folder(folder / "images/", "labels.csv").data.size() == 4);
  CHECK_THROWS_WITH(read_labelled_folder(folder.path(), "nolabels.csv"),
                    Contains("no such CSV file: nolabels.csv"));
  CHECK_THROWS_WITH(read_labelled_folder(folder.path(), folder / "x.csv"), Contains("x.csv"));
  CHECK_THROWS_AS(read_labelled_folder(folder.path(), ""), std::runtime_error);
}

TEST_CASE_METHOD(Fixture, "isic: the one-hot form with integers and with decimals") {
  const FolderData found =
      read("image,MEL,NV,DF,UNK\nISIC_1,0,1,0,0\nISIC_2,1.0,0.0,0.0,0.0\nISIC_4.jpg,0,0,1,0\n");
  CHECK(found.data.classes() == Names{"MEL", "NV", "DF"});  // the file's order; UNK has no row
  CHECK(found.data.labels() == std::vector<int>{1, 0, 2});
  CHECK(found.report.unlabelled == 1);
  REQUIRE(found.report.messages.size() == 1);
  CHECK_THAT(found.report.messages[0], Contains("ISIC_3"));

  const FolderData weighted =
      read("image,MEL,NV,score_weight,lesion_id\nISIC_1,0,1,0.5,L\nISIC_2,1,0,1,\n");
  CHECK(weighted.data.classes() == Names{"MEL", "NV"});
  CHECK(weighted.data.lesions() == Names{"L", ""});
}

TEST_CASE_METHOD(Fixture, "isic: one-hot rows without exactly one 1 name file and line") {
  CHECK_THROWS_WITH(read("image,MEL,NV\nISIC_1,0,1\nISIC_2,1,1\n"),
                    Contains("given.csv:3") && Contains("MEL and NV"));
  CHECK_THROWS_WITH(read("image,MEL,NV\nISIC_1,0,0\n"),
                    Contains("given.csv:2") && Contains("got none"));
  CHECK_THROWS_WITH(read("image,MEL,NV\nISIC_1,0,1\nISIC_2,0.5,0.5\n"),
                    Contains("given.csv:3") && Contains("MEL") && Contains("0.5"));
  CHECK_THROWS_WITH(read("image,MEL,NV\nISIC_1,0,yes\n"), Contains("'yes'"));
}

TEST_CASE_METHOD(Fixture, "isic: columns that are needed") {
  CHECK_THROWS_WITH(read("name,label\nISIC_1,NV\n"),
                    Contains("columns image,label") && Contains("got name, label"));
  CHECK_THROWS_WITH(read("image,diagnosis\nISIC_1,NV\n"), Contains("got image, diagnosis"));
  CHECK_THROWS_WITH(read("image,diagnosis,age\nISIC_1,NV,5\n"),
                    Contains("columns image,label") && Contains("'NV'"));
  CHECK_THROWS_WITH(read("image,label\n"), Contains("expected label rows"));
  CHECK_THROWS_WITH(read("image,label\nISIC_1,NV\nISIC_2,\n"),
                    Contains("given.csv:3") && Contains("expected a label"));
  CHECK_THROWS_WITH(read("image,label\n,NV\n"), Contains("given.csv:2") && Contains("image name"));
}

TEST_CASE_METHOD(Fixture, "isic: classes are chosen and ordered by name") {
  const FolderData found =
      read_labelled_folder(folder.path(), "labels.csv", {.classes = {"NV", "DF"}});
  CHECK(found.data.classes() == Names{"NV", "DF"});
  CHECK(ids(found.data) == Names{"ISIC_1", "ISIC_3", "ISIC_4"});
  CHECK(found.data.labels() == std::vector<int>{0, 0, 1});
  CHECK(found.report.unlabelled == 0);  // ISIC_2 has a label, only not a chosen one

  CHECK_THROWS_WITH(read_labelled_folder(folder.path(), "labels.csv", {.classes = {"NV", "BCC"}}),
                    Contains("class BCC") && Contains("DF, MEL, NV"));
  CHECK_THROWS_AS(read_labelled_folder(folder.path(), "labels.csv", {.classes = {"NV", "NV"}}),
                  std::invalid_argument);
  CHECK_THROWS_WITH(read_labelled_folder(folder.path(), "labels.csv", {.classes = {"NV"}}),
                    Contains("two classes, got only NV"));
  CHECK_THROWS_WITH(read("image,label\nISIC_1,NV\nISIC_2,NV\n"),
                    Contains("two classes, got only NV"));
}

TEST_CASE_METHOD(Fixture, "isic: names with other folders, extensions and cases") {
  folder.write_image("images/more/UPPER.PNG.png", 9);
  std::filesystem::rename(folder / "images/more/UPPER.PNG.png", folder / "images/more/UPPER.PNG");
  const FolderData found = read(
      "image,label\n./images/ISIC_1.jpg,NV\nimages\\ISIC_2,MEL\nelsewhere/"
      "ISIC_3.png,NV\nUPPER,DF\n");
  CHECK(ids(found.data) == Names{"ISIC_1", "ISIC_2", "ISIC_3", "UPPER"});
  CHECK(found.data.load(3).width == 24);
}

TEST_CASE_METHOD(Fixture, "isic: equal file names in several folders are told apart by path") {
  folder.write_image("train/1.png", 5);
  folder.write_image("test/1.png", 6);
  folder.write_image("test/2.png", 7);
  folder.write_image("test/2.jpg", 8);
  const FolderData found =
      read("image,label\ntrain/1,NV\ntest/1.png,MEL\ntest/2.png,NV\n2.jpg,MEL\n");
  CHECK(ids(found.data) == Names{"train/1", "test/1", "test/2.png", "test/2.jpg"});
  CHECK(found.data.load(0) == test::formula_image(24, 16, 5));
  CHECK(found.data.load(1) == test::formula_image(24, 16, 6));
  CHECK_THROWS_WITH(read("image,label\nISIC_1,NV\n1,MEL\n"),
                    Contains("given.csv:3") && Contains("test/1.png") && Contains("train/1.png"));
}

TEST_CASE_METHOD(Fixture, "isic: nothing outside the folder is read") {
  folder.write_image("secret/outside.jpg");
  CHECK_THROWS_WITH(
      read_labelled_folder(
          folder / "images",
          folder.write("l.csv", "image,label\nISIC_1,NV\n../secret/outside.jpg,MEL\n")),
      Contains("outside"));
}

TEST_CASE_METHOD(Fixture, "isic: a label for a missing image fails, or is counted") {
  const std::string csv =
      "image,label\nISIC_1,NV\nISIC_2,MEL\nISIC_7,NV\nISIC_8,NV\nISIC_9,MEL\nISIC_10,MEL\n";
  CHECK_THROWS_AS(read(csv), std::runtime_error);
  CHECK_THROWS_WITH(read(csv), Contains("4 of 6 labelled images") && Contains("ISIC_7 (line 4)") &&
                                   Contains("given.csv") && Contains("and 1 more") &&
                                   !Contains("\n"));
  const FolderData found = read(csv, {.missing = MissingImages::Skip});
  CHECK(found.data.size() == 2);
  CHECK(found.report.missing == 4);
  CHECK(found.report.unlabelled == 2);
  CHECK(found.report.messages.size() == 2);

  const std::string empty_class = "image,label\nISIC_1,NV\nISIC_7,DF\n";
  CHECK_THROWS_WITH(read(empty_class, {.missing = MissingImages::Skip}), Contains("class DF"));
  // a missing image of a class that is not wanted does not matter
  CHECK(read("image,label\nISIC_1,NV\nISIC_2,DF\nISIC_7,MEL\n", {.classes = {"NV", "DF"}})
            .report.missing == 0);
}

TEST_CASE_METHOD(Fixture, "isic: an image listed twice is an error") {
  CHECK_THROWS_WITH(read("image,label\nISIC_1,NV\nISIC_2,MEL\nimages/ISIC_1.jpg,NV\n"),
                    Contains("given.csv:4") && Contains("line 2"));
}

TEST_CASE_METHOD(Fixture, "isic: only folders with labelled images count as unlabelled") {
  folder.write_image("masks/ISIC_1_segmentation.png");
  folder.write_image("images/.hidden/ISIC_5.jpg");
  folder.write_image("images/ISIC_6.jpg");
  const FolderData found = read_labelled_folder(folder.path(), "labels.csv");
  CHECK(found.report.unlabelled == 1);
  CHECK_THAT(found.report.messages.at(0), Contains("ISIC_6"));
}

TEST_CASE_METHOD(Fixture, "isic: lesions from a table of their own") {
  const std::string csv = "image,MEL,NV\nISIC_1,0,1\nISIC_2,1,0\nISIC_3,0,1\n";
  const auto meta = folder.write(
      "meta.csv", "image,age_approx,lesion_id\nISIC_1,5,A\nISIC_2,6,\nISIC_3,7,A\nISIC_99,7,B\n");
  CHECK(read(csv, {.lesions_csv = meta}).data.lesions() == Names{"A", "", "A"});
  CHECK(read(csv, {.lesions_csv = "meta.csv"}).data.lesions() == Names{"A", "", "A"});

  CHECK_THROWS_WITH(read(csv, {.lesions_csv = folder.write("m2.csv", "image,age\nISIC_1,5\n")}),
                    Contains("lesion_id") && Contains("image, age"));
  CHECK_THROWS_WITH(
      read(csv, {.lesions_csv = folder.write("m3.csv", "image,lesion_id\nOTHER,A\n")}),
      Contains("none of them"));
  CHECK_THROWS_WITH(read(csv, {.lesions_csv = folder.write(
                                   "m4.csv", "image,lesion_id\nISIC_1,A\nISIC_1.jpg,B\n")}),
                    Contains("m4.csv:3"));
}

TEST_CASE("isic: folders that are none, or hold no image") {
  const ImageFolder folder;
  folder.write("empty/readme.txt", "nothing");
  CHECK_THROWS_WITH(read_labelled_folder(folder / "nowhere", "labels.csv"),
                    Contains("no such folder") && Contains("nowhere"));
  CHECK_THROWS_WITH(read_labelled_folder(folder / "empty/readme.txt", "labels.csv"),
                    Contains("got a file"));
  CHECK_THROWS_WITH(read_labelled_folder(folder / "empty", "labels.csv"),
                    Contains("no .jpg, .jpeg or .png image"));
  CHECK_THROWS_WITH(find_images(folder / "empty/readme.txt/below"), Contains("no such folder"));
  CHECK(find_images(folder / "empty").empty());
}

TEST_CASE("isic: links that lead back up end") {
  const ImageFolder folder;
  folder.write_image("a/1.png");
  std::filesystem::create_directory_symlink(folder.path(), folder / "a/up");
  std::filesystem::create_symlink(folder / "nowhere", folder / "a/dangling.png");
  CHECK(find_images(folder.path()).size() == 1);
}

TEST_CASE("isic: a synthetic image is not counted as real, whatever it is called") {
  const ImageFolder folder;
  for (const char* name : {"MEL/1.png", "MEL/2.png", "NV/3.png", "NV/4.png"})
    folder.write_image(name);
  const auto csv = folder.write("labels.csv", "image,label\n1,MEL\n2,MEL\n3,NV\n4,NV\n");
  CHECK(read_class_folders(folder.path()).data.size() == 4);
  CHECK(read_labelled_folder(folder.path(), csv).data.size() == 4);

  folder.write("NV/4.png", encode_png(make_image(8, 8), png_text(Provenance{.class_name = "NV"})));
  const auto message =
      "[data] " + (folder / "NV/4.png").string() + " is marked synthetic: pass it with --synthetic";
  CHECK_THROWS_WITH(read_class_folders(folder.path()), message);
  CHECK_THROWS_WITH(read_labelled_folder(folder.path(), csv), message);
  const auto real = folder.write("real.csv", "image,label\n1,MEL\n2,MEL\n3,NV\n");
  CHECK(read_labelled_folder(folder.path(), real).data.size() == 3);  // it is not asked for

  // PNG bytes under another name are decoded as PNG, so they are looked at as PNG.
  std::filesystem::rename(folder / "NV/4.png", folder / "NV/4.jpg");
  CHECK_THROWS_WITH(read_class_folders(folder.path()), Contains("4.jpg is marked synthetic"));
}
