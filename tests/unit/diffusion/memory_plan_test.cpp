// The plan of a run, from a header that is written here: no network is made.
#include "core/diffusion/pipeline/memory_plan.h"

#include "tests/support/check.h"

using namespace sg;

namespace {

constexpr std::uint64_t kMiB = 1u << 20;

PlannedModel smallModel()
{
    PlannedModel model;
    model.config.unet.width = 32;
    model.config.unet.inputs = {{32, 1, false}, {32, 0, true}, {64, 1, false}};
    model.config.unet.middleDepth = 1;
    model.config.unet.outputs = {{64, 1, false}, {64, 1, true}, {32, 1, false}, {32, 1, false}};
    model.config.vae.encoderWidth = 32;
    model.config.vae.middleChannels = 64;
    model.config.vae.encoder = {{32, 1}, {64, 1}};
    model.config.vae.decoder = {{32, 2}, {64, 2}};
    model.config.latentFactor = 2;
    model.weights = 100 * kMiB;
    model.paged = 90 * kMiB;
    return model;
}

GenerationRequest drawing(std::int64_t side, std::int64_t batch)
{
    GenerationRequest request;
    request.prompt = "a star";
    request.width = request.height = side;
    request.batchSize = batch;
    return request;
}

}  // namespace

SG_CASE(a_plan_grows_with_what_is_drawn)
{
    const PlanPlace place{true, 1u << 30};
    const MemoryPlan one = planRun({smallModel()}, drawing(128, 1), place);
    CHECK(one.fits && one.rows == 2 && one.allRows == 2 && !one.tiled);
    CHECK(one.weights == 100 * kMiB && one.needed() == 10 * kMiB + one.run());
    CHECK(one.run() == std::max(one.activations, one.vae) + one.pictures);
    const UNetConfig unet = smallModel().config.unet;
    // Twice as many rows take twice as much, four times as many pixels four times as much.
    CHECK(unet.forwardBytes(4, 64, 64) == 2 * unet.forwardBytes(2, 64, 64));
    CHECK(unet.forwardBytes(2, 128, 128) == 4 * unet.forwardBytes(2, 64, 64));
    CHECK(unet.forwardBytes(2, 64, 64, 2) == unet.forwardBytes(2, 64, 64) / 2);
    // Not less than its widest tensor, and what the first transformer holds of it.
    CHECK(unet.forwardBytes(1, 64, 64) >= 12 * 32 * 64 * 64 * 4);
    CHECK(planRun({smallModel()}, drawing(128, 4), place).activations > one.activations);
    CHECK(planRun({smallModel()}, drawing(256, 1), place).vae > one.vae);
    GenerationRequest parts = drawing(128, 2);
    parts.prompt = "a AND b AND c";
    CHECK(planRun({smallModel()}, parts, place).allRows == 8);
    parts.prompt = "a";
    parts.cfgScale = 1;
    CHECK(planRun({smallModel()}, parts, place).allRows == 2);
}

SG_CASE(odd_sizes_are_rounded_up_as_the_network_does)
{
    const UNetConfig unet = smallModel().config.unet;
    CHECK(unet.forwardBytes(1, 63, 65) > 0 && unet.forwardBytes(1, 63, 65) < unet.forwardBytes(1, 66, 66));
}

SG_CASE(what_is_held_need_not_be_found_again)
{
    PlannedModel model = smallModel();
    const PlanPlace place{true, 1u << 30};
    const MemoryPlan before = planRun({model}, drawing(128, 1), place);
    model.held = 10 * kMiB;
    CHECK(planRun({model}, drawing(128, 1), place).needed() == before.needed() - 10 * kMiB);
    // A second checkpoint adds its own.
    CHECK(planRun({model, smallModel()}, drawing(128, 1), place).needed() == before.needed());
}

SG_CASE(a_model_that_edits_and_larger_prompts_count_their_rows)
{
    const PlanPlace place{true, 1u << 30};
    PlannedModel model = smallModel();
    GenerationRequest request = drawing(128, 1);
    request.start.pictures.emplace_back(128, 128, 3);
    request.start.imageScale = 1.5;
    CHECK(planRun({model}, request, place).allRows == 2);
    model.config.imageInput = ImageInput::Edit;
    CHECK(planRun({model}, request, place).allRows == 3);
    request = drawing(128, 1);
    request.hires.enabled = true;
    request.hires.size.width = request.hires.size.height = 256;
    request.hires.prompt = "a AND b AND c";
    CHECK(planRun({smallModel()}, request, place).allRows == 4);
}

SG_CASE(tiles_are_planned_as_they_are_wanted)
{
    GenerationRequest request = drawing(512, 1);
    request.coding.tileSize = 256;
    PlannedModel model = smallModel();
    model.config.vae.middleChannels = 4096;
    model.config.vae.decoder = {{4096, 2}, {4096, 2}};
    const PlanPlace all{true, 1ull << 40};
    const MemoryPlan whole = planRun({model}, request, all);
    request.coding.tiling = "On";
    const MemoryPlan tiles = planRun({model}, request, all);
    CHECK(!whole.tiled && tiles.tiled && tiles.vae < whole.vae);
    // One byte too little for tiles of that size: without tiles it is refused, with smaller ones it fits.
    const std::uint64_t between = whole.weights - whole.paged + whole.pictures + tiles.vae - 1;
    CHECK(tiles.vae > tiles.activations);
    request.coding.tiling = "Off";
    const MemoryPlan off = planRun({model}, request, {true, between});
    CHECK(!off.fits && !off.tiled && off.vae == whole.vae);
    request.coding.tiling = "Auto";
    const MemoryPlan automatic = planRun({model}, request, {true, between});
    CHECK(automatic.fits && automatic.tiled && automatic.vae < tiles.vae);
}

SG_CASE(what_does_not_fit_becomes_smaller_then_is_refused)
{
    const GenerationRequest request = drawing(512, 8);
    const MemoryPlan whole = planRun({smallModel()}, request, {true, 1ull << 40});
    CHECK(whole.rows == 16 && !whole.tiled && whole.fits);
    const MemoryPlan fewer = planRun({smallModel()}, request, {true, whole.needed() - 1});
    CHECK(fewer.fits && fewer.rows == 8 && fewer.allRows == 16 && fewer.needed() < whole.needed());
    MemoryPlan least = whole;
    for (std::uint64_t bytes = whole.needed(); least.fits; bytes = bytes * 3 / 4) {
        least = planRun({smallModel()}, request, {true, bytes});
        CHECK(least.fits == (least.needed() <= bytes));
    }
    CHECK(least.rows == 1 && least.tiled && least.vae < whole.vae);
    CHECK(least.text().find(std::to_string((least.available + kMiB - 1) / kMiB) + " MiB are free") !=
          std::string::npos);
}

SG_CASE(checkpoints_take_turns_where_they_do_not_fit_together)
{
    PlannedModel model = smallModel();
    model.paged = 0;
    model.texts = {30 * kMiB, 0};
    model.unet = {60 * kMiB, 0};
    GenerationRequest request = drawing(128, 1);
    request.hires.enabled = request.refiner.enabled = true;
    request.hires.size = {128, 128, 128, 128};
    const std::vector<PlannedModel> three{model, model, model};
    const MemoryPlan whole = planRun(three, request, {true, 1ull << 40});
    CHECK(whole.fits && !whole.offload && whole.needed() == 300 * kMiB + whole.run());
    const MemoryPlan turns = planRun(three, request, {true, whole.needed() - 1});
    // What rows or tiles could save is far less than what is missing, so it is another's turn.
    const MemoryPlan tight = planRun(three, request, {true, turns.peak});
    CHECK(tight.fits && tight.offload && !tight.tiled && tight.rows == tight.allRows);
    CHECK(tight.needed() == 30 * kMiB + tight.pictures + std::max(60 * kMiB + tight.activations, tight.vae));
    CHECK(!planRun(three, request, {true, 90 * kMiB}).fits);
    // What is there of them can go as well.
    std::vector<PlannedModel> held = three;
    held[0].held = 100 * kMiB;
    const MemoryPlan after = planRun(held, request, {true, tight.needed() - 100 * kMiB});
    CHECK(after.offload && after.fits && after.needed() == tight.needed() - 100 * kMiB);
    // LoRAs are merged over text encoders and UNet, so these come and go together.
    std::vector<PlannedModel> adapted = three;
    for (PlannedModel &one : adapted)
        one.adapted = true;
    adapted[0].merged = 7 * kMiB;
    const MemoryPlan both = planRun(adapted, request, {true, tight.needed() + 37 * kMiB});
    CHECK(both.fits && both.offload && both.needed() == tight.needed() + 37 * kMiB);
}
