// Adapters: peft's settings (the first paragraph, JSON) and the layers that a file's names mean.
#include "core/modelfile/adapter_keys.h"
#include "core/modelfile/adapter_settings.h"
#include "tests/fuzz/named_shapes.h"
#include "tests/fuzz/require.h"

#include <cmath>

namespace {

void checkPart(const sg::AdapterSettings::Part &part)
{
    for (const double value : {part.rank, part.alpha.value_or(0), part.longest})
        SG_REQUIRE(std::isfinite(value) && value >= 0);
    SG_REQUIRE(part.terms >= 1 && part.terms <= 64);
    for (const auto &[pattern, rank] : part.ranks)
        SG_REQUIRE(rank >= 1 &&
                   (pattern.empty() ||
                    sg::valueOf(part.ranks, pattern.starts_with('^') ? pattern.substr(1) : "a." + pattern)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    const std::string_view text = fuzzText(data, size);
    const std::size_t end = std::min(text.find("\n\n"), text.size());
    const std::string_view settings = text.substr(0, end);
    const sg::TensorIndex index = namedShapes(text.substr(std::min(text.size(), end + 2)));
    if (const auto json = sg::parseJson(settings, {.bytes = sg::kMaxAdapterConfigBytes, .depth = 16})) {
        const auto part = sg::parseAdapterConfig(*json);
        if (part)
            checkPart(*part);
        else
            SG_REQUIRE(part.error().code == sg::ErrorCode::UnusableFile && !part.error().subject.empty());
    }
    const auto read = sg::readAdapterSettings(index);
    if (read)
        for (const auto &[network, part] : read->parts)
            checkPart(part);
    std::vector<std::string> unknown, parameters;
    const auto groups = sg::adapterGroups(index, unknown);
    std::size_t keys = unknown.size();
    for (const sg::AdapterGroup &group : groups) {
        keys += group.parts.size();
        parameters.push_back(group.layer + ".weight");
        if (read) (void)read->of(group.layer);
    }
    SG_REQUIRE(keys == index.tensors().size());
    sg::AdapterLayers layers;
    for (const auto network : {sg::AdapterNetwork::Unet, sg::AdapterNetwork::Text})
        layers.add(network, parameters);
    for (const sg::AdapterGroup &group : groups)
        if (const sg::AdapterTarget *target = layers.find(group.layer)) SG_REQUIRE(!target->weight.empty());
    return 0;
}
