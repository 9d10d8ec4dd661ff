#include "dermis/core/file.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <stdexcept>

#include "support.hpp"

namespace dermis {
namespace {

namespace fs = std::filesystem;
using test::mentions;
using test::message_of;
using test::ScratchFolder;

std::string write_error(const fs::path& path, std::string_view bytes = "new") {
  return message_of<std::runtime_error>([&] { write_atomically(path, bytes); });
}

/// Files above `bytes` cannot be written while it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    struct rlimit limit = old_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &old_); }

 private:
  struct rlimit old_ {};
};

TEST_CASE("file: writes and reads back, replaces, leaves nothing beside") {
  const ScratchFolder folder;
  std::string bytes = "line\n";
  bytes += '\0';
  bytes += std::string(1 << 20, '\xFF');
  write_atomically(folder / "file", "old");
  write_atomically(folder / "file", bytes);
  CHECK(read_file(folder / "file") == bytes);
  write_atomically(folder / "empty", "");
  CHECK(read_file(folder / "empty").empty());
  CHECK(folder.names().size() == 2);
  CHECK_FALSE(read_file("/proc/self/status").empty());  // a file whose size is not known before
}

TEST_CASE("file: keeps permissions of a replaced file and follows a link") {
  const ScratchFolder folder;
  write_atomically(folder / "target", "old");
  fs::permissions(folder / "target", fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("target", folder / "link");
  write_atomically(folder / "link", "new");
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(read_file(folder / "target") == "new");
  CHECK(fs::status(folder / "target").permissions() ==
        (fs::perms::owner_read | fs::perms::owner_write));
  fs::create_symlink("nowhere", folder / "dangling");
  write_atomically(folder / "dangling", "new");
  CHECK(read_file(folder / "dangling") == "new");
}

TEST_CASE("file: an uncommitted file leaves the old content and no rest") {
  const ScratchFolder folder;
  write_atomically(folder / "file", "old");
  {
    AtomicFile file(folder / "file");
    file.write("half of the new");
    CHECK(folder.names().size() == 2);
  }
  CHECK(read_file(folder / "file") == "old");
  CHECK(folder.names() == std::vector<std::string>{"file"});

  AtomicFile file(folder / "file");
  file.write("new");
  file.commit();
  CHECK_THROWS_AS(file.write("more"), std::invalid_argument);
  CHECK_THROWS_AS(file.commit(), std::invalid_argument);
  CHECK(read_file(folder / "file") == "new");
}

TEST_CASE("file: refuses what is no regular file") {
  const ScratchFolder folder;
  write_atomically(folder / "file", "old");
  CHECK(mentions(write_error(folder / "file/below"),
                 {"[file] cannot write", "file/below", "Not a directory"}));
  CHECK(mentions(write_error(folder / "none/below"), {"none/below", "No such file or directory"}));
  CHECK(mentions(write_error(folder / ""), {"Is a directory"}));
  CHECK(mentions(write_error(""), {"No such file"}));
  fs::create_directory(folder / "folder");
  CHECK(mentions(write_error(folder / "folder"), {"folder", "Is a directory"}));
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(mentions(write_error(folder / "pipe"), {"pipe", "expected a regular file"}));
  CHECK(mentions(write_error("/dev/null"), {"/dev/null", "expected a regular file"}));
  CHECK(fs::is_character_file("/dev/null"));
  CHECK(read_file(folder / "file") == "old");
  CHECK(folder.names().size() == 3);
}

TEST_CASE("file: a full disk leaves the old content and no rest") {
  const ScratchFolder folder;
  const std::string bytes(1 << 20, 'x');
  constexpr rlim_t limit = 100000;
  // The fault fires: an ordinary write beyond the limit kills the process that does not expect it.
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const FileSizeLimit full(limit);
    const int descriptor = ::open((folder / "plain").c_str(), O_WRONLY | O_CREAT, 0600);
    while (::write(descriptor, bytes.data(), bytes.size()) > 0) {
    }
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(WTERMSIG(status) == SIGXFSZ);
  REQUIRE(fs::file_size(folder / "plain") == limit);
  fs::remove(folder / "plain");

  write_atomically(folder / "file", "old");
  std::string error, error_new;
  sigset_t before, after, pending;
  ::sigprocmask(SIG_SETMASK, nullptr, &before);
  {
    const FileSizeLimit full(limit);
    error = write_error(folder / "file", bytes);
    error_new = write_error(folder / "new", bytes);
  }
  ::sigprocmask(SIG_SETMASK, nullptr, &after);
  ::sigpending(&pending);
  CHECK(mentions(error, {"[file] cannot write " + (folder / "file").string(), "File too large"}));
  CHECK(
      mentions(error_new, {"[file] cannot write " + (folder / "new").string(), "File too large"}));
  CHECK(read_file(folder / "file") == "old");
  CHECK(folder.names() == std::vector<std::string>{"file"});
  CHECK(::sigismember(&before, SIGXFSZ) ==
        ::sigismember(&after, SIGXFSZ));  // the signal mask is as it was
  CHECK(::sigismember(&pending, SIGXFSZ) == 0);
  write_atomically(folder / "file", bytes);
  CHECK(read_file(folder / "file") == bytes);
}

TEST_CASE("file: read errors name path and reason") {
  const ScratchFolder folder;
  write_atomically(folder / "file", "old");
  const auto read_error = [](const fs::path& path) {
    return message_of<std::runtime_error>([&] { read_file(path); });
  };
  CHECK(mentions(read_error(folder / "none"),
                 {"[file] cannot read " + (folder / "none").string(), "No such file"}));
  CHECK(mentions(read_error(folder / ""), {"Is a directory"}));
  CHECK(mentions(read_error(folder / "file/below"), {"Not a directory"}));
}

TEST_CASE("file: makes directories, and says which component is none") {
  const ScratchFolder folder;
  make_directories(folder / "a/b/c");
  make_directories(folder / "a/b/c/");
  make_directories("");
  CHECK(fs::is_directory(folder / "a/b/c"));
  write_atomically(folder / "a/file", "");
  const std::string wanted = (folder / "a/file/x/y").string();
  CHECK(message_of<std::runtime_error>([&] { make_directories(wanted); }) ==
        "[out] cannot create directory " + wanted + ": " + (folder / "a/file").string() +
            " is not a directory");
  CHECK(mentions(message_of<std::runtime_error>([&] { make_directories(folder / "a/file"); }),
                 {"is not a directory"}));
  CHECK(mentions(message_of<std::runtime_error>([] { make_directories("/proc/none/x"); }),
                 {"[out] cannot create directory /proc/none/x: "}));
}

}  // namespace
}  // namespace dermis
