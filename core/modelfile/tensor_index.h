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

/// Where a tensor lies in which file, and what it is. Little-endian.
struct TensorInfo {
    DType dtype = DType::F32;
    std::vector<std::int64_t> shape = {};
    std::uint64_t offset = 0;                ///< of its first element, from the start of the file
    std::uint64_t bytes = 0;                 ///< of its elements, wherever they lie
    std::uint32_t file = 0;                  ///< place in TensorIndex::files()
    std::vector<std::int64_t> strides = {};  ///< in elements; empty: row-major
    std::vector<TensorInfo> parts = {};      ///< if any: it is these, one after the other along dimension 0

    std::int64_t elements() const;
    /// Whether its bytes lie in one piece in row-major order: what a safetensors file holds.
    bool isPlain() const { return strides.empty() && parts.empty(); }
    /// Bytes of the file from `offset` to the end of its last element; 0 when it has parts.
    std::uint64_t span() const;
    /// Rows begin … end-1 of a tensor without parts.
    TensorInfo rows(std::int64_t begin, std::int64_t end) const;
    /// A matrix with its two dimensions exchanged.
    TensorInfo transposed() const;
    bool operator==(const TensorInfo &) const = default;
};

/// A file that tensors lie in, and its state when its header was read.
struct SourceFile {
    std::string path;
    FileIdentity identity;
};

/// The names, types, shapes and places of all tensors of a model, which is one file or several. Holds no weights.
class TensorIndex {
public:
    using Tensors = std::map<std::string, TensorInfo, std::less<>>;
    using Metadata = std::map<std::string, std::string, std::less<>>;

    TensorIndex() = default;
    TensorIndex(std::string path, std::uint64_t fileSize, Metadata metadata, Tensors tensors);

    const std::string &path() const { return m_path; }
    /// Of its files together.
    std::uint64_t fileSize() const { return m_fileSize; }
    const Metadata &metadata() const { return m_metadata; }
    const Tensors &tensors() const { return m_tensors; }
    /// The files that TensorInfo::file counts; empty when the header came from memory.
    const std::vector<SourceFile> &files() const { return m_files; }
    /// Of the file, or of the folder as fileIdentity() tells it; all zero when the header came from memory.
    const FileIdentity &identity() const { return m_identity; }
    void setSource(std::string path, const FileIdentity &identity);
    void setSources(std::string path, const FileIdentity &identity, std::vector<SourceFile> files);

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
    std::vector<SourceFile> m_files;
    Metadata m_metadata;
    Tensors m_tensors;
};

}  // namespace sg
