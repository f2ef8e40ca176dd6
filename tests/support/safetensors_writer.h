#pragma once

#include "core/base/json.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

/// Writes small, real safetensors files for tests: the tensors are zeros, the names and shapes are what counts.
namespace sg::test {

struct TensorShape {
    std::string name;
    std::vector<std::int64_t> shape;
};

inline void writeSafetensors(const std::filesystem::path &path, const std::vector<TensorShape> &tensors,
                             const Json &metadata = Json::object())
{
    Json header = Json::object();
    if (!metadata.empty()) header["__metadata__"] = metadata;
    std::uint64_t offset = 0;
    for (const TensorShape &tensor : tensors) {
        std::uint64_t bytes = 2;
        for (const std::int64_t size : tensor.shape)
            bytes *= static_cast<std::uint64_t>(size);
        header[tensor.name] = {{"dtype", "F16"}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + bytes}}};
        offset += bytes;
    }
    const std::string text = header.dump();
    const std::uint64_t length = text.size();
    std::filesystem::create_directories(path.parent_path());
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    for (int i = 0; i < 8; ++i)
        out.put(static_cast<char>(length >> (8 * i) & 0xff));
    out << text << std::string(offset, '\0');
}

/// Tells itself apart as an SD1 checkpoint; `width` makes files of different bytes.
inline void writeCheckpoint(const std::filesystem::path &path, std::int64_t width = 8)
{
    writeSafetensors(path,
                     {{"model.diffusion_model.input_blocks.0.0.weight", {width, 4, 3, 3}},
                      {"cond_stage_model.transformer.text_model.embeddings.token_embedding.weight", {4, 8}},
                      {"first_stage_model.decoder.conv_in.weight", {8, 4, 3, 3}}},
                     {{"modelspec.title", path.stem().string()}});
}

inline void writeLora(const std::filesystem::path &path, std::int64_t rank = 2)
{
    writeSafetensors(
        path, {{"lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight", {rank, 768}},
               {"lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight", {8, rank}}});
}

inline void writeVae(const std::filesystem::path &path)
{
    writeSafetensors(path, {{"encoder.conv_in.weight", {8, 3, 3, 3}}, {"decoder.conv_in.weight", {8, 4, 3, 3}}});
}

inline void writeEmbedding(const std::filesystem::path &path)
{
    writeSafetensors(path, {{"emb_params", {2, 768}}});
}

}  // namespace sg::test
