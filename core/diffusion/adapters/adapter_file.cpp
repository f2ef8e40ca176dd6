#include "core/diffusion/adapters/adapter_file.h"

#include "core/base/or_throw.h"
#include "core/diffusion/nn/bind.h"
#include "core/modelfile/model_file.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <cstring>
#include <optional>

namespace sg::adapters {
namespace {

/// Beside weights an adapter may hold numbers and switches.
std::optional<torch::ScalarType> scalarType(DType type)
{
    switch (type) {
    case DType::Bool:
        return torch::kBool;
    case DType::U8:
        return torch::kUInt8;
    case DType::I32:
        return torch::kInt32;
    case DType::I64:
        return torch::kInt64;
    default:
        return nn::weightType(type);
    }
}

}  // namespace

AdapterFile::AdapterFile(const std::filesystem::path &path)
    : m_index(orThrow(readModelFile(path))), m_groups(adapterGroups(m_index, m_unknown))
{
    for (const SourceFile &file : m_index.files())
        m_files.push_back(orThrow(nn::MappedFile::open(file.path, file.identity)));
}

torch::Tensor AdapterFile::stored(const TensorInfo &info, const std::string &key,
                                  const std::function<void()> &alive) const
{
    if (!info.parts.empty()) {
        std::vector<torch::Tensor> parts;
        for (const TensorInfo &part : info.parts)
            parts.push_back(stored(part, key, alive));
        return at::cat(parts);
    }
    const std::optional<torch::ScalarType> type = scalarType(info.dtype);
    if (!type)
        throw Failure{
            {ErrorCode::UnusableFile, "has type " + std::string(dtypeName(info.dtype)) + ", which no weight has", key}};
    const nn::MappedFile &file = *m_files.at(info.file);
    const std::uint64_t span = info.span();
    if (info.offset + span > file.size())
        throw Failure{{ErrorCode::ModelChanged, "lies beyond the end of the file", key}};
    file.await(info.offset, span, alive);
    torch::Tensor bytes = at::empty({static_cast<std::int64_t>(span)}, torch::kByte);
    if (span > 0) std::memcpy(bytes.data_ptr(), file.data() + info.offset, span);
    const torch::Tensor row = bytes.view(*type);
    return (info.strides.empty() ? row.view(info.shape) : row.as_strided(info.shape, info.strides)).to(torch::kFloat32);
}

torch::Tensor AdapterFile::read(const std::string &key) const
{
    const TensorInfo *info = m_index.find(key);
    if (!info) throw Failure{{ErrorCode::UnusableFile, "is missing", key}};
    return stored(*info, key, {});
}

Parts AdapterFile::read(const AdapterGroup &group, const std::function<void()> &alive) const
{
    Parts parts;
    for (const auto &[part, key] : group.parts)
        parts.emplace(part, stored(*m_index.find(key), key, alive));
    return parts;
}

void AdapterFile::requireUnchanged() const
{
    for (const auto &file : m_files)
        if (!file->unchanged())
            throw Failure{{ErrorCode::ModelChanged, "the file changed while it was being read", m_index.path()}};
}

}  // namespace sg::adapters
