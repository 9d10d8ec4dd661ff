#include "dermis/data/caption_files.hpp"

#include <catch2/catch.hpp>
#include <stdexcept>

#include "core/support.hpp"
#include "dermis/core/file.hpp"
#include "folder_fixture.hpp"

namespace dermis {
namespace {

using test::mentions;
using test::message_of;

struct ThreeImages : test::ImageFolder {
  ThreeImages() {
    for (const char* name : {"a.jpg", "b.png", "more/c.jpg"}) write_image(name);
  }
  std::vector<Caption> captions() const {
    return {{path() / "a.jpg", "a benign, \"round\" mole"},
            {path() / "b.png", "a mole \xC3\xA9"},
            {path() / "more/c.jpg", "a lesion"}};
  }
};

bool same(const std::vector<Caption>& a, const std::vector<Caption>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i].image != b[i].image || a[i].text != b[i].text) return false;
  return true;
}

}  // namespace

TEST_CASE("caption files: what is written reads back, in all three forms") {
  const ThreeImages folder;
  const auto captions = folder.captions();
  write_caption_sidecars(captions);
  CHECK(read_file(folder.path() / "b.txt") == "a mole \xC3\xA9\n");
  CHECK(same(read_caption_sidecars(folder.path()), captions));
  for (const char* name : {"metadata.jsonl", "captions.csv"}) {
    write_caption_table(folder / name, folder.path(), captions);
    CHECK(same(read_caption_table(folder / name, folder.path()), captions));
  }
}

TEST_CASE("caption files: captions of others take the place of ours") {
  const ThreeImages folder;
  const auto given =
      read_caption_table(folder.write("given.csv", "file_name,text\nc,theirs\n"), folder.path());
  REQUIRE(given.size() == 1);
  auto expected = folder.captions();
  expected[2].text = "theirs";
  CHECK(same(replaced_captions(folder.captions(), given), expected));
  CHECK(same(replaced_captions({}, given), given));
}

TEST_CASE("caption files: errors") {
  const ThreeImages folder;
  const auto error = [&](const char* name, const char* content) {
    return message_of<std::runtime_error>(
        [&] { read_caption_table(folder.write(name, content), folder.path()); });
  };
  CHECK(mentions(error("t.csv", "image,caption\na,x\nd,y\ne,z\n"),
                 {"t.csv", "2 of 3", "d (line 3), e (line 4)"}));
  CHECK(mentions(error("t.csv", "image,caption\na,\n"), {"t.csv:2", "got none"}));
  CHECK(mentions(error("t.csv", "image,caption\na,x\na,y\n"), {"t.csv:3", "once", "a again"}));
  CHECK(mentions(error("t.csv", "image,words\na,x\n"), {"t.csv", "image,text", "image, words"}));
  CHECK(mentions(error("t.csv", "image,caption\n\"a,x\n"), {"t.csv:2"}));
  CHECK(mentions(error("t.jsonl", "{\"file_name\": \"a.jpg\", \"text\": \"\"}\n"),
                 {"t.jsonl:1", "text"}));
  CHECK(mentions(error("t.jsonl", "{\"file_name\": \"a.jpg\"\n"), {"t.jsonl:1"}));

  const auto sidecars = [&] {
    return message_of<std::runtime_error>([&] { read_caption_sidecars(folder.path()); });
  };
  CHECK(mentions(sidecars(), {"NAME.txt", "got none"}));
  folder.write("a.txt", " \n");
  CHECK(mentions(sidecars(), {"a.txt", "empty"}));
  folder.write("a.txt", "a mole");
  folder.write("more/gone.txt", "a mole");
  CHECK(mentions(sidecars(), {"1 caption files", "more/gone.txt"}));

  CHECK(mentions(message_of<std::invalid_argument>([&] {
                   write_caption_sidecars({{folder / "a.jpg", " "}});
                 }),
                 {"a.jpg", "empty"}));
  CHECK(mentions(message_of<std::invalid_argument>([&] {
                   write_caption_table(folder / "t.csv", folder / "more", folder.captions());
                 }),
                 {"more", "a.jpg"}));

  folder.write("prompts.txt", "a mole\r\n\n  a dark mole \n");
  CHECK(read_prompts(folder / "prompts.txt") == std::vector<std::string>{"a mole", "a dark mole"});
  folder.write("prompts.txt", "\n \n");
  CHECK(mentions(message_of<std::runtime_error>([&] { read_prompts(folder / "prompts.txt"); }),
                 {"prompts.txt", "a line a prompt"}));
}

}  // namespace dermis
