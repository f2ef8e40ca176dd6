#include "core/modelfile/pickle_names.h"

#include <array>

namespace sg {
namespace {

using Role = PickleRole;

constexpr std::array kNames{
    PickleName{"collections", "OrderedDict", Role::Dict},
    PickleName{"builtins", "set", Role::Set},
    PickleName{"__builtin__", "set", Role::Set},
    PickleName{"builtins", "frozenset", Role::Set},
    PickleName{"torch._utils", "_rebuild_tensor", Role::Tensor},
    PickleName{"torch._utils", "_rebuild_tensor_v2", Role::Tensor},
    PickleName{"torch._utils", "_rebuild_tensor_v3", Role::TensorV3},
    PickleName{"torch._utils", "_rebuild_parameter", Role::Parameter},
    PickleName{"torch._utils", "_rebuild_parameter_with_state", Role::Parameter},
    PickleName{"torch._tensor", "_rebuild_from_type_v2", Role::FromType},
    PickleName{"torch", "Tensor", Role::MentionedOnly},
    PickleName{"torch.nn.parameter", "Parameter", Role::MentionedOnly},
    PickleName{"torch.nn.modules.container", "ParameterDict", Role::ParameterDict},
    PickleName{"torch", "Size", Role::Size},
    PickleName{"torch", "device", Role::ArgumentsIgnored},
    PickleName{"torch", "DoubleStorage", Role::Storage, DType::F64},
    PickleName{"torch", "FloatStorage", Role::Storage, DType::F32},
    PickleName{"torch", "HalfStorage", Role::Storage, DType::F16},
    PickleName{"torch", "BFloat16Storage", Role::Storage, DType::BF16},
    PickleName{"torch", "ComplexFloatStorage", Role::Storage, DType::C64},
    PickleName{"torch", "LongStorage", Role::Storage, DType::I64},
    PickleName{"torch", "IntStorage", Role::Storage, DType::I32},
    PickleName{"torch", "ShortStorage", Role::Storage, DType::I16},
    PickleName{"torch", "CharStorage", Role::Storage, DType::I8},
    PickleName{"torch", "ByteStorage", Role::Storage, DType::U8},
    PickleName{"torch", "BoolStorage", Role::Storage, DType::Bool},
    PickleName{"torch.storage", "UntypedStorage", Role::Storage},
    PickleName{"torch", "UntypedStorage", Role::Storage},
    PickleName{"torch", "float64", Role::Type, DType::F64},
    PickleName{"torch", "float32", Role::Type, DType::F32},
    PickleName{"torch", "float16", Role::Type, DType::F16},
    PickleName{"torch", "bfloat16", Role::Type, DType::BF16},
    PickleName{"torch", "float8_e4m3fn", Role::Type, DType::F8_E4M3},
    PickleName{"torch", "float8_e5m2", Role::Type, DType::F8_E5M2},
    PickleName{"torch", "float8_e4m3fnuz", Role::Type, DType::F8_E4M3FNUZ},
    PickleName{"torch", "float8_e5m2fnuz", Role::Type, DType::F8_E5M2FNUZ},
    PickleName{"torch", "float8_e8m0fnu", Role::Type, DType::F8_E8M0},
    PickleName{"torch", "uint64", Role::Type, DType::U64},
    PickleName{"torch", "uint32", Role::Type, DType::U32},
    PickleName{"torch", "uint16", Role::Type, DType::U16},
    PickleName{"torch", "int64", Role::Type, DType::I64},
    PickleName{"torch", "int32", Role::Type, DType::I32},
    PickleName{"torch", "int16", Role::Type, DType::I16},
    PickleName{"torch", "int8", Role::Type, DType::I8},
    PickleName{"torch", "uint8", Role::Type, DType::U8},
    PickleName{"torch", "bool", Role::Type, DType::Bool},
    PickleName{"numpy.core.multiarray", "scalar", Role::NumpyScalar},
    PickleName{"numpy._core.multiarray", "scalar", Role::NumpyScalar},
    PickleName{"numpy.core.multiarray", "_reconstruct", Role::ArgumentsIgnored},
    PickleName{"numpy._core.multiarray", "_reconstruct", Role::ArgumentsIgnored},
    PickleName{"numpy", "ndarray", Role::MentionedOnly},
    PickleName{"numpy", "dtype", Role::ArgumentsIgnored},
    PickleName{"_codecs", "encode", Role::Bytes},
    PickleName{"pytorch_lightning.callbacks", "ModelCheckpoint", Role::MentionedOnly},
    PickleName{"pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint", Role::MentionedOnly},
};

}  // namespace

std::span<const PickleName> pickleNames()
{
    return kNames;
}

const PickleName *findPickleName(std::string_view module, std::string_view name)
{
    for (const PickleName &known : kNames)
        if (known.module == module && known.name == name) return &known;
    return nullptr;
}

}  // namespace sg
