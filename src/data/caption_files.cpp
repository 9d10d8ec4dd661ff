#include "dermis/data/caption_files.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"
#include "dermis/core/json.hpp"
#include "dermis/io/csv.hpp"
#include "image_index.hpp"
#include "labels.hpp"

namespace dermis {
namespace {

namespace fs = std::filesystem;

std::string trimmed(const std::string& text) {
  constexpr const char* space = " \t\r\n";
  const auto first = text.find_first_not_of(space);
  return first == std::string::npos ? ""
                                    : text.substr(first, text.find_last_not_of(space) - first + 1);
}

/// The column or key of the captions.
std::string caption_column(const fs::path& table) {
  if (table.extension() == ".jsonl") return "text";
  return read_csv(table).column("caption") >= 0 ? "caption" : "text";
}

void check_texts(const std::vector<Caption>& captions) {
  for (const auto& caption : captions)
    check_argument(!trimmed(caption.text).empty(), "[captions] expected a caption for ",
                   caption.image.string(), ", got an empty text");
}

/// NAME.txt files below `folder` whose image is not there.
std::vector<std::string> without_image(const fs::path& folder, const std::set<fs::path>& sidecars) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".txt" && sidecars.count(entry.path()) == 0)
      names.push_back(entry.path().lexically_relative(folder).generic_string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

std::vector<Caption> read_caption_sidecars(const fs::path& folder) {
  const detail::ImageIndex images(folder);
  std::vector<Caption> captions;
  std::set<fs::path> sidecars;
  for (const auto& image : images.paths()) {
    fs::path sidecar = image;
    sidecar.replace_extension(".txt");
    if (!fs::exists(sidecar)) continue;
    check_runtime(sidecars.insert(sidecar).second, "[captions] ", sidecar.string(),
                  ": expected one image of that name beside it, got several");
    captions.push_back({image, trimmed(read_file(sidecar))});
    check_runtime(!captions.back().text.empty(), "[captions] ", sidecar.string(),
                  ": expected a caption, got an empty file");
  }
  const auto lost = without_image(folder, sidecars);
  check_runtime(lost.empty(), "[captions] ", folder.string(), ": expected an image beside each of ",
                lost.size(), " caption files: ", detail::first_few(lost));
  check_runtime(!captions.empty(), "[captions] ", folder.string(),
                ": expected NAME.txt beside the images, got none");
  return captions;
}

std::vector<Caption> read_caption_table(const fs::path& table, const fs::path& folder) {
  const auto rows = detail::read_labels(table, caption_column(table));
  const detail::ImageIndex images(folder);
  std::map<std::size_t, Caption> captions;
  std::vector<std::string> missing;
  for (const auto& row : rows.rows) {
    const auto image = images.find(row.image, rows.where(row));
    if (!image) {
      missing.push_back(text(row.image, " (line ", row.line, ")"));
      continue;
    }
    const bool first = captions.emplace(*image, Caption{images.paths()[*image], row.label}).second;
    check_runtime(first, "[captions] ", rows.where(row), ": expected each image once, got ",
                  row.image, " again");
  }
  check_runtime(missing.empty(), "[captions] ", rows.source, ": ", missing.size(), " of ",
                rows.rows.size(), " captioned images are not in ", folder.string(), ": ",
                detail::first_few(missing));
  std::vector<Caption> sorted;
  for (auto& entry : captions) sorted.push_back(std::move(entry.second));
  return sorted;
}

std::vector<Caption> replaced_captions(const std::vector<Caption>& captions,
                                       const std::vector<Caption>& given) {
  std::map<fs::path, std::string> texts;
  for (const auto& caption : captions) texts[caption.image] = caption.text;
  for (const auto& caption : given) texts[caption.image] = caption.text;
  std::vector<Caption> result;
  for (auto& [image, words] : texts) result.push_back({image, std::move(words)});
  return result;
}

std::vector<std::string> read_prompts(const fs::path& file) {
  std::istringstream lines(read_file(file));
  std::vector<std::string> prompts;
  for (std::string line; std::getline(lines, line);)
    if (auto prompt = trimmed(line); !prompt.empty()) prompts.push_back(std::move(prompt));
  check_runtime(!prompts.empty(), "[captions] ", file.string(),
                ": expected a line a prompt, got none");
  return prompts;
}

void write_caption_sidecars(const std::vector<Caption>& captions) {
  check_texts(captions);
  for (const auto& caption : captions) {
    fs::path sidecar = caption.image;
    write_atomically(sidecar.replace_extension(".txt"), caption.text + '\n');
  }
}

void write_caption_table(const fs::path& table, const fs::path& folder,
                         const std::vector<Caption>& captions) {
  check_texts(captions);
  const bool lines = table.extension() == ".jsonl";
  std::string content = lines ? "" : "image,caption\n";
  for (const auto& caption : captions) {
    const std::string name = caption.image.lexically_relative(folder).generic_string();
    check_argument(!name.empty() && name.rfind("..", 0) != 0, "[captions] expected images in ",
                   folder.string(), ", got ", caption.image.string());
    content += lines ? Json::object({{"file_name", name}, {"text", caption.text}}).dump()
                     : csv_line({name, caption.text});
    content += '\n';
  }
  write_atomically(table, content);
}

}  // namespace dermis
