#pragma once

#include "core/base/expected.h"
#include "core/modelfile/tensor_index.h"

#include <filesystem>
#include <string_view>

namespace sg {

/// The container, by its content: a file's first bytes, or a folder's model_index.json.
enum class ModelFormat {
    Safetensors,
    TorchZip,     ///< .ckpt, .pt, .pth, .bin since torch 1.6
    TorchLegacy,  ///< before: pickles with the weights behind them
    Diffusers,    ///< a folder with model_index.json
    Gguf,         ///< told apart, not read yet
    Unknown
};

/// "safetensors", "torch zip", "torch legacy", "diffusers folder", "GGUF", "unknown".
std::string_view modelFormatName(ModelFormat format);

/// From the first 16 bytes (or fewer, in a shorter file).
ModelFormat modelFormat(std::string_view firstBytes);
/// Reads 16 bytes and no more. Errors  NotFound; UnusableFile for what cannot be read.
Expected<ModelFormat> modelFormat(const std::filesystem::path &path);

/// The one way into the tensors of a model, a file or a diffusers folder: names as the file has them, types, shapes and
/// places. Reads headers with pread, maps nothing, executes nothing. Errors  NotFound; UnusableFile with the rule that
/// is broken; subject = the path.
Expected<TensorIndex> readModelFile(const std::filesystem::path &path);

}  // namespace sg
