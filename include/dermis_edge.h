/** \file
 * C API of dermis::edge, for Swift, Kotlin, Python and whatever else calls C. Nothing is thrown: a
 * function that can fail returns 0 for success and -1 otherwise, and dermis_edge_error() then says
 * why. A model is not for two threads at once; two models are. docs/edge.md shows the calls.
 */
#ifndef DERMIS_EDGE_H
#define DERMIS_EDGE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define DERMIS_EDGE_API __attribute__((visibility("default")))
#else
#define DERMIS_EDGE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Of this header; dermis_edge_abi() is that of the library. They must be equal. */
#define DERMIS_EDGE_ABI 1

/** A loaded model. */
typedef struct dermis_edge dermis_edge;

/** What a model says of an image. The arrays belong to the model: valid until its next call. */
typedef struct dermis_edge_answer {
  int32_t best;               /**< the most probable class */
  int32_t abstained;          /**< 1: not sure enough to say so */
  int32_t exit;               /**< which head answered, 0 the first */
  int32_t reserved;           /**< 0 */
  const float* probabilities; /**< [classes] */
  const uint8_t* flagged;     /**< [classes] 1: reached the threshold of its class */
  const float* attention;     /**< [grid, grid] where the network looked */
} dermis_edge_answer;

DERMIS_EDGE_API int32_t dermis_edge_abi(void);

/** Why the last call of this thread failed, as one line; "" if none did. Valid until its next. */
DERMIS_EDGE_API const char* dermis_edge_error(void);

/** Loads an edge file. `kernels`: an instruction set by name, or NULL for the best. */
DERMIS_EDGE_API int32_t dermis_edge_load(const char* path, int32_t threads, const char* kernels,
                         dermis_edge** model);
/** Frees a model; NULL is allowed. */
DERMIS_EDGE_API void dermis_edge_free(dermis_edge* model);

DERMIS_EDGE_API int32_t dermis_edge_class_count(const dermis_edge* model);
/** UTF-8; NULL if there is no class of that number. Valid as long as the model. */
DERMIS_EDGE_API const char* dermis_edge_class_name(const dermis_edge* model, int32_t index);
DERMIS_EDGE_API int32_t dermis_edge_image_size(const dermis_edge* model); /**< side of what the network sees */
DERMIS_EDGE_API int32_t dermis_edge_grid(const dermis_edge* model);       /**< side of the attention map */
DERMIS_EDGE_API int32_t dermis_edge_exits(const dermis_edge* model);      /**< heads */
DERMIS_EDGE_API int64_t dermis_edge_memory(const dermis_edge* model);     /**< bytes of weights and activations */
DERMIS_EDGE_API const char* dermis_edge_kernels(const dermis_edge* model);

/** An upright 8-bit sRGB image of any size, `row_bytes` from row to row. */
DERMIS_EDGE_API int32_t dermis_edge_predict(dermis_edge* model, const uint8_t* rgb, int64_t width, int64_t height,
                            int64_t row_bytes, dermis_edge_answer* answer);
/** Normalised pixels [3, image_size, image_size]. */
DERMIS_EDGE_API int32_t dermis_edge_predict_pixels(dermis_edge* model, const float* pixels,
                                   dermis_edge_answer* answer);
/** The logits of all heads, [exits, classes], for normalised pixels. */
DERMIS_EDGE_API int32_t dermis_edge_logits(dermis_edge* model, const float* pixels, float* logits);

/** Compares a file's SHA-256; `digest` receives 64 digits and a NUL. */
DERMIS_EDGE_API int32_t dermis_edge_verify(const char* path, char digest[65]);

#ifdef __cplusplus
}
#endif

#endif
