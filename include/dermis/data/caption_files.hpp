#pragma once
/// \file
/// Captions beside images, as training programs for text-to-image models read them: NAME.txt beside
/// NAME.jpg (kohya), metadata.jsonl (Hugging Face's image folder), or a CSV.

#include <filesystem>
#include <string>
#include <vector>

namespace dermis {

struct Caption {
  std::filesystem::path image;
  std::string text;
};

/// NAME.txt of every image below `folder` that has one; images without are left out. White space
/// around a text is taken off. Throws std::runtime_error that names the file for a text that is
/// empty, a NAME.txt without an image (listed), a folder without images or without captions.
std::vector<Caption> read_caption_sidecars(const std::filesystem::path& folder);

/// The captions in a CSV with the columns image (or file_name, image_id, ...) and caption or text,
/// or in a .jsonl with file_name and text, of the images below `folder`; names are looked up as
/// read_labelled_folder does. Sorted by image. Throws std::runtime_error that names file and line
/// for other columns, an empty caption, an image listed twice, images that are missing (listed).
std::vector<Caption> read_caption_table(const std::filesystem::path& table,
                                        const std::filesystem::path& folder);

/// `captions` with the text of `given` where that has the same image; images that `captions` lacks
/// are added. Sorted by image.
std::vector<Caption> replaced_captions(const std::vector<Caption>& captions,
                                       const std::vector<Caption>& given);

/// The lines of a text file that are not blank, as prompts. Throws std::runtime_error naming the
/// file if it has none.
std::vector<std::string> read_prompts(const std::filesystem::path& file);

/// Writes NAME.txt beside each image. Like the next, throws std::invalid_argument for an empty text
/// and the errors of write_atomically().
void write_caption_sidecars(const std::vector<Caption>& captions);

/// Writes a CSV (image,caption) or, if it ends in .jsonl, file_name and text a line. Images are
/// named by their path below `folder`, in which they must lie (std::invalid_argument).
void write_caption_table(const std::filesystem::path& table, const std::filesystem::path& folder,
                         const std::vector<Caption>& captions);

}  // namespace dermis
