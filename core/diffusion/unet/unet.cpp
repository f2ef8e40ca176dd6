#include "core/diffusion/unet/unet.h"

#include "core/diffusion/nn/functions.h"
#include "core/diffusion/nn/probe.h"
#include "core/diffusion/nn/pulse.h"
#include "core/diffusion/unet/res_block.h"

#include <string>
#include <utility>

namespace sg {
UNetImpl::UNetImpl(const UNetConfig &config) : m_config(config)
{
    nn::Slots time = register_module("time_embed", nn::Slots());
    m_time0 = time->put("0", nn::Linear(config.width, config.timeChannels));
    m_time2 = time->put("2", nn::Linear(config.timeChannels, config.timeChannels));
    if (config.vectorDim > 0) {
        nn::Slots label = register_module("label_emb", nn::Slots())->put("0", nn::Slots());
        m_label0 = label->put("0", nn::Linear(config.vectorDim, config.timeChannels));
        m_label2 = label->put("2", nn::Linear(config.timeChannels, config.timeChannels));
    }
    makeInputs();
    makeMiddle();
    makeOutputs();
    nn::Slots out = register_module("out", nn::Slots());
    m_outNorm = out->put("0", nn::GroupNorm(config.normGroups, config.width, kNormEps));
    m_outConv = out->put("2", nn::Conv2d(nn::Conv2dImpl::Shape{config.width, config.outChannels}));
}

SpatialTransformer UNetImpl::transformer(std::int64_t channels, std::int64_t depth) const
{
    const std::int64_t heads = m_config.heads > 0 ? m_config.heads : channels / m_config.headDim;
    return SpatialTransformer(
        TransformerShape{channels, heads, m_config.contextDim, depth, m_config.normGroups, m_config.linearProjection});
}

UNetImpl::Stage UNetImpl::stage(std::string name, nn::Slots slots, std::int64_t in, const UNetConfig::Block &block)
{
    Stage made;
    made.name = std::move(name);
    made.res = slots->put("0", std::make_shared<UNetResBlockImpl>(
                                   ResBlockShape{in, block.channels, m_config.timeChannels, m_config.normGroups}));
    if (block.depth > 0) made.attention = slots->put("1", transformer(block.channels, block.depth));
    return made;
}

void UNetImpl::makeInputs()
{
    nn::Slots blocks = register_module("input_blocks", nn::Slots());
    m_first =
        blocks->put("0", nn::Slots())->put("0", nn::Conv2d(nn::Conv2dImpl::Shape{m_config.inChannels, m_config.width}));
    m_skipChannels = {m_config.width};
    for (const UNetConfig::Block &block : m_config.inputs) {
        const std::string number = std::to_string(m_skipChannels.size());
        nn::Slots slots = blocks->put(number, nn::Slots());
        if (block.resample) {
            Stage made;
            made.name = "input_blocks." + number;
            made.resample = slots->put("0", nn::Slots())
                                ->put("op", nn::Conv2d(nn::Conv2dImpl::Shape{block.channels, block.channels, 3, 2}));
            m_inputs.push_back(std::move(made));
        } else {
            m_inputs.push_back(stage("input_blocks." + number, slots, m_skipChannels.back(), block));
        }
        m_skipChannels.push_back(block.channels);
    }
}

void UNetImpl::makeMiddle()
{
    nn::Slots slots = register_module("middle_block", nn::Slots());
    const std::int64_t channels = m_skipChannels.back();
    m_middle = stage("middle_block", slots, channels, {channels, m_config.middleDepth, false});
    m_middleEnd = slots->put(m_config.middleDepth > 0 ? "2" : "1",
                             std::make_shared<UNetResBlockImpl>(
                                 ResBlockShape{channels, channels, m_config.timeChannels, m_config.normGroups}));
}

void UNetImpl::makeOutputs()
{
    nn::Slots blocks = register_module("output_blocks", nn::Slots());
    std::int64_t channels = m_skipChannels.back();
    for (std::size_t n = 0; n < m_config.outputs.size(); ++n) {
        const UNetConfig::Block &block = m_config.outputs[n];
        nn::Slots slots = blocks->put(std::to_string(n), nn::Slots());
        Stage made = stage("output_blocks." + std::to_string(n), slots, channels + m_skipChannels.back(), block);
        m_skipChannels.pop_back();
        channels = block.channels;
        if (block.resample)
            made.resample = slots->put(block.depth > 0 ? "2" : "1", nn::Slots())
                                ->put("conv", nn::Conv2d(nn::Conv2dImpl::Shape{channels, channels}));
        m_outputs.push_back(std::move(made));
    }
}

torch::Tensor UNetImpl::timeEmbedding(const torch::Tensor &timesteps, const torch::Tensor &vector)
{
    torch::Tensor rows = timesteps.reshape({-1});
    // One row where all are equal, so that each residual block can add it as a bias. Only where looking costs nothing.
    if (rows.size(0) > 1 && rows.is_cpu() && at::all(at::eq(rows, rows[0])).item<bool>()) rows = rows.narrow(0, 0, 1);
    const torch::Tensor waves = nn::sinusoids(rows.to(m_time0->bias().device()), m_config.width);
    torch::Tensor hidden = m_time0(waves.to(m_time0->bias().scalar_type()));
    torch::Tensor embedding = m_time2(at::silu_(hidden));
    if (m_label0) {
        TORCH_CHECK(vector.defined(), "this network needs vector conditioning");
        torch::Tensor label = m_label0(vector.to(hidden.device(), hidden.scalar_type()));
        embedding = embedding + m_label2(at::silu_(label));
    }
    return at::silu_(embedding);  // what every block would do with it first
}

torch::Tensor UNetImpl::run(const Stage &stage, torch::Tensor x, const torch::Tensor &time,
                            const torch::Tensor &context)
{
    nn::Pulse::beat();
    if (stage.res) {
        const nn::Probe::Module here("0");
        x = stage.res->forward(x, time);
        here.gave(x);
    }
    if (stage.attention) {
        const nn::Probe::Module here("1");
        x = SpatialTransformer(stage.attention)->forward(x, context);
        here.gave(x);
    }
    return x;
}

torch::Tensor UNetImpl::forward(const torch::Tensor &x, const torch::Tensor &timesteps, const torch::Tensor &context,
                                const torch::Tensor &vector)
{
    const torch::ScalarType type = m_outConv->bias().scalar_type();
    const torch::Tensor time = timeEmbedding(timesteps, vector);
    const torch::Tensor words = context.to(type);
    torch::Tensor h = m_first->forward(x.to(type).contiguous(at::MemoryFormat::ChannelsLast));
    nn::Probe::Module("input_blocks.0.0").gave(h);
    std::vector<torch::Tensor> skips{h};
    for (Stage &stage : m_inputs) {
        const nn::Probe::Module block(stage.name);
        h = stage.resample ? stage.resample->forward(h) : run(stage, h, time, words);
        block.gave(h);
        skips.push_back(h);
    }
    {
        const nn::Probe::Module block(m_middle.name);
        h = m_middleEnd->forward(run(m_middle, h, time, words), time);
        block.gave(h);
    }
    for (Stage &stage : m_outputs) {
        const nn::Probe::Module block(stage.name);
        h = at::cat({h, skips.back()}, 1);
        skips.pop_back();
        h = run(stage, h, time, words);
        if (stage.resample) h = stage.resample->forwardDoubled(h, skips.back().size(2), skips.back().size(3));
        block.gave(h);
    }
    return m_outConv->forward(m_outNorm->forwardSilu(h));
}

}  // namespace sg
