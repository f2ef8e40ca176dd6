#pragma once

#include "core/base/expected.h"
#include "core/modelfile/tensor_index.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace sg {

/// Bounds of one pickle. With these a hostile one costs less than 100 MB and a second.
inline constexpr std::size_t kMaxPickleBytes = 16u << 20;
inline constexpr std::size_t kMaxPickleOpcodes = 1u << 20;
inline constexpr std::size_t kMaxPickleContainers = 1u << 19;
inline constexpr std::size_t kMaxPickleMemo = 1u << 19;
inline constexpr std::size_t kMaxPickleTensors = 200'000;
inline constexpr std::size_t kMaxPickleDepth = 1000;
inline constexpr std::size_t kMaxPickleInteger = 16;  ///< bytes

/// A block of elements that tensors are cut from; its bytes lie elsewhere in the file.
struct PickledStorage {
    std::optional<DType> dtype;  ///< none: elements are bytes
    std::string_view key;
    std::uint64_t elements = 0;
};

/// A tensor, known to lie inside its storage.
struct PickledTensor {
    std::uint32_t storage = 0;
    DType dtype = DType::F32;
    std::uint64_t offset = 0;  ///< in elements
    std::vector<std::int64_t> shape;
    std::vector<std::int64_t> strides;  ///< in elements; empty: row-major
};

/// One Python pickle, read by an interpreter that knows the opcodes of torch.save and the names of pickleNames(), and
/// builds numbers, texts, containers and tensor descriptions. It imports, calls and executes nothing.
/// Keep the bytes: texts point into them.
class Pickle {
public:
    enum class Kind : std::uint8_t {
        None,
        Bool,
        Int,
        Real,
        Text,
        Bytes,
        Tuple,
        List,
        Dict,
        Name,
        Storage,
        Tensor,
        Opaque
    };
    using Ref = std::uint32_t;

    /// Reads the pickle that `bytes` begin with.
    /// Errors  UnusableFile: the forbidden name or opcode, the limit, or the rule that is broken, and at which byte.
    static Expected<Pickle> read(std::string_view bytes);

    std::size_t consumed() const { return m_consumed; }
    Ref root() const { return m_root; }
    Kind kind(Ref value) const { return m_nodes[value].kind; }
    /// Of Bool and Int.
    std::int64_t integer(Ref value) const { return m_nodes[value].integer; }
    double real(Ref value) const { return m_nodes[value].real; }
    /// Of Text and Bytes.
    std::string_view text(Ref value) const { return {m_nodes[value].text, m_nodes[value].size}; }
    /// Of Tuple and List; of Dict key, value, key, value …
    std::span<const Ref> items(Ref value) const { return m_lists[static_cast<std::size_t>(m_nodes[value].integer)]; }
    const PickledTensor &tensor(Ref value) const { return m_tensors[static_cast<std::size_t>(m_nodes[value].integer)]; }
    /// The last value of `key` in a Dict.
    std::optional<Ref> find(Ref dict, std::string_view key) const;
    const std::vector<PickledStorage> &storages() const { return m_storages; }
    const std::vector<PickledTensor> &tensors() const { return m_tensors; }

private:
    friend class PickleMachine;
    struct Node {
        Kind kind = Kind::None;
        std::uint8_t flag = 0;    // of Dict: it stands for a ParameterDict; of Bytes: still written as UTF-8
        std::uint16_t depth = 0;  // of containers: how deep what they hold was nested when it was put in
        std::uint32_t size = 0;   // of texts
        union {
            std::int64_t integer = 0;  // also the place in m_lists, m_storages, m_tensors, pickleNames()
            double real;
            const char *text;
        };
    };
    std::vector<Node> m_nodes;
    std::vector<std::vector<Ref>> m_lists;
    std::vector<PickledStorage> m_storages;
    std::vector<PickledTensor> m_tensors;
    std::size_t m_consumed = 0;
    Ref m_root = 0;
};

}  // namespace sg
