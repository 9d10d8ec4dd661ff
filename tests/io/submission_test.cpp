#include "dermis/io/submission.hpp"

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "core/support.hpp"
#include "dermis/core/file.hpp"
#include "dermis/core/random.hpp"

namespace dermis {
namespace {

using test::mentions;
using test::message_of;
using test::ScratchFolder;
using Names = std::vector<std::string>;

Submission predictions(const Names& images, const Names& classes,
                       const std::vector<std::vector<double>>& rows) {
  Submission made{images, classes,
                  Eigen::MatrixXd(static_cast<Eigen::Index>(images.size()),
                                  static_cast<Eigen::Index>(classes.size()))};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t c = 0; c < rows[i].size(); ++c) {
      made.probabilities(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(c)) = rows[i][c];
    }
  }
  return made;
}

std::string write_error(const Submission& submission, const Names& columns = {"MEL", "NV"}) {
  const ScratchFolder folder;
  const std::string message = message_of<std::invalid_argument>(
      [&] { write_submission(folder / "out.csv", submission, columns); });
  CHECK(folder.names().empty());
  return message;
}

/// What is said of a file pred.csv with columns MEL and NV.
std::string parse_error(std::string_view content) {
  return message_of<std::runtime_error>([&] {
    parse_submission(parse_csv(content, "pred.csv"), {"MEL", "NV"});
  });
}

TEST_CASE("submission: classes by name, absent ones 0, AK and AKIEC stand for each other") {
  const ScratchFolder folder;
  const Submission made =
      predictions({"ISIC_2", "ISIC_1"}, {"AKIEC", "MEL"}, {{1, 0}, {0.25, 1e-7}});
  write_submission(folder / "2019.csv", made, isic2019_classes());
  CHECK(read_file(folder / "2019.csv") ==
        "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK\n"
        "ISIC_2,0.0,0.0,0.0,1.0,0.0,0.0,0.0,0.0,0.0\n"
        "ISIC_1,1e-07,0.0,0.0,0.25,0.0,0.0,0.0,0.0,0.0\n");
  write_submission(folder / "2018.csv", predictions({"a,b"}, {"VASC", "AK"}, {{0.5, 0.125}}),
                   isic2018_classes());
  CHECK(read_file(folder / "2018.csv") ==
        "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\n"
        "\"a,b\",0.0,0.0,0.0,0.125,0.0,0.0,0.5\n");
}

TEST_CASE("submission: every double reads back bit by bit") {
  const ScratchFolder folder;
  Submission made = predictions({"a", "b", "c", "d", "e", "f"}, {"MEL", "NV"}, {});
  RandomStream random(7, "submission", 0, 0);
  for (double& value : made.probabilities.reshaped()) value = random.uniform();
  made.probabilities(0, 0) = 1;
  made.probabilities(1, 0) = 0;
  made.probabilities(2, 0) = std::numeric_limits<double>::denorm_min();
  made.probabilities(3, 0) = std::numeric_limits<double>::min();
  made.probabilities(4, 0) = 1 - std::numeric_limits<double>::epsilon() / 2;
  made.probabilities(5, 0) = 0.1;
  write_submission(folder / "p.csv", made, {"MEL", "NV"});
  const Submission read = read_submission(folder / "p.csv", {"MEL", "NV"});
  CHECK(read.images == made.images);
  CHECK(read.classes == made.classes);
  REQUIRE(read.probabilities.size() == 12);
  CHECK(std::memcmp(read.probabilities.data(), made.probabilities.data(), 12 * sizeof(double)) ==
        0);
}

TEST_CASE("submission: an existing file is replaced, a failed write leaves it as it was") {
  const ScratchFolder folder;
  write_atomically(folder / "p.csv", "old");
  const Submission made = predictions({"a"}, {"MEL"}, {{0.5}});
  CHECK_THROWS_AS(write_submission(folder / "p.csv", made, {"NV"}), std::invalid_argument);
  CHECK(read_file(folder / "p.csv") == "old");
  write_submission(folder / "p.csv", made, {"MEL"});
  CHECK(read_file(folder / "p.csv") == "image,MEL\na,0.5\n");
  CHECK(folder.names() == Names{"p.csv"});
  CHECK(mentions(message_of<std::runtime_error>(
                     [&] { write_submission(folder / "p.csv" / "q.csv", made, {"MEL"}); }),
                 {"cannot write", "q.csv", "Not a directory"}));
}

TEST_CASE("submission: what cannot be written is named") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(write_error(predictions({"a"}, {"MEL", "SCC"}, {{0.5, 0.5}})) ==
        "[submission] expected classes of the format (MEL, NV), got SCC");
  CHECK(write_error(predictions({"a"}, {"AK", "AKIEC"}, {{0.5, 0.5}}), {"MEL", "AK"}) ==
        "[submission] expected one class for column AK, got AK and AKIEC");
  CHECK(write_error(predictions({"a"}, {"MEL", "MEL"}, {{0.5, 0.5}})) ==
        "[submission] expected one class for column MEL, got MEL and MEL");
  CHECK(write_error(predictions({"a"}, {"AK"}, {{0.5}})) ==
        "[submission] expected classes of the format (MEL, NV), got AK");
  CHECK(write_error({{"a", "b"}, {"MEL"}, Eigen::MatrixXd::Zero(1, 2)}) ==
        "[submission] expected probabilities of 2 images and 1 classes, got 1 rows and 2 columns");
  CHECK(write_error(predictions({}, {"MEL"}, {})) ==
        "[submission] expected at least 1 image, got 0");
  CHECK(write_error(predictions({"a", "a.JPG"}, {"MEL"}, {{0.5}, {0.5}})) ==
        "[submission] expected each image once, got a again in row 1");
  CHECK(write_error(predictions({".jpg"}, {"MEL"}, {{0.5}})) ==
        "[submission] expected an image name, got '.jpg' in row 0");
  CHECK(write_error(predictions({"a"}, {"NV"}, {{1.5}})) ==
        "[submission] expected values between 0 and 1, got 1.5 for class NV of image a");
  CHECK(mentions(write_error(predictions({"a"}, {"NV"}, {{nan}})), {"between 0 and 1, got nan"}));
  CHECK(mentions(write_error(predictions({"a"}, {"NV"}, {{-1e-9}})), {"got -1e-09"}));
}

TEST_CASE("submission: reads what the scoring package reads") {
  // Another column order, .jpg in any case, a byte-order mark, CRLF, blanks, signs, quotes,
  // integers beside fractions.
  const Submission read = parse_submission(
      parse_csv("\xEF\xBB\xBFNV,image,MEL\r\n 0.25 ,a.jpg,+.5\r\n\r\n1,b.JPG,0.\r\n"
                "\t2e-1,c.png,\"0\"\r\n0,d.jpg.jpg,1\r\n",
                "pred.csv"),
      {"MEL", "NV"});
  CHECK(read.images == Names{"a", "b", "c.png", "d.jpg"});
  CHECK(read.classes == Names{"MEL", "NV"});
  Eigen::MatrixXd expected(4, 2);
  expected << 0.5, 0.25, 0, 1, 0, 0.2, 1, 0;
  CHECK(read.probabilities == expected);
  const Submission lesions =
      parse_submission(parse_csv("lesion_id,MEL\nL1,0.5\n", "pred.csv"), {"MEL"});
  CHECK(lesions.images == Names{"L1"});
}

TEST_CASE("submission: refuses what the scoring package refuses") {
  CHECK(parse_error("name,MEL,NV\na,0.5,0.5\n") ==
        "[csv] pred.csv: expected a column image or lesion_id, got name, MEL, NV");
  CHECK(parse_error("image,MEL,NV\n") ==
        "[submission] pred.csv: expected a row for each image, got none");
  CHECK(parse_error("image,MEL,NV\na,0.5,0.5\n.JPG,0.5,0.5\n") ==
        "[submission] pred.csv:3: expected an image name in column image, got '.JPG'");
  CHECK(parse_error("image,MEL,NV\na.jpg,0.5,0.5\nb,0.5,0.5\na,0.1,0.2\n") ==
        "[submission] pred.csv:4: expected each image once, got a listed already in line 2");
  CHECK(parse_error("image,BKL,DF\na,0.5,0.5\n") ==
        "[submission] pred.csv: expected columns image, MEL, NV, got none for MEL, NV");
  CHECK(parse_error("image,MEL,NV ,\na,0.5,0.5,\n") ==
        "[submission] pred.csv: expected columns image, MEL, NV, got none for NV");
  CHECK(parse_error("image,MEL,NV,UNK,score_weight,\na,0.5,0.5,0.1,1.0,\n") ==
        "[submission] pred.csv: expected columns image, MEL, NV, got also UNK, score_weight, one "
        "without name");
  for (const char* cell : {"", "NA", "nan", "abc", "0.5x", "0,5", "True", "--1", "+-1", "+", " "}) {
    CAPTURE(cell);
    CHECK(parse_error(text("image,MEL,NV\na,0.5,0.5\nb,0.5,\"", cell, "\"\n")) ==
          text("[csv] pred.csv:3: expected a number in column NV, got '", cell, "'"));
  }
  for (const char* cell : {"-0.1", "1.0000001", "inf", "-inf", "2"}) {
    CAPTURE(cell);
    CHECK(parse_error(text("image,MEL,NV\na,", cell, ",0.5\n")) ==
          text("[submission] pred.csv:2: expected a value between 0 and 1 in column MEL, got '",
               cell, "'"));
  }
  CHECK(parse_error("image,MEL,NV\na,0.5,1\nb,0.5,0\n") ==
        "[submission] pred.csv: expected values with a decimal point in column NV, got integers "
        "alone (write 0.0 and 1.0)");
  CHECK(parse_error("image,MEL,NV\na,0.5\n") == "[csv] pred.csv:2: expected 3 cells, got 2");
}

}  // namespace
}  // namespace dermis
