#include "dermis/data/provenance.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "dermis/core/check.hpp"

namespace dermis {
namespace {

constexpr const char* xmp_key = "XML:com.adobe.xmp";
constexpr const char* note = "SYNTHETIC: not a patient";
constexpr const char* source_type = "http://cv.iptc.org/newscodes/digitalsourcetype/";
constexpr const char* prompt_key = "Prompt";  // of images that were asked for in words
constexpr const char* our_namespace = "xmlns:dermis=\"urn:dermis:provenance#\"";

/// Printable ASCII without what XML or this very coding would read otherwise.
bool is_plain(char c) {
  return c >= 32 && c < 127 && std::string_view("%&<>\"'").find(c) == std::string_view::npos;
}

std::string coded(const std::string& value) {
  constexpr const char* digits = "0123456789ABCDEF";
  std::string result;
  for (const char c : value) {
    if (is_plain(c)) {
      result += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      result += {'%', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return result;
}

template <class Number>
std::string coded(Number value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;  // reads back equal
  return {digits, end};
}

/// One of our attributes after another.
class AttributeReader {
 public:
  AttributeReader(const std::string& xmp, const std::string& name) : xmp_(xmp), name_(name) {}

  void read(const char* key, std::string& value) const {
    const std::string stored = attribute(key);
    value.clear();
    for (std::size_t i = 0; i < stored.size(); ++i) {
      if (stored[i] != '%') {
        value += stored[i];
        continue;
      }
      unsigned byte = 0;
      const char* digits = stored.data() + i + 1;
      check(
          i + 2 < stored.size() && std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2,
          key, "two hexadecimal digits after each %", stored);
      value += static_cast<char>(byte);
      i += 2;
    }
  }

  template <class Number>
  void read(const char* key, Number& value) const {
    const std::string stored = attribute(key);
    const char* end = stored.data() + stored.size();
    const auto result = std::from_chars(stored.data(), end, value);
    check(result.ec == std::errc() && result.ptr == end && !stored.empty(), key, "a number",
          stored);
  }

 private:
  void check(bool ok, const char* key, const char* expected, const std::string& got) const {
    check_runtime(ok, "[provenance] ", name_, ": expected dermis:", key, " with ", expected,
                  ", got '", got, "'");
  }

  std::string attribute(const char* key) const {
    const std::string head = text(" dermis:", key, "=\"");
    const std::size_t start = xmp_.find(head);
    const std::size_t end =
        start == std::string::npos ? start : xmp_.find('"', start + head.size());
    check_runtime(end != std::string::npos, "[provenance] ", name_,
                  ": its mark has no dermis:", key);
    return xmp_.substr(start + head.size(), end - start - head.size());
  }

  const std::string& xmp_;
  const std::string& name_;
};

/// Names of the attributes, in the order of the file.
template <class Self, class Visitor>
void visit_fields(Self& p, Visitor&& visit) {
  visit("Generator", p.generator);
  visit("Split", p.split);
  visit("Class", p.class_name);
  visit("Number", p.number);
  visit("Seed", p.seed);
  visit("GuidanceScale", p.guidance_scale);
  visit("Sampler", p.sampler);
  visit("Steps", p.steps);
  visit("Settings", p.settings);
  visit("Version", p.version);
}

}  // namespace

PngText png_text(const Provenance& provenance) {
  std::string fields;
  visit_fields(provenance, [&](const char* key, const auto& value) {
    fields += text("\n    dermis:", key, "=\"", coded(value), "\"");
  });
  if (!provenance.prompt.empty())
    fields += text("\n    dermis:", prompt_key, "=\"", coded(provenance.prompt), "\"");
  // The byte-order mark is part of an XMP packet; it also makes the text one beyond ASCII, which
  // encode_png stores as iTXt, as XMP must be.
  const std::string xmp = text(
      "<?xpacket begin=\"\xEF\xBB\xBF\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n"
      "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n"
      " <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n"
      "  <rdf:Description rdf:about=\"\"\n"
      "    xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\"\n    ",
      our_namespace, "\n    Iptc4xmpExt:DigitalSourceType=\"", source_type,
      "trainedAlgorithmicMedia\"", fields, "/>\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end=\"r\"?>");
  return {{"Description", note}, {xmp_key, xmp}};
}

bool declares_synthetic(const PngText& text) {
  return std::any_of(text.begin(), text.end(), [](const auto& entry) {
    const auto& [key, value] = entry;
    const auto says = [&](const char* type) {
      return value.find(std::string(source_type) + type) != std::string::npos;
    };
    return (key == "Description" && value == note) ||
           (key == xmp_key &&
            (says("trainedAlgorithmicMedia") || says("compositeWithTrainedAlgorithmicMedia")));
  });
}

bool declares_synthetic(const std::filesystem::path& file) {
  try {
    return declares_synthetic(read_png_text(file));
  } catch (const std::runtime_error&) {
    return false;
  }
}

std::optional<Provenance> read_provenance(const PngText& text, const std::string& name) {
  for (const auto& [key, value] : text) {
    if (key != xmp_key || value.find(our_namespace) == std::string::npos) continue;
    check_runtime(declares_synthetic(text), "[provenance] ", name,
                  ": its mark does not say that the image is synthetic");
    Provenance provenance;
    // Attributes stand on lines of their own, so that a blank is in front of each.
    const AttributeReader reader(value, name);
    visit_fields(provenance, [&](const char* field, auto& into) { reader.read(field, into); });
    if (value.find(dermis::text(" dermis:", prompt_key, "=\"")) != std::string::npos)
      reader.read(prompt_key, provenance.prompt);
    return provenance;
  }
  return std::nullopt;
}

std::optional<Provenance> read_provenance(const std::filesystem::path& file) {
  return read_provenance(read_png_text(file), file.string());
}

}  // namespace dermis
