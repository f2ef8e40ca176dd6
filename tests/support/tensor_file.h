#pragma once

#include "core/modelfile/safetensors.h"

#include <ATen/ops/empty.h>
#include <torch/types.h>

#include <fstream>
#include <map>
#include <stdexcept>
#include <string>

namespace sg::test {

/// The float32, int64 and uint8 tensors of a small safetensors file, read into memory: reference data of parity tests.
/// Errors  throws std::runtime_error when the file, or a tensor that is asked for, is missing.
class TensorFile {
public:
    explicit TensorFile(const std::string &path)
    {
        const Expected<TensorIndex> index = readSafetensors(path);
        if (!index) throw std::runtime_error(path + ": " + index.error().message);
        std::ifstream file(path, std::ios::binary);
        for (const auto &[name, info] : index->tensors()) {
            const std::map<DType, at::ScalarType> known{
                {DType::F32, at::kFloat}, {DType::I64, at::kLong}, {DType::U8, at::kByte}};
            const auto type = known.find(info.dtype);
            if (type == known.end()) throw std::runtime_error(name + " is of a type that tests do not read");
            torch::Tensor tensor = at::empty(info.shape, type->second);
            file.seekg(static_cast<std::streamoff>(info.offset));
            file.read(static_cast<char *>(tensor.data_ptr()), static_cast<std::streamsize>(info.bytes));
            if (!file) throw std::runtime_error(name + " could not be read");
            m_tensors.emplace(name, std::move(tensor));
        }
    }
    const torch::Tensor &at(const std::string &name) const
    {
        const auto it = m_tensors.find(name);
        if (it == m_tensors.end()) throw std::runtime_error("no tensor " + name);
        return it->second;
    }
    const std::map<std::string, torch::Tensor> &all() const { return m_tensors; }

private:
    std::map<std::string, torch::Tensor> m_tensors;
};

/// max|a - b| / max|b|; infinite when the shapes differ or a value is not finite.
inline double relativeError(const torch::Tensor &a, const torch::Tensor &b)
{
    if (a.sizes() != b.sizes() || !a.isfinite().all().item<bool>()) return INFINITY;
    return (a - b).abs().max().item<double>() / b.abs().max().item<double>();
}

}  // namespace sg::test
