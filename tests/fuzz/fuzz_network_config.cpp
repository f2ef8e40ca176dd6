// What a checkpoint is, from the names and shapes of its header alone, with and without what a user says against it.
#include "core/base/error.h"
#include "core/diffusion/pipeline/checkpoint_config.h"
#include "core/diffusion/pipeline/memory_plan.h"
#include "core/modelfile/key_dialect.h"
#include "core/modelfile/model_kind.h"
#include "tests/fuzz/named_shapes.h"
#include "tests/fuzz/require.h"

#include <array>
#include <cmath>
#include <optional>

namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 60;

std::optional<sg::CheckpointConfig> detected(const sg::TensorIndex &index, const sg::ModelChoices &choices)
{
    try {
        return sg::CheckpointConfig::detect(index, {}, choices);
    } catch (const sg::Failure &failure) {
        SG_REQUIRE(failure.error.code == sg::ErrorCode::UnusableFile ||
                   failure.error.code == sg::ErrorCode::InvalidArgument);
        SG_REQUIRE(!failure.error.message.empty() && failure.error.message.size() < 4096);
        return std::nullopt;
    }
}

void check(const sg::TensorIndex &index, const sg::CheckpointConfig &config)
{
    SG_REQUIRE(config.unet.width > 0 && config.contextDim >= 0 && config.latentChannels > 0);
    SG_REQUIRE(config.latentFactor > 0 && config.latentFactor <= 1 << 16);
    SG_REQUIRE(std::isfinite(config.latentScale) && config.latentScale > 0);
    SG_REQUIRE(config.unet.normGroups > 0 && config.vae.normGroups > 0);
    SG_REQUIRE(config.unet.inputs.size() + config.unet.outputs.size() <= index.tensors().size());
    for (const sg::TextConfig &text : config.texts)
        SG_REQUIRE(text.clip.width > 0 && text.clip.heads > 0 && text.clip.layers >= 0 &&
                   static_cast<std::uint64_t>(text.clip.layers) <= index.tensors().size());
    const sg::PlannedModel planned = sg::plannedModel(index, config, true);
    SG_REQUIRE(planned.paged <= planned.weights && planned.weights < kMostBytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    if (size == 0) return 0;
    constexpr std::array<const char *, 5> kFamilies{"", "sd1", "sd2", "sdxl", "sdxl-refiner"};
    const std::uint8_t said = data[0];
    const sg::TensorIndex stored = namedShapes(fuzzText(data + 1, size - 1));
    (void)sg::describeModel(stored);
    sg::ModelChoices choices;
    choices.family = kFamilies[said % kFamilies.size()];
    if (said & 0x40) choices.predictsV = true;
    if (said & 0x80) choices.zeroTerminalSnr = true;
    sg::TensorIndex index;
    try {
        index = sg::canonicalNames(stored);
    } catch (const sg::Failure &failure) {
        SG_REQUIRE(failure.error.code == sg::ErrorCode::UnusableFile);
        return 0;
    }
    if (const auto config = detected(index, choices)) check(index, *config);
    return 0;
}
