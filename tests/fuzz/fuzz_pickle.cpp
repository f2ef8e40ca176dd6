#include "core/modelfile/pickle.h"
#include "core/modelfile/torch_names.h"
#include "tests/fuzz/require.h"

#include <algorithm>

/// Every tensor that the interpreter lets through lies inside its storage, and every value that its tree holds is one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    const std::string_view bytes = fuzzText(data, size);
    const auto pickle = sg::Pickle::read(bytes);
    if (!pickle) {
        SG_REQUIRE(pickle.error().code == sg::ErrorCode::UnusableFile && !pickle.error().message.empty());
        return 0;
    }
    SG_REQUIRE(pickle->consumed() <= size && bytes[pickle->consumed() - 1] == '.');
    for (const sg::PickledTensor &tensor : pickle->tensors()) {
        const sg::PickledStorage &storage = pickle->storages().at(tensor.storage);
        const std::uint64_t width = static_cast<std::uint64_t>(sg::dtypeBits(tensor.dtype));
        const std::uint64_t bits =
            storage.elements * static_cast<std::uint64_t>(storage.dtype ? sg::dtypeBits(*storage.dtype) : 8);
        sg::TensorInfo info{tensor.dtype, tensor.shape, 0, 0};
        info.strides = tensor.strides;
        info.bytes = static_cast<std::uint64_t>(info.elements()) * width / 8;
        SG_REQUIRE(info.elements() >= 0 && tensor.offset * width + info.span() * 8 <= bits);
        SG_REQUIRE(tensor.strides.empty() || tensor.strides.size() == tensor.shape.size());
    }
    const auto names = sg::torchNames(*pickle);
    if (!names) return 0;
    for (const auto &[name, value] : names->tensors)
        SG_REQUIRE(!name.empty() && pickle->kind(value) == sg::Pickle::Kind::Tensor);
    return 0;
}
