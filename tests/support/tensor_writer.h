#pragma once

#include "core/base/json.h"

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace sg::test {

/// Writes float32 tensors as a safetensors file, for tests that need a file of their own.
inline void writeTensors(const std::filesystem::path &path, const std::map<std::string, torch::Tensor> &tensors,
                         const Json &metadata = Json::object())
{
    Json header = Json::object();
    if (!metadata.empty()) header["__metadata__"] = metadata;
    std::string bytes;
    for (const auto &[name, tensor] : tensors) {
        const torch::Tensor whole = tensor.to(torch::kFloat32).contiguous();
        const std::size_t begin = bytes.size();
        bytes.append(static_cast<const char *>(whole.data_ptr()), whole.nbytes());
        header[name] = {{"dtype", "F32"}, {"shape", whole.sizes().vec()}, {"data_offsets", {begin, bytes.size()}}};
    }
    const std::string text = header.dump();
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    for (int i = 0; i < 8; ++i)
        out.put(static_cast<char>(text.size() >> (8 * i) & 0xff));
    out << text << bytes;
}

}  // namespace sg::test
