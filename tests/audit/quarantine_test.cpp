#include "dermis/audit/quarantine.hpp"

#include <catch2/catch.hpp>

#include "data/folder_fixture.hpp"
#include "dermis/core/file.hpp"
#include "dermis/io/csv.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Contains;

namespace {

const std::string kHeader = "image,label,lesion_id\n";

std::string row(const std::string& label, int number) {
  const auto id = "synthetic_" + label + "_" + std::to_string(number);
  return label + "/" + id + ".png," + label + "," + id + "\n";
}

/// What synthesize() leaves: NV 0..2, DF 0..1.
struct SyntheticFolder : ImageFolder {
  SyntheticFolder() {
    write("labels.csv",
          kHeader + row("NV", 0) + row("NV", 1) + row("NV", 2) + row("DF", 0) + row("DF", 1));
    for (const char* name : {"NV/synthetic_NV_0", "NV/synthetic_NV_1", "NV/synthetic_NV_2",
                             "DF/synthetic_DF_0", "DF/synthetic_DF_1"})
      write_image(std::string(name) + ".png");
  }
  bool has(const std::string& name) const { return std::filesystem::exists(path() / name); }
  std::string text_of(const std::string& name) const { return read_file(path() / name); }
  /// Images here and in the quarantine.
  int images() const {
    int count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path()))
      count += entry.path().extension() == ".png";
    return count;
  }
};

MemorisationResult flagged(const std::vector<std::string>& ids) {
  MemorisationResult result;
  result.images.push_back({.id = "synthetic_NV_0"});
  for (const auto& id : ids) result.images.push_back({.id = id, .copy = true});
  return result;
}

const std::vector<std::string> kCopies = {"synthetic_NV_1", "synthetic_DF_0"};

void check_moved(const SyntheticFolder& folder) {
  CHECK(folder.text_of("labels.csv") == kHeader + row("NV", 0) + row("NV", 2) + row("DF", 1));
  CHECK(folder.text_of("quarantine/labels.csv") == kHeader + row("NV", 1) + row("DF", 0));
  CHECK(folder.has("quarantine/NV/synthetic_NV_1.png"));
  CHECK(folder.has("quarantine/DF/synthetic_DF_0.png"));
  CHECK_FALSE(folder.has("NV/synthetic_NV_1.png"));
  CHECK(folder.has("NV/synthetic_NV_0.png"));
  CHECK(folder.images() == 5);
}

}  // namespace

TEST_CASE("quarantine: copies and their rows are moved, once") {
  SyntheticFolder folder;
  CHECK(quarantine(folder.path(), flagged({})) == 0);
  CHECK_FALSE(folder.has("quarantine"));
  CHECK(quarantine(folder.path(), flagged(kCopies)) == 2);
  check_moved(folder);
  CHECK(quarantine(folder.path(), flagged(kCopies)) == 0);
  check_moved(folder);
  CHECK(quarantine(folder.path(), flagged({"synthetic_NV_2"})) == 1);
  CHECK(folder.text_of("quarantine/labels.csv") ==
        kHeader + row("NV", 1) + row("DF", 0) + row("NV", 2));
  CHECK(folder.images() == 5);
}

TEST_CASE("quarantine: what stops half way loses nothing, and the same call finishes it") {
  SyntheticFolder folder;
  const auto before = folder.text_of("labels.csv");
  SECTION("an image cannot be moved") {
    folder.write("quarantine/DF", "a file where a folder should be");
    CHECK_THROWS_WITH(quarantine(folder.path(), flagged(kCopies)), Contains("is not a directory"));
    CHECK(folder.has("quarantine/NV/synthetic_NV_1.png"));  // the first was
    CHECK(folder.text_of("labels.csv") == before);
    CHECK(folder.images() == 5);
    std::filesystem::remove(folder.path() / "quarantine" / "DF");
  }
  SECTION("the disk is full") {
    {
      const FileSizeLimit full(8);
      CHECK_THROWS_WITH(quarantine(folder.path(), flagged(kCopies)), Contains("cannot write"));
    }
    CHECK(folder.text_of("labels.csv") == before);
    CHECK(folder.has("NV/synthetic_NV_1.png"));
    CHECK(folder.images() == 5);
  }
  SECTION("all was moved, labels.csv was not rewritten") {
    CHECK(quarantine(folder.path(), flagged(kCopies)) == 2);
    folder.write("labels.csv", before);
  }
  CHECK(quarantine(folder.path(), flagged(kCopies)) == 2);
  check_moved(folder);
}

TEST_CASE("quarantine: folders that do not fit are refused unchanged") {
  SyntheticFolder folder;
  const auto refused = [&](const std::vector<std::string>& ids, const std::string& message) {
    const auto before = folder.text_of("labels.csv");
    CHECK_THROWS_WITH(quarantine(folder.path(), flagged(ids)), Contains(message));
    CHECK(folder.text_of("labels.csv") == before);
    CHECK_FALSE(folder.has("quarantine"));
  };
  refused({"synthetic_NV_1", "synthetic_NV_9"},
          "labels.csv: expected a row for the copy synthetic_NV_9, found none");
  std::filesystem::remove(folder.path() / "NV" / "synthetic_NV_1.png");
  refused({"synthetic_DF_0", "synthetic_NV_1"}, "[quarantine] cannot find ");
  folder.write("labels.csv", kHeader + "../other/synthetic_NV_1.png,NV,a\n");
  refused({"synthetic_NV_1"},
          "labels.csv:2: expected an image inside the folder, got ../other/synthetic_NV_1.png");
  folder.write("labels.csv", "file,label\na.png,NV\n");
  refused({"a"}, "labels.csv: expected columns image and label");
  std::filesystem::remove(folder.path() / "labels.csv");
  CHECK_THROWS_WITH(quarantine(folder.path(), flagged(kCopies)), Contains("labels.csv"));

  SyntheticFolder other;
  other.write("quarantine/labels.csv", "image,label\nNV/x.png,NV\n");
  CHECK_THROWS_WITH(quarantine(other.path(), flagged(kCopies)),
                    Contains("expected the columns of"));
  CHECK(other.has("NV/synthetic_NV_1.png"));
}
