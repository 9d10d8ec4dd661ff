#pragma once
/// \file
/// Text encoders of a published kind, small, in the folders of a pipeline.

#include "dermis/train/text_embeddings.hpp"
#include "folder.hpp"
#include "support.hpp"
#include "text_folders.hpp"

namespace dermis::test {

/// A pipeline's folder with the tokenizers of the parity data and small encoders for them.
struct Pipeline : ScratchFolder {
  T5Options t5 = small_t5();
  ClipTextOptions clip = small_clip();

  Pipeline() { write(); }
  void write() const { write_text_folders(path(), t5, clip); }
  TextEncoderFolders folders() const { return text_encoders_in(path()); }
};

}  // namespace dermis::test
