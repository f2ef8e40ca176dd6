#pragma once

#include "core/modelfile/tensor_index.h"

#include <optional>
#include <span>
#include <string_view>

namespace sg {

/// What a name that a pickle may use stands for here. Nothing is imported: each is built or ignored by our own code.
enum class PickleRole {
    Dict,              ///< OrderedDict
    Set,               ///< set, frozenset: read as a list
    Storage,           ///< a type of storage, of `dtype`; none: of bytes
    Type,              ///< a type of element, `dtype`
    Tensor,            ///< _rebuild_tensor, _rebuild_tensor_v2
    TensorV3,          ///< with the type of its elements as the seventh argument
    Parameter,         ///< its first argument
    FromType,          ///< calls its first argument with its third
    Size,              ///< a tuple
    NumpyScalar,       ///< a number out of bytes
    Bytes,             ///< bytes out of a text, as protocol 2 writes them
    ParameterDict,     ///< a module whose state holds the parameters
    ArgumentsIgnored,  ///< may be called, gives something of no use here
    MentionedOnly      ///< may be a key or an argument, never called
};

struct PickleName {
    std::string_view module;
    std::string_view name;
    PickleRole role;
    std::optional<DType> dtype = std::nullopt;
};

/// The allow-list; docs/decisions/pickle-allow-list.md says why each is there.
std::span<const PickleName> pickleNames();

/// Both parts must be equal to a row's; dots in `name` lead nowhere.
const PickleName *findPickleName(std::string_view module, std::string_view name);

}  // namespace sg
