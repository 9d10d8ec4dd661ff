#include <cstring>
#include <exception>
#include <new>
#include <string>

#include "dermis/core/check.hpp"
#include "dermis/edge/file.hpp"
#include "dermis/edge/model.hpp"
#include "dermis_edge.h"

struct dermis_edge {
  dermis::edge::Model model;
};

namespace {

thread_local std::string last_error;

/// Calls `body`; what it throws becomes -1 and a message.
template <class Body>
std::int32_t guarded(const Body& body) noexcept {
  try {
    last_error.clear();
    body();
    return 0;
  } catch (const std::exception& error) {
    try {
      last_error = error.what();
    } catch (...) {  // out of memory: the code alone has to do
    }
  } catch (...) {
  }
  return -1;
}

template <class... Pointers>
void check_pointers(const Pointers*... pointers) {
  dermis::check_argument(((pointers != nullptr) && ...), "[edge] expected pointers, got NULL");
}

void fill(dermis_edge_answer& answer, const dermis::edge::Prediction& prediction) {
  answer = {};
  answer.best = prediction.best;
  answer.abstained = prediction.abstained ? 1 : 0;
  answer.exit = prediction.exit;
  answer.probabilities = prediction.probabilities.data();
  answer.flagged = prediction.flagged.data();
  answer.attention = prediction.attention.data();
}

dermis::ImageView view_of(const std::uint8_t* rgb, std::int64_t width, std::int64_t height,
                          std::int64_t row_bytes) {
  constexpr std::int64_t max_side = 65536;
  dermis::check_argument(width >= 1 && height >= 1 && width <= max_side && height <= max_side,
                         "[edge] expected an image of 1 x 1 to ", max_side, " x ", max_side,
                         ", got ", width, " x ", height);
  dermis::check_argument(row_bytes >= 3 * width, "[edge] expected at least ", 3 * width,
                         " bytes a row, got ", row_bytes);
  return {rgb, width, height, row_bytes};
}

}  // namespace

extern "C" {

int32_t dermis_edge_abi(void) {
  return DERMIS_EDGE_ABI;
}

const char* dermis_edge_error(void) {
  return last_error.c_str();
}

int32_t dermis_edge_load(const char* path, int32_t threads, const char* kernels,
                         dermis_edge** model) {
  return guarded([&] {
    check_pointers(path, model);
    *model = nullptr;
    dermis::edge::ModelOptions options;
    options.threads = threads;
    if (kernels) options.kernels = kernels;
    *model = new dermis_edge{dermis::edge::Model(path, options)};
  });
}

void dermis_edge_free(dermis_edge* model) {
  delete model;
}

int32_t dermis_edge_class_count(const dermis_edge* model) {
  return static_cast<int32_t>(model->model.manifest().classes.size());
}
const char* dermis_edge_class_name(const dermis_edge* model, int32_t index) {
  const auto& classes = model->model.manifest().classes;
  const bool known = index >= 0 && static_cast<std::size_t>(index) < classes.size();
  return known ? classes[static_cast<std::size_t>(index)].c_str() : nullptr;
}
int32_t dermis_edge_image_size(const dermis_edge* model) {
  return static_cast<int32_t>(model->model.manifest().network.image_size);
}
int32_t dermis_edge_grid(const dermis_edge* model) {
  return static_cast<int32_t>(model->model.manifest().network.grid());
}
int32_t dermis_edge_exits(const dermis_edge* model) {
  return static_cast<int32_t>(model->model.manifest().network.exits());
}
int64_t dermis_edge_memory(const dermis_edge* model) {
  return static_cast<int64_t>(model->model.memory_bytes());
}
const char* dermis_edge_kernels(const dermis_edge* model) {
  return model->model.kernels();
}

int32_t dermis_edge_predict(dermis_edge* model, const uint8_t* rgb, int64_t width, int64_t height,
                            int64_t row_bytes, dermis_edge_answer* answer) {
  return guarded([&] {
    check_pointers(model, rgb, answer);
    fill(*answer, model->model.predict(view_of(rgb, width, height, row_bytes)));
  });
}

int32_t dermis_edge_predict_pixels(dermis_edge* model, const float* pixels,
                                   dermis_edge_answer* answer) {
  return guarded([&] {
    check_pointers(model, pixels, answer);
    fill(*answer, model->model.predict(pixels));
  });
}

int32_t dermis_edge_logits(dermis_edge* model, const float* pixels, float* logits) {
  return guarded([&] {
    check_pointers(model, pixels, logits);
    const auto& values = model->model.logits(pixels);
    std::memcpy(logits, values.data(), values.size() * sizeof(float));
  });
}

int32_t dermis_edge_verify(const char* path, char digest[65]) {
  return guarded([&] {
    check_pointers(path, digest);
    const std::string digits = dermis::edge::verify(path);
    std::memcpy(digest, digits.c_str(), 65);
  });
}

}  // extern "C"
