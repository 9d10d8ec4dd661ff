#include <catch2/catch.hpp>
#include <stdexcept>

#include "dermis/data/class_map.hpp"
#include "dermis/data/image_folder.hpp"
#include "dermis/data/isic.hpp"
#include "folder_fixture.hpp"

using namespace dermis;
using Catch::Contains;
using dermis::test::ids;
using dermis::test::ImageFolder;
using Names = std::vector<std::string>;

namespace {

struct Fixture : dermis::test::FourImages {
  Fixture() : FourImages("I") {}
};

}  // namespace

TEST_CASE_METHOD(Fixture, "label forms: long with patients") {
  const FolderData found = read("image,label,patient_id\nI1,NV,P1\nI2,MEL,\n");
  CHECK(found.data.patients() == Names{"P1", ""});
  CHECK(read("file_name,label\nimages/I1.jpg,NV\nimages/I2.jpg,MEL\n").data.size() == 2);
}

TEST_CASE_METHOD(Fixture, "label forms: HAM10000") {
  const FolderData found = read(
      "lesion_id,image_id,dx,dx_type,age,sex,localization\nHAM_1,I1,bkl,histo,80.0,male,scalp\n"
      "HAM_1,I2,bkl,histo,80.0,male,scalp\nHAM_2,I3,akiec,histo,,,\n");
  CHECK(found.data.classes() == Names{"akiec", "bkl"});
  CHECK(found.data.labels() == std::vector<int>{1, 1, 0});
  CHECK(found.data.lesions() == Names{"HAM_1", "HAM_1", "HAM_2"});
  CHECK_THROWS_WITH(read("image_id,dx\nI1,bkl\nI2,naevus\n"),
                    Contains("given.csv:3") && Contains("akiec, bcc") && Contains("'naevus'"));
}

TEST_CASE_METHOD(Fixture, "label forms: ISIC 2020, both versions") {
  const std::string first =
      "image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,"
      "benign_malignant,target\nI1,IP_1,male,45.0,head/neck,nevus,benign,0\n"
      "I2,IP_1,male,45.0,torso,melanoma,malignant,1\n";
  const FolderData found = read(first);
  CHECK(found.data.classes() == Names{"benign", "malignant"});
  CHECK(found.data.labels() == std::vector<int>{0, 1});
  CHECK(found.data.patients() == Names{"IP_1", "IP_1"});
  CHECK(read(first, {.label_column = "diagnosis"}).data.classes() == Names{"melanoma", "nevus"});
  CHECK(read("image_name,patient_id,lesion_id,diagnosis,target\nI1,P,IL_1,unknown,0\n"
             "I2,P,IL_2,melanoma,1\n")
            .data.lesions() == Names{"IL_1", "IL_2"});
  CHECK(read("image_name,benign_malignant\nI1,benign\nI2,malignant\n").data.size() == 2);
  CHECK(read("image_name,diagnosis\nI1,nevus\nI2,melanoma\n").data.classes() ==
        Names{"melanoma", "nevus"});
  CHECK_THROWS_WITH(read("image_name,target\nI1,0\nI2,2\n"),
                    Contains("given.csv:3") && Contains("target 0 or 1, got '2'"));
}

TEST_CASE_METHOD(Fixture, "label forms: one error lists the forms and the columns found") {
  CHECK_THROWS_WITH(read("picture,age\nI1,3\n"),
                    Contains("image,label") && Contains("image_id,dx") && Contains("ISIC 2020") &&
                        Contains("got picture, age"));
  CHECK_THROWS_WITH(read("image,label\nI1,NV\n", {.label_column = "kind"}),
                    Contains("columns image,kind, got image, label"));
}

TEST_CASE_METHOD(Fixture, "label forms: metadata.jsonl") {
  const FolderData found = read(
      "{\"file_name\": \"images/I1.jpg\", \"label\": \"NV\", \"patient_id\": 7}\n\n"
      "{\"file_name\": \"I2.jpg\", \"label\": 3, \"lesion_id\": \"L\", \"patient_id\": null}\r\n",
      {}, "metadata.jsonl");
  CHECK(found.data.classes() == Names{"3", "NV"});
  CHECK(ids(found.data) == Names{"I1", "I2"});
  CHECK(found.data.lesions() == Names{"", "L"});
  CHECK(found.data.patients() == Names{"7", ""});
  CHECK(read("{\"file_name\": \"I1\", \"dx\": \"a\"}\n{\"file_name\": \"I2\", \"dx\": \"b\"}",
             {.label_column = "dx"}, "m.jsonl")
            .data.classes() == Names{"a", "b"});
  CHECK_THROWS_WITH(
      read("{\"file_name\": \"I1\", \"dx\": \"a\"}", {}, "m.jsonl"),
      Contains("m.jsonl:1") && Contains("file_name and label") && Contains("got file_name, dx"));
  CHECK_THROWS_WITH(read("{\"file_name\": \"I1\", \"label\": [1]}", {}, "m.jsonl"),
                    Contains("m.jsonl:1") && Contains("key label") && Contains("[1]"));
  CHECK_THROWS_WITH(read("{\"file_name\": \"I1\",\n", {}, "m.jsonl"), Contains("m.jsonl:1"));
  CHECK_THROWS_WITH(read("3\n", {}, "m.jsonl"), Contains("expected an object"));
  CHECK_THROWS_WITH(read("\n", {}, "m.jsonl"), Contains("expected label rows"));
  CHECK_THROWS_WITH(read_labelled_folder(folder.path(), "none.jsonl"),
                    Contains("no such JSONL file"));
}

TEST_CASE_METHOD(Fixture, "label forms: names with and without _downsampled are the same image") {
  folder.write_image("images/I9_downsampled.jpg", 9);
  const FolderData found =
      read("image,label\nI1_downsampled,NV\nI9,MEL\n",
           {.lesions_csv = folder.write(
                "meta.csv", "image,lesion_id,patient_id\nI1,A,P\nI9_downsampled,B,Q\n")});
  CHECK(ids(found.data) == Names{"I1", "I9_downsampled"});
  CHECK(found.data.lesions() == Names{"A", "B"});
  CHECK(found.data.patients() == Names{"P", "Q"});
  folder.write_image("images/I9.jpg", 10);  // the exact name goes first
  CHECK(ids(read("image,label\nI1,NV\nI9,MEL\n").data) == Names{"I1", "I9"});
}

TEST_CASE_METHOD(Fixture, "class map: many to one, and left out") {
  const std::string csv = "image,label\nI1,nevus\nI2,mel\nI3,atypical nevus\nI4,other\n";
  const ClassMap map = read_class_map(
      folder.write("map.csv", "from,to\nnevus,NV\natypical nevus,NV\nmel,MEL\nother,\nunseen,X\n"));
  CHECK(map.at("other").empty());
  const FolderData found = read(csv, {.class_map = map});
  CHECK(found.data.classes() == Names{"MEL", "NV"});
  CHECK(found.data.labels() == std::vector<int>{1, 0, 1});
  CHECK(found.report.unmapped == 1);
  CHECK(found.report.unlabelled == 0);
  REQUIRE(found.report.messages.size() == 1);
  CHECK_THAT(found.report.messages[0], Contains("1 images") && Contains("class map"));
  CHECK(read(csv, {.classes = {"NV", "MEL"}, .class_map = map}).data.classes() ==
        Names{"NV", "MEL"});
  CHECK(read("image,B,A,C\nI1,1,0,0\nI2,0,1,0\nI3,0,0,1\n",
             {.class_map = {{"A", "late"}, {"B", "z"}, {"C", "z"}}})
            .data.classes() == Names{"z", "late"});  // a one-hot file keeps its order

  CHECK_THROWS_WITH(read(csv, {.class_map = {{"nevus", "NV"}, {"mel", "MEL"}}}),
                    Contains("given.csv") && Contains("atypical nevus, other"));
  CHECK_THROWS_WITH(read_class_map(folder.write("a.csv", "from,into\na,b\n")),
                    Contains("from,to, got from, into"));
  CHECK_THROWS_WITH(read_class_map(folder.write("b.csv", "from,to\na,b\na,c\n")),
                    Contains("b.csv:3") && Contains("a twice"));
  CHECK_THROWS_WITH(read_class_map(folder.write("c.csv", "from,to\n,b\n")), Contains("c.csv:2"));
  CHECK_THROWS_WITH(read_class_map(folder.write("d.csv", "from,to\n")), Contains("got none"));
}

TEST_CASE("class folders: the first folder is the class") {
  const ImageFolder folder;
  folder.write_image("NV/1.png", 1);
  folder.write_image("NV/deep/2.jpg", 2);
  folder.write_image("MEL/1.png", 3);
  folder.write_image("stray.png", 4);
  const FolderData found = read_class_folders(folder.path());
  CHECK(found.data.classes() == Names{"MEL", "NV"});
  CHECK(ids(found.data) == Names{"MEL/1", "NV/1", "2"});
  CHECK(found.data.labels() == std::vector<int>{0, 1, 1});
  CHECK(found.data.load(1) == test::formula_image(24, 16, 1));
  CHECK(found.report.unlabelled == 1);
  CHECK_THAT(found.report.messages.at(0), Contains("stray.png"));

  folder.write("BCC/readme.txt", "empty");
  CHECK_THROWS_WITH(read_class_folders(folder.path()),
                    Contains("every class folder") && Contains("none in BCC"));
  CHECK(read_class_folders(folder.path(), {.classes = {"NV", "MEL"}}).data.classes() ==
        Names{"NV", "MEL"});
  CHECK_THROWS_WITH(read_class_folders(folder.path(), {.classes = {"NV", "DF"}}),
                    Contains("class DF") && Contains("MEL, NV"));
  CHECK(read_class_folders(folder.path(), {.class_map = {{"NV", "b"}, {"MEL", "a"}}})
            .data.classes() == Names{"a", "b"});
  CHECK_THROWS_AS(read_class_folders(folder.path(), {.label_column = "x"}), std::invalid_argument);
  CHECK_THROWS_WITH(read_class_folders(folder / "nowhere"), Contains("no such folder"));
}
