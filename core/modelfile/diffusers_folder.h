#pragma once

#include "core/base/expected.h"
#include "core/modelfile/tensor_index.h"

#include <filesystem>

namespace sg {

/// The file that makes a folder a model.
inline constexpr const char *kModelIndex = "model_index.json";

/// Reads a folder as diffusers saves pipelines: model_index.json names the parts (unet, vae, text_encoder,
/// text_encoder_2), each a folder with safetensors or torch files, alone or in shards with an index. Names become
/// "<part>.<name>". What the parts' config.json say and shapes cannot becomes metadata (serigraph.*, modelspec.*).
/// Errors  UnusableFile with the rule that is broken, and which file; subject = the path.
Expected<TensorIndex> readDiffusersFolder(const std::filesystem::path &folder);

}  // namespace sg
