/// Label tables as spreadsheets, exports and attackers leave them; docs/input_files.md states what
/// becomes of each. The ordinary cases are in isic_test.cpp and io/csv_test.cpp.

#include <catch2/catch.hpp>
#include <stdexcept>

#include "dermis/data/isic.hpp"
#include "folder_fixture.hpp"

using namespace dermis;
using Catch::Contains;
using dermis::test::ImageFolder;

namespace {

/// images/a.jpg and images/b.jpg.
struct Fixture {
  ImageFolder folder;
  Fixture() {
    folder.write_image("images/a.jpg", 1);
    folder.write_image("images/b.jpg", 2);
  }
  FolderData read(const std::string& csv) const {
    return read_labelled_folder(folder / "images", folder.write("odd.csv", csv));
  }
  void check_plain(const std::string& csv) const {
    const FolderData found = read(csv);
    CHECK(found.data.classes() == std::vector<std::string>{"MEL", "NV"});
    CHECK(found.data.labels() == std::vector<int>{1, 0});
    CHECK(found.report.messages.empty());
  }
};

}  // namespace

TEST_CASE_METHOD(Fixture,
                 "odd tables: byte-order mark, line ends, blanks and quotes are no matter") {
  check_plain("image,label\na,NV\nb,MEL\n");
  check_plain("\xEF\xBB\xBFimage,label\r\na,NV\r\nb,MEL\r\n");
  check_plain("image,label\ra,NV\rb,MEL\r");
  check_plain("image,label\n\n a , NV \n\nb,\tMEL");
  check_plain("\"image\",\"label\"\n\"a.JPG\",\"NV\"\n\"b\",\"MEL\"\n");
  check_plain("image,label,,\na,NV,,\nb,MEL,,\n");
}

TEST_CASE_METHOD(Fixture, "odd tables: broken tables name file and line") {
  CHECK_THROWS_WITH(read("image,label\na,NV\nb\n"), Contains("odd.csv:3: expected 2 cells, got 1"));
  CHECK_THROWS_WITH(read("image,label\na,\"NV\nb,MEL\n"),
                    Contains("odd.csv:2: expected a closing quote"));
  CHECK_THROWS_WITH(read("image,label,label\na,NV,MEL\n"),
                    Contains("odd.csv:1") && Contains("'label' twice"));
  CHECK_THROWS_WITH(read(std::string("image,label\na,N\0V\n", 18)), Contains("NUL bytes"));
  CHECK_THROWS_WITH(read(std::string("\xFF\xFEi\0m\0a\0", 8)), Contains("UTF-16"));
  CHECK_THROWS_WITH(read(""), Contains("got an empty file"));
  CHECK_THROWS_WITH(read("image;label\na;NV\nb;MEL\n"),
                    Contains("expected columns image,label") && Contains("got image;label"));
  CHECK_THROWS_WITH(read("image,label\na,NV\nb,MEL\n,\n"), Contains("odd.csv:4"));
}

TEST_CASE_METHOD(Fixture, "odd tables: values of the one-hot form") {
  CHECK(read("image,MEL,NV\na,0.0,1.0\nb,1,0\n").data.labels() == std::vector<int>{1, 0});
  for (const char* value : {"nan", "inf", "-1", "2", "1,0", "true", "", "0x1"}) {
    CAPTURE(value);
    CHECK_THROWS_AS(read(std::string("image,MEL,NV\na,0,") + value + "\nb,1,0\n"),
                    std::runtime_error);
  }
  CHECK_THROWS_WITH(read("image,MEL,NV\na,1,1\nb,1,0\n"),
                    Contains("odd.csv:2") && Contains("MEL and NV"));
}

TEST_CASE_METHOD(Fixture, "odd tables: no image outside the folder can be named") {
  folder.write_image("secret.jpg", 3);
  for (const char* name : {"../secret.jpg", "../images/../secret", "..\\secret.jpg"}) {
    CAPTURE(name);
    CHECK_THROWS_WITH(read(std::string("image,label\na,NV\n") + name + ",MEL\n"),
                      Contains("1 of 2 labelled images are not in"));
  }
  CHECK_THROWS_WITH(read("image,label\na,NV\n" + (folder / "secret.jpg").string() + ",MEL\n"),
                    Contains("1 of 2 labelled images are not in"));
  CHECK_THROWS_WITH(read("image,label\na,NV\n/etc/passwd,MEL\n"), Contains("/etc/passwd (line 3)"));
  // Leading folders are taken off: this is the b of the folder.
  check_plain("image,label\na,NV\n../../elsewhere/b.jpg,MEL\n");
}

TEST_CASE_METHOD(Fixture, "odd tables: an image listed twice, and classes that differ in case") {
  CHECK_THROWS_WITH(read("image,label\na,NV\nb,MEL\n../a.png,MEL\n"),
                    Contains("odd.csv:4") && Contains("line 2"));
  CHECK(read("image,label\na,nv\nb,NV\n").data.classes() == std::vector<std::string>{"NV", "nv"});
}
