#include "dermis/core/file.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>

#include "dermis/core/check.hpp"

namespace dermis {
namespace {

namespace fs = std::filesystem;

std::string reason(int error) {
  return std::generic_category().message(error);
}

/// While it lives, a write beyond RLIMIT_FSIZE fails with EFBIG instead of killing the process:
/// SIGXFSZ is blocked in this thread only (the process's handlers are the program's business) and a
/// pending one is taken away at the end.
class FileSizeSignalBlocked {
 public:
  FileSizeSignalBlocked() {
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGXFSZ);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGXFSZ) == 1;
    pthread_sigmask(SIG_BLOCK, &signal_, &old_);
  }
  ~FileSizeSignalBlocked() {
    const int error = errno;
    sigset_t pending;
    sigpending(&pending);
    if (!was_pending_ && sigismember(&pending, SIGXFSZ) == 1) {
      int taken = 0;
      sigwait(&signal_, &taken);
    }
    pthread_sigmask(SIG_SETMASK, &old_, nullptr);
    errno = error;
  }
  FileSizeSignalBlocked(const FileSizeSignalBlocked&) = delete;
  FileSizeSignalBlocked& operator=(const FileSizeSignalBlocked&) = delete;

 private:
  sigset_t signal_{}, old_{};
  bool was_pending_ = false;
};

/// Closes on every way out.
struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

}  // namespace

AtomicFile::AtomicFile(const fs::path& path) : path_(path), target_(path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (fs::is_directory(status) || (!path.empty() && !path.has_filename())) fail(EISDIR);
  // A rename would replace /dev/null or a pipe by a plain file.
  check_runtime(!fs::exists(status) || fs::is_regular_file(status), "[file] cannot write ",
                path.string(), ": expected a regular file there or nothing, found something else");
  if (fs::is_symlink(path, ignored) &&
      fs::exists(status)) {  // write what the link points to, keep the link
    const fs::path linked = fs::canonical(path, ignored);
    if (!ignored) target_ = linked;
  }
  static std::atomic<unsigned> counter{0};
  do {
    const std::string suffix = text(".tmp-", ::getpid(), "-", counter++);
    temporary_ = target_.parent_path() / (target_.filename().string().substr(0, 200) + suffix);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) fail(errno);
  struct stat old {};
  if (::stat(target_.c_str(), &old) ==
      0) {  // an overwritten file keeps its permissions where that is allowed
    if (::fchmod(descriptor_, old.st_mode & 07777) != 0) errno = 0;
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::fail(int error) {
  throw std::runtime_error(text("[file] cannot write ", path_.string(), ": ", reason(error)));
}

void AtomicFile::write(const void* data, std::size_t bytes) {
  check_argument(descriptor_ >= 0, "[file] expected to write before the commit: ", path_.string());
  const FileSizeSignalBlocked blocked;
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written =
        ::write(descriptor_, at, std::min<std::size_t>(bytes, std::size_t{1} << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(errno);
    at += written;
    bytes -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::commit() {
  check_argument(descriptor_ >= 0, "[file] expected one commit: ", path_.string());
  // EINVAL: a file system without fsync.
  if (::fsync(descriptor_) != 0 && errno != EINVAL) fail(errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail(errno);
  const int descriptor = descriptor_;
  descriptor_ = -1;
  if (::close(descriptor) != 0 && errno != EINTR) fail(errno);
  // The rename itself is durable once the folder is; a folder that cannot be opened for it is no
  // failure of the write.
  const fs::path folder = target_.has_parent_path() ? target_.parent_path() : fs::path(".");
  const Descriptor parent{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (parent.value >= 0) ::fsync(parent.value);
}

void write_atomically(const fs::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

std::string read_file(const fs::path& path) {
  const auto check = [&](bool ok, int error) {
    check_runtime(ok, "[file] cannot read ", path.string(), ": ", ok ? "" : reason(error));
  };
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  check(file.value >= 0, errno);
  struct stat status {};
  check(::fstat(file.value, &status) == 0, errno);
  check(!S_ISDIR(status.st_mode), EISDIR);
  std::string content;
  std::size_t used = 0;
  // One byte more than the size says, so that a file that did not grow ends in one read more
  // without another resize.
  content.resize(S_ISREG(status.st_mode) ? static_cast<std::size_t>(status.st_size) + 1 : 4096);
  for (;;) {
    if (used == content.size()) content.resize(2 * used);
    const ssize_t got = ::read(file.value, &content[used], content.size() - used);
    if (got < 0 && errno == EINTR) continue;
    check(got >= 0, errno);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  content.resize(used);
  return content;
}

void make_directories(const fs::path& path) {
  fs::path partial;
  for (const fs::path& component : path) {
    partial /= component;
    std::error_code error;
    const fs::file_status status = fs::status(partial, error);
    if (fs::is_directory(status)) continue;
    check_runtime(!fs::exists(status), "[out] cannot create directory ", path.string(), ": ",
                  partial.string(), " is not a directory");
    fs::create_directory(partial, error);
    // Another process may have been quicker.
    check_runtime(fs::is_directory(partial), "[out] cannot create directory ", path.string(), ": ",
                  error ? error.message() : "it vanished");
  }
}

}  // namespace dermis
