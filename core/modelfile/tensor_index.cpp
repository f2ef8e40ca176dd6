#include "core/modelfile/tensor_index.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sg {
namespace {

struct DTypeRow {
    DType type;
    std::string_view name;
    int bits;
};

constexpr std::array<DTypeRow, 22> kDTypes{{
    {DType::Bool, "BOOL", 8},
    {DType::U8, "U8", 8},
    {DType::I8, "I8", 8},
    {DType::U16, "U16", 16},
    {DType::I16, "I16", 16},
    {DType::U32, "U32", 32},
    {DType::I32, "I32", 32},
    {DType::U64, "U64", 64},
    {DType::I64, "I64", 64},
    {DType::F16, "F16", 16},
    {DType::BF16, "BF16", 16},
    {DType::F32, "F32", 32},
    {DType::F64, "F64", 64},
    {DType::C64, "C64", 64},
    {DType::F8_E4M3, "F8_E4M3", 8},
    {DType::F8_E5M2, "F8_E5M2", 8},
    {DType::F8_E4M3FNUZ, "F8_E4M3FNUZ", 8},
    {DType::F8_E5M2FNUZ, "F8_E5M2FNUZ", 8},
    {DType::F8_E8M0, "F8_E8M0", 8},
    {DType::F6_E2M3, "F6_E2M3", 6},
    {DType::F6_E3M2, "F6_E3M2", 6},
    {DType::F4, "F4", 4},
}};

const DTypeRow &row(DType type)
{
    for (const DTypeRow &known : kDTypes)
        if (known.type == type) return known;
    return kDTypes.front();
}

}  // namespace

std::string_view dtypeName(DType type)
{
    return row(type).name;
}

std::optional<DType> dtypeFromName(std::string_view name)
{
    for (const DTypeRow &known : kDTypes)
        if (known.name == name) return known.type;
    return std::nullopt;
}

int dtypeBits(DType type)
{
    return row(type).bits;
}

std::int64_t TensorInfo::elements() const
{
    std::int64_t count = 1;
    for (const std::int64_t size : shape)
        count *= size;
    return count;
}

std::uint64_t TensorInfo::span() const
{
    if (!parts.empty() || bytes == 0) return 0;
    if (strides.empty()) return bytes;
    std::int64_t last = 0;
    for (std::size_t i = 0; i < shape.size(); ++i)
        last += (shape[i] - 1) * strides[i];
    return (static_cast<std::uint64_t>(last) + 1) * static_cast<std::uint64_t>(dtypeBits(dtype)) / 8;
}

TensorInfo TensorInfo::rows(std::int64_t begin, std::int64_t end) const
{
    TensorInfo part = *this;
    const std::int64_t all = std::max<std::int64_t>(shape.at(0), 1);
    const std::int64_t step = strides.empty() ? elements() / all : strides.at(0);
    part.offset += static_cast<std::uint64_t>(begin * step * dtypeBits(dtype) / 8);
    part.bytes = bytes / static_cast<std::uint64_t>(all) * static_cast<std::uint64_t>(end - begin);
    part.shape[0] = end - begin;
    return part;
}

TensorInfo TensorInfo::transposed() const
{
    TensorInfo turned = *this;
    turned.strides = strides.empty() ? std::vector<std::int64_t>{shape.at(1), 1} : strides;
    std::swap(turned.shape.at(0), turned.shape.at(1));
    std::swap(turned.strides.at(0), turned.strides.at(1));
    return turned;
}

TensorIndex::TensorIndex(std::string path, std::uint64_t fileSize, Metadata metadata, Tensors tensors)
    : m_path(std::move(path)), m_fileSize(fileSize), m_metadata(std::move(metadata)), m_tensors(std::move(tensors))
{
}

void TensorIndex::setSource(std::string path, const FileIdentity &identity)
{
    setSources(path, identity, {{path, identity}});
}

void TensorIndex::setSources(std::string path, const FileIdentity &identity, std::vector<SourceFile> files)
{
    m_path = std::move(path);
    m_identity = identity;
    m_files = std::move(files);
}

const TensorInfo *TensorIndex::find(std::string_view name) const
{
    const auto it = m_tensors.find(name);
    return it == m_tensors.end() ? nullptr : &it->second;
}

bool TensorIndex::hasPrefix(std::string_view prefix) const
{
    const auto it = m_tensors.lower_bound(prefix);
    return it != m_tensors.end() && it->first.starts_with(prefix);
}

std::int64_t TensorIndex::dim(std::string_view name, std::size_t axis) const
{
    const TensorInfo *tensor = find(name);
    return tensor && axis < tensor->shape.size() ? tensor->shape[axis] : -1;
}

int TensorIndex::rank(std::string_view name) const
{
    const TensorInfo *tensor = find(name);
    return tensor ? static_cast<int>(tensor->shape.size()) : -1;
}

std::string_view TensorIndex::meta(std::string_view key) const
{
    const auto it = m_metadata.find(key);
    return it == m_metadata.end() ? std::string_view() : std::string_view(it->second);
}

}  // namespace sg
