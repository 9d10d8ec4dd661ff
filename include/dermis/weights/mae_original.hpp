#pragma once
/// \file
/// Files of facebookresearch/mae: the whole autoencoder, its encoder alone, and fine-tuned
/// classifiers. Read only; `.pth` files must be converted to safetensors first (docs/weights.md).

#include "dermis/models/mae.hpp"
#include "dermis/weights/key_map.hpp"

namespace dermis {

/// Tensors of a MaskedAutoencoderViT (models_mae.py) with its decoder, for our MAE.
/// \param source  usually the file, named in errors
/// \throws std::runtime_error naming the unknown tensors and, if it can be told, whose file it is;
///         also if the file has no decoder (then vit_from_mae_original reads it)
StateDict mae_from_mae_original(const StateDict& tensors, const std::string& source = "weights");

/// Tensors for our ViT: of a pre-trained encoder without decoder (`norm`, no head), or of a
/// fine-tuned VisionTransformer (models_vit.py) with `fc_norm` (global_pool: mean_pooling) or
/// `norm` (class token).
/// \throws std::runtime_error as above
StateDict vit_from_mae_original(const StateDict& tensors, const std::string& source = "weights");

/// Options from the arguments of the repository's classes, which its files do not hold: img_size,
/// patch_size, embed_dim, depth, num_heads, mlp_ratio, for the MAE also decoder_embed_dim,
/// decoder_depth, decoder_num_heads, norm_pix_loss and mask_ratio, for the ViT also num_classes,
/// global_pool and drop_path_rate. What is missing has the class's default; other keys are not
/// read. Eps of the norms is 1e-6, as the repository's model functions set it.
/// \throws std::runtime_error for an image or patch that is not square
MAEOptions mae_options_from_mae_original(const Json& arguments);
ViTOptions vit_options_from_mae_original(const Json& arguments);

}  // namespace dermis
