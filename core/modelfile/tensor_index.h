#pragma once

#include "core/modelfile/file_identity.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sg {

/// Element types of the safetensors format.
enum class DType {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    BF16,
    F32,
    F64,
    C64,
    F8_E4M3,
    F8_E5M2,
    F8_E4M3FNUZ,
    F8_E5M2FNUZ,
    F8_E8M0,
    F6_E2M3,
    F6_E3M2,
    F4,
};

/// The name in a safetensors header: "F16", "BF16", "F8_E4M3", …
std::string_view dtypeName(DType type);
std::optional<DType> dtypeFromName(std::string_view name);
/// Bits of one element (4 and 6 exist).
int dtypeBits(DType type);

/// Where a tensor lies in its file, and what it is. Row-major, little-endian.
struct TensorInfo {
    DType dtype = DType::F32;
    std::vector<std::int64_t> shape;
    std::uint64_t offset = 0;  ///< from the start of the file
    std::uint64_t bytes = 0;

    std::int64_t elements() const;
    bool operator==(const TensorInfo &) const = default;
};

/// The names, types, shapes and places of all tensors of one file. Holds no weights.
class TensorIndex {
public:
    using Tensors = std::map<std::string, TensorInfo, std::less<>>;
    using Metadata = std::map<std::string, std::string, std::less<>>;

    TensorIndex() = default;
    TensorIndex(std::string path, std::uint64_t fileSize, Metadata metadata, Tensors tensors);

    const std::string &path() const { return m_path; }
    std::uint64_t fileSize() const { return m_fileSize; }
    const Metadata &metadata() const { return m_metadata; }
    const Tensors &tensors() const { return m_tensors; }
    /// Of the file that the header was read from; all zero when it came from memory.
    const FileIdentity &identity() const { return m_identity; }
    void setSource(std::string path, const FileIdentity &identity);

    const TensorInfo *find(std::string_view name) const;
    bool contains(std::string_view name) const { return find(name) != nullptr; }
    /// Whether any name begins with `prefix`.
    bool hasPrefix(std::string_view prefix) const;
    /// Size of dimension `axis` of `name`, or -1 when either is not there.
    std::int64_t dim(std::string_view name, std::size_t axis) const;
    /// Number of dimensions of `name`, or -1.
    int rank(std::string_view name) const;
    /// The metadata's value, or an empty text.
    std::string_view meta(std::string_view key) const;

private:
    std::string m_path;
    std::uint64_t m_fileSize = 0;
    FileIdentity m_identity;
    Metadata m_metadata;
    Tensors m_tensors;
};

}  // namespace sg
