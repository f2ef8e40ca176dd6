#pragma once

#include "core/modelfile/tensor_index.h"

#include <string>
#include <string_view>
#include <vector>

namespace sg {

struct NameOptions {
    bool preferEma = false;  ///< take model_ema.* for the UNet's weights where the file has them
};

/// The same tensors under the names of the single-file checkpoints (LDM, SGM), so that networks need to know no other:
/// model.diffusion_model.*, first_stage_model.*, and for text cond_stage_model.transformer.text_model.* (SD1),
/// cond_stage_model.model.* (SD2), conditioner.embedders.N.* (SDXL). Understands the names of diffusers (a UNet, an
/// autoencoder and text encoders, alone or below "unet.", "vae.", "text_encoder.", "text_encoder_2."), of transformers'
/// CLIP and of OpenCLIP. What it does not know keeps its name, and so does a file that is no checkpoint, autoencoder or
/// text encoder. Shapes   of 1x1 convolutions that diffusers writes as matrices become those of the single files;
/// OpenCLIP's in_proj is made of
///          three parts.
TensorIndex canonicalNames(const TensorIndex &index, const NameOptions &options = {});

/// The name inside the single file's network for diffusers' name inside its own; empty for what it does not know.
class DiffusersNames {
public:
    /// `prefix`: what stands in front of the UNet's or autoencoder's names in `index`.
    static DiffusersNames ofUnet(const TensorIndex &index, const std::string &prefix);
    static DiffusersNames ofVae(const TensorIndex &index, const std::string &prefix);

    std::string unet(std::string_view name) const;
    std::string vae(std::string_view name) const;

private:
    int m_perBlock = 2;               // residual blocks in each block on the way down
    int m_levels = 4;                 // of the autoencoder
    std::vector<bool> m_upAttention;  // of the UNet's blocks on the way up
};

/// The name inside an OpenCLIP text encoder for transformers' (text_model.*, text_projection.weight); empty for what it
/// does not know and for the q, k and v that in_proj is made of.
std::string openClipName(std::string_view name);

}  // namespace sg
