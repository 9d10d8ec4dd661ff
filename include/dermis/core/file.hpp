#pragma once
/// \file
/// Whole files: read, and write so that a reader sees either the old content or the new, never a
/// half.

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace dermis {

/// A file written beside its target under a temporary name; `commit` makes it durable and renames
/// it onto the target. If it is destroyed before (an exception, a full disk), the temporary is
/// removed and the target is as it was. For content that should not be held in memory at once;
/// otherwise `write_atomically`.
///
/// All errors are std::runtime_error "[file] cannot write PATH: REASON". The target must be a
/// regular file or not exist (a symbolic link is followed); its folder must exist.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t bytes);
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }
  /// fsync, rename, fsync of the folder. Nothing may be written afterwards.
  void commit();

 private:
  [[noreturn]] void fail(int error);

  std::filesystem::path path_, target_, temporary_;
  int descriptor_ = -1;
};

/// Writes `bytes` to `path`, see AtomicFile. The folder must exist.
void write_atomically(const std::filesystem::path& path, std::string_view bytes);

/// The file's content; std::runtime_error "[file] cannot read PATH: REASON".
std::string read_file(const std::filesystem::path& path);

/// Creates the folder and those above it; it is no error if they exist. If a component is not a
/// folder: std::runtime_error "[out] cannot create directory X: Y is not a directory".
void make_directories(const std::filesystem::path& path);

}  // namespace dermis
