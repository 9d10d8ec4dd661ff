#pragma once
/// \file
/// Event files of TensorBoard, written without TensorFlow, protobuf or LibTorch.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dermis/io/image.hpp"

namespace dermis {

/// Appends to one event file, DIRECTORY/events.out.tfevents.TIME.dermis.PID.NUMBER; the machine's
/// name stays out of it. Every call writes a whole record before it returns, so that a run that is
/// killed leaves a file that can be read to its end. Not thread-safe; one directory a run, since
/// TensorBoard shows a directory's files as one.
///
/// A resumed run makes a new writer with its first step, which TensorBoard takes as the order to
/// forget what the files before say of that step and later ones:
///
///     TensorBoardWriter board(out / "tensorboard", done > 0 ? std::optional(done + 1) :
///     std::nullopt); board.scalar("loss/train", step, loss); board.image("reconstruction", step,
///     grid(pictures, 4));
///
/// Errors: an empty tag or a negative step is std::invalid_argument; a file that cannot be written
/// is std::runtime_error naming it, and what was written before stays readable.
class TensorBoardWriter {
 public:
  /// Makes `directory` if need be. `first_step`: see above; none: nothing is forgotten.
  explicit TensorBoardWriter(const std::filesystem::path& directory,
                             std::optional<std::int64_t> first_step = std::nullopt);
  ~TensorBoardWriter();
  TensorBoardWriter(const TensorBoardWriter&) = delete;
  TensorBoardWriter& operator=(const TensorBoardWriter&) = delete;

  /// A point of a curve, kept in single precision. Tags of one prefix ("loss/train",
  /// "loss/validation") share a section of the page.
  void scalar(const std::string& tag, std::int64_t step, double value);
  /// A picture, embedded as PNG.
  void image(const std::string& tag, std::int64_t step, const Image& image);
  /// A text that TensorBoard shows as Markdown: options, a command line.
  void text(const std::string& tag, std::int64_t step, const std::string& markdown);
  /// How values are distributed, in 30 equal buckets between the smallest and the largest (one
  /// bucket if they are the same). \throws std::invalid_argument unless there is a value and all
  /// are finite
  void histogram(const std::string& tag, std::int64_t step, const std::vector<double>& values);

  const std::filesystem::path& path() const { return path_; }

 private:
  void summary(const std::string& tag, std::int64_t step, const std::string& value);
  void append(const std::string& event);

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::int64_t bytes_ = 0;  // of whole records
};

namespace detail {

/// CRC-32C (Castagnoli), as in RFC 3720, appendix B.4.
std::uint32_t crc32c(std::string_view bytes);

/// A record of a TFRecord file: length (8 bytes), its masked CRC-32C, `data`, its masked CRC-32C.
std::string tfrecord(std::string_view data);

}  // namespace detail
}  // namespace dermis
