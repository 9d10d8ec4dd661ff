#include "dermis/io/jpeg_quality.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace dermis {
namespace {

using QuantTable = std::array<int, 64>;  // in zigzag order, as files have it

/// Annex K.1 of ITU-T T.81, luminance and chrominance, in zigzag order.
constexpr QuantTable luminance = {16,  11, 12, 14,  12,  10,  16,  14,  13, 14,  18,  17,  16,
                                  19,  24, 40, 26,  24,  22,  22,  24,  49, 35,  37,  29,  40,
                                  58,  51, 61, 60,  57,  51,  56,  55,  64, 72,  92,  78,  64,
                                  68,  87, 69, 55,  56,  80,  109, 81,  87, 95,  98,  103, 104,
                                  103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99};
constexpr QuantTable chrominance = {17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, 99, 99,
                                    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
                                    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
                                    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99};

int scaled(int base, int quality) {
  const int percent = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  return std::clamp((base * percent + 50) / 100, 1, 255);
}

/// Mean relative difference of a table from the standard one at a quality.
double difference(const QuantTable& table, const QuantTable& standard, int quality) {
  double sum = 0;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const int expected = scaled(standard[i], quality);
    sum += std::abs(table[i] - expected) / static_cast<double>(expected);
  }
  return sum / static_cast<double>(table.size());
}

struct Component {
  int horizontal = 1, vertical = 1;
  std::size_t table = 0;
};

/// The header, piece by piece.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view bytes) : bytes_(bytes) {}

  std::optional<JpegQuality> read() {
    if (word(0) != 0xFFD8) return std::nullopt;
    std::size_t place = 2;
    while (true) {
      while (byte(place) == 0xFF && byte(place + 1) == 0xFF) ++place;  // fill bytes
      if (byte(place) != 0xFF || word(place + 2) < 2) return std::nullopt;
      const int marker = byte(place + 1);
      const auto length = static_cast<std::size_t>(word(place + 2));
      if (place + 2 + length > bytes_.size()) return std::nullopt;
      const std::string_view body = bytes_.substr(place + 4, length - 2);
      if (marker == 0xDB && !read_tables(body)) return std::nullopt;
      // Every kind of frame, lossy or not: C4, C8 and CC are other things.
      if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC &&
          !read_frame(body))
        return std::nullopt;
      if (marker == 0xDA) return estimate();  // tables may follow the frame, not the scan
      place += 2 + length;
    }
  }

 private:
  int byte(std::size_t place) const {
    return place < bytes_.size() ? static_cast<unsigned char>(bytes_[place]) : -1;
  }
  int word(std::size_t place) const {
    return byte(place + 1) < 0 ? -1 : byte(place) << 8 | byte(place + 1);
  }

  bool read_tables(std::string_view body) {
    while (!body.empty()) {
      const auto head = static_cast<unsigned char>(body[0]);
      const std::size_t width = head >> 4 ? 2 : 1;
      if (head >> 4 > 1 || (head & 15) > 3 || body.size() < 1 + 64 * width) return false;
      QuantTable table{};
      for (std::size_t i = 0; i < 64; ++i) {
        for (std::size_t k = 0; k < width; ++k)
          table[i] = table[i] << 8 | static_cast<unsigned char>(body[1 + i * width + k]);
      }
      tables_[head & 15] = table;
      body.remove_prefix(1 + 64 * width);
    }
    return true;
  }

  bool read_frame(std::string_view body) {
    if (body.size() < 6) return false;
    const auto count = static_cast<std::size_t>(static_cast<unsigned char>(body[5]));
    if (count == 0 || count > 4 || body.size() < 6 + 3 * count) return false;
    components_.clear();
    for (std::size_t c = 0; c < count; ++c) {
      const auto factors = static_cast<unsigned char>(body[7 + 3 * c]);
      const auto table = static_cast<unsigned char>(body[8 + 3 * c]);
      if ((factors >> 4) == 0 || (factors & 15) == 0 || table > 3) return false;
      components_.push_back({factors >> 4, factors & 15, table});
    }
    return true;
  }

  std::optional<JpegQuality> estimate() const {
    if (components_.empty() || !tables_[components_[0].table]) return std::nullopt;
    const bool colour = components_.size() >= 3;
    if (colour && !tables_[components_[1].table]) return std::nullopt;
    JpegQuality found;
    double least = 0;
    for (int quality = 1; quality <= 100; ++quality) {
      double sum = difference(*tables_[components_[0].table], luminance, quality);
      if (colour) sum += difference(*tables_[components_[1].table], chrominance, quality);
      if (found.quality > 0 && sum >= least) continue;
      least = sum;
      found.quality = quality;
    }
    found.exact = least == 0;
    if (colour) {
      const auto& [luma, chroma] = std::pair(components_[0], components_[1]);
      const int horizontal = luma.horizontal / chroma.horizontal;
      const int vertical = luma.vertical / chroma.vertical;
      if (horizontal * vertical >= 4) {
        found.subsampling = ChromaSubsampling::Both;
      } else if (horizontal * vertical >= 2) {
        found.subsampling = ChromaSubsampling::Horizontal;
      }
    }
    return found;
  }

  std::string_view bytes_;
  std::array<std::optional<QuantTable>, 4> tables_;
  std::vector<Component> components_;
};

}  // namespace

std::optional<JpegQuality> jpeg_quality(std::string_view bytes) {
  return HeaderReader(bytes).read();
}

}  // namespace dermis
