#include "dermis/train/encoder.hpp"

#include "dermis/io/tensors.hpp"
#include "dermis/train/classifier.hpp"
#include "dermis/train/masked.hpp"

namespace dermis {

Encoder load_encoder(const std::filesystem::path& path, at::Device device) {
  const auto architecture = read_model_file(path, "").architecture;
  if (architecture == "mae") return load_mae(path, device).encoder();
  if (architecture == "vit") return load_classifier(path, device).encoder();
  check_runtime(false, "[encoder] ", path.string(), ": expected architecture mae or vit, got ",
                architecture);
  return {};
}

}  // namespace dermis
