#include "core/modelfile/key_dialect.h"
#include "core/modelfile/model_file.h"
#include "core/modelfile/model_kind.h"
#include "core/modelfile/safetensors.h"
#include "core/modelfile/upscaler_file.h"
#include "tests/fuzz/require.h"

#include <algorithm>

/// The first byte chooses how much data follows the header: as much as its last offset says, or one byte off.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    if (size == 0) return 0;
    const std::string_view header = fuzzText(data + 1, size - 1);
    std::uint64_t end = data[0];
    for (std::uint64_t bytes : {end, std::uint64_t(0), std::uint64_t(16)}) {
        const std::uint64_t fileSize = 8 + header.size() + bytes;
        const auto index = sg::parseSafetensors(header, fileSize);
        if (!index) {
            SG_REQUIRE(index.error().code == sg::ErrorCode::UnusableFile && !index.error().message.empty());
            continue;
        }
        std::uint64_t sum = 0;
        for (const auto &[name, tensor] : index->tensors()) {
            SG_REQUIRE(tensor.offset >= 8 + header.size() && tensor.offset + tensor.bytes <= fileSize);
            SG_REQUIRE(tensor.elements() >= 0);
            SG_REQUIRE(static_cast<std::uint64_t>(tensor.elements()) *
                           static_cast<std::uint64_t>(sg::dtypeBits(tensor.dtype)) ==
                       tensor.bytes * 8);
            sum += tensor.bytes;
        }
        SG_REQUIRE(sum == bytes);
        const sg::TensorIndex named = sg::canonicalNames(*index, {.preferEma = true});
        for (const auto &[name, tensor] : named.tensors())
            SG_REQUIRE(!tensor.parts.empty() || tensor.offset + tensor.span() <= fileSize);
        SG_REQUIRE(!sg::describeModel(*index).reason.empty() && !sg::describeModel(named).reason.empty());
        const auto upscaler = sg::readUpscaler(*index);
        if (upscaler) SG_REQUIRE(upscaler->config.scale >= 1 && upscaler->config.scale <= 8);
        if (!upscaler) SG_REQUIRE(upscaler.error().code == sg::ErrorCode::UnusableFile);
    }
    sg::modelFormat(fuzzText(data, std::min<std::size_t>(size, 16)));
    return 0;
}
