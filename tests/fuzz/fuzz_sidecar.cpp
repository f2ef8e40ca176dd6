#include "core/modelfile/sidecar.h"
#include "tests/fuzz/require.h"

#include <cmath>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    const auto sidecar = sg::parseSidecar(fuzzText(data, size));
    if (!sidecar) {
        SG_REQUIRE(sidecar.error().code == sg::ErrorCode::UnusableFile && !sidecar.error().message.empty());
        return 0;
    }
    for (const auto &number : {sidecar->contextDim, sidecar->heads, sidecar->headDim})
        SG_REQUIRE(!number || (*number > 0 && *number <= 1'000'000));
    SG_REQUIRE(!sidecar->latentScale || (std::isfinite(*sidecar->latentScale) && *sidecar->latentScale > 0));
    return 0;
}
