#include "core/diffusion/vae/taesd.h"

#include "core/base/or_throw.h"
#include "core/diffusion/nn/config_value.h"
#include "core/diffusion/nn/mapped_file.h"
#include "core/diffusion/nn/pulse.h"
#include "core/modelfile/model_file.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace sg {
namespace {

constexpr std::int64_t kMostParts = 64;
constexpr std::int64_t kMostSizeChanges = 6;
constexpr double kClamp = 3;               // latents are bent into -3..3
constexpr std::int64_t kBlockNumbers = 5;  // for each channel and pixel while a block runs

std::optional<TaesdHalf> half(const TensorIndex &index, const std::string &prefix)
{
    TaesdHalf found;
    found.prefix = prefix;
    for (std::int64_t number = 0; number < kMostParts; ++number) {
        const std::string name = prefix + std::to_string(number) + ".";
        TaesdHalf::Layer layer{number, index.contains(name + "conv.0.weight"), true, 0, 0};
        const std::string weight = name + (layer.block ? "conv.0.weight" : "weight");
        if (index.rank(weight) != 4) continue;
        layer.out = nn::requireDim(index, weight, 0);
        layer.in = nn::requireDim(index, weight, 1);
        layer.bias = index.contains(name + (layer.block ? "conv.0.bias" : "bias"));
        found.layers.push_back(layer);
    }
    if (found.layers.empty()) return std::nullopt;
    for (std::size_t i = 0; i + 1 < found.layers.size(); ++i)
        if (found.layers[i].out != found.layers[i + 1].in)
            throwUnusable("layer " + std::to_string(found.layers[i].number) + " makes " +
                              std::to_string(found.layers[i].out) + " channels, the next one takes " +
                              std::to_string(found.layers[i + 1].in),
                          prefix + std::to_string(found.layers[i].number));
    return found;
}

std::int64_t sizeChanges(const TaesdHalf &half)
{
    return std::count_if(half.layers.begin(), half.layers.end(),
                         [](const TaesdHalf::Layer &layer) { return !layer.block && !layer.bias; });
}

std::uint64_t mostBytes(const TaesdHalf &half, bool decodes, std::int64_t pixels)
{
    std::int64_t most = 0;
    for (const TaesdHalf::Layer &layer : half.layers) {
        const bool resizes = !layer.block && !layer.bias;
        if (resizes && decodes) pixels *= 4;
        most = std::max(most, (layer.block ? kBlockNumbers * layer.out : layer.in + 2 * layer.out) * pixels);
        if (resizes && !decodes) pixels /= 4;
    }
    return static_cast<std::uint64_t>(most) * sizeof(float);
}

}  // namespace

bool isTaesdXlName(std::string_view name)
{
    return name.find("xl") != std::string_view::npos || name.find("XL") != std::string_view::npos;
}

TaesdConfig TaesdConfig::detect(const TensorIndex &index)
{
    TaesdConfig config;
    for (const std::string_view prefix : {"taesd_encoder.", "encoder.layers.", "encoder."})
        if (!config.encoder) config.encoder = half(index, std::string(prefix));
    for (const std::string_view prefix : {"taesd_decoder.", "decoder.layers.", "decoder."})
        if (!config.decoder) config.decoder = half(index, std::string(prefix));
    if (!config.encoder && !config.decoder) {
        // One half alone, without a prefix: only an encoder begins with a picture.
        const std::optional<TaesdHalf> one = half(index, "");
        if (!one) throwUnusable("holds no tiny autoencoder", index.path());
        (one->layers.front().in == 3 ? config.encoder : config.decoder) = one;
    }
    for (const std::optional<TaesdHalf> &one : {config.encoder, config.decoder})
        if (one && sizeChanges(*one) > kMostSizeChanges)
            throwUnusable("changes the picture's size more than " + std::to_string(kMostSizeChanges) + " times",
                          index.path());
    return config;
}

std::int64_t TaesdConfig::factor() const
{
    return std::int64_t{1} << sizeChanges(decoder ? *decoder : *encoder);
}

std::int64_t TaesdConfig::latentChannels() const
{
    return decoder ? decoder->layers.front().in : encoder->layers.back().out;
}

namespace {

/// Three convolutions with a way around. Keys conv.{0,2,4}, skip when in and out differ.
class TinyBlock final : public torch::nn::Module {
public:
    TinyBlock(std::int64_t in, std::int64_t out)
    {
        nn::Slots slots = register_module("conv", nn::Slots());
        m_convs[0] = slots->put("0", nn::Conv2d(nn::Conv2dImpl::Shape{in, out}));
        m_convs[1] = slots->put("2", nn::Conv2d(nn::Conv2dImpl::Shape{out, out}));
        m_convs[2] = slots->put("4", nn::Conv2d(nn::Conv2dImpl::Shape{out, out}));
        if (in != out)
            m_skip = register_module("skip", nn::Conv2d(nn::Conv2dImpl::Shape{
                                                 .in = in, .out = out, .kernel = 1, .padding = 0, .bias = false}));
    }

    torch::Tensor forward(const torch::Tensor &x)
    {
        torch::Tensor h = at::relu(m_convs[0]->forward(x));
        h = at::relu(m_convs[1]->forward(h));
        return at::relu(m_convs[2]->forwardPlus(h, m_skip ? m_skip->forward(x) : x));
    }

private:
    std::array<nn::Conv2d, 3> m_convs{nn::Conv2d{nullptr}, nn::Conv2d{nullptr}, nn::Conv2d{nullptr}};
    nn::Conv2d m_skip{nullptr};
};

}  // namespace

class TaesdHalfImpl final : public torch::nn::Module {
public:
    TaesdHalfImpl(const TaesdHalf &half, bool decodes) : m_decodes(decodes)
    {
        for (const TaesdHalf::Layer &layer : half.layers) {
            const std::string name = std::to_string(layer.number);
            Part part;
            if (layer.block)
                part.block = register_module(name, std::make_shared<TinyBlock>(layer.in, layer.out));
            else if (layer.bias)
                part.conv = register_module(name, nn::Conv2d(nn::Conv2dImpl::Shape{layer.in, layer.out}));
            else
                part.resize = register_module(
                    name, nn::Conv2d(nn::Conv2dImpl::Shape{
                              .in = layer.in, .out = layer.out, .stride = decodes ? 1 : 2, .bias = false}));
            m_parts.push_back(std::move(part));
        }
    }

    torch::Tensor forward(torch::Tensor x)
    {
        for (std::size_t i = 0; i < m_parts.size(); ++i) {
            nn::Pulse::beat();
            Part &part = m_parts[i];
            if (part.block) {
                x = part.block->forward(x);
            } else if (part.conv) {
                x = part.conv->forward(x);
                if (m_decodes && i == 0) x = at::relu(x);
            } else {
                if (m_decodes) x = at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
                x = part.resize->forward(x);
            }
        }
        return x;
    }

private:
    struct Part {
        std::shared_ptr<TinyBlock> block;
        nn::Conv2d conv{nullptr};
        nn::Conv2d resize{nullptr};
    };
    bool m_decodes;
    std::vector<Part> m_parts;
};

TaesdImpl::TaesdImpl(const TaesdConfig &config) : m_config(config)
{
    if (config.encoder) m_encoder = register_module("encoder", std::make_shared<TaesdHalfImpl>(*config.encoder, false));
    if (config.decoder) m_decoder = register_module("decoder", std::make_shared<TaesdHalfImpl>(*config.decoder, true));
}

torch::nn::Module *TaesdImpl::encoder() const
{
    return m_encoder.get();
}

torch::nn::Module *TaesdImpl::decoder() const
{
    return m_decoder.get();
}

torch::Tensor TaesdImpl::encode(const torch::Tensor &pictures)
{
    if (!m_encoder) throwUnusable("this tiny autoencoder has no encoder, only a decoder", "encoder");
    const torch::ScalarType type = parameters().back().scalar_type();
    return m_encoder->forward(((pictures + 1) / 2).to(type).contiguous(at::MemoryFormat::ChannelsLast));
}

torch::Tensor TaesdImpl::decode(const torch::Tensor &latents)
{
    if (!m_decoder) throwUnusable("this tiny autoencoder has no decoder, only an encoder", "decoder");
    const torch::ScalarType type = parameters().back().scalar_type();
    const torch::Tensor bent = at::tanh(latents / kClamp) * kClamp;
    return m_decoder->forward(bent.to(type).contiguous(at::MemoryFormat::ChannelsLast)) * 2 - 1;
}

std::uint64_t TaesdImpl::decodeBytes(std::int64_t height, std::int64_t width) const
{
    return m_config.decoder ? mostBytes(*m_config.decoder, true, height * width) : 0;
}

std::uint64_t TaesdImpl::encodeBytes(std::int64_t height, std::int64_t width) const
{
    return m_config.encoder ? mostBytes(*m_config.encoder, false, height * width * factor() * factor()) : 0;
}

Taesd makeTaesd(const nn::WeightSource &source, nn::BindReport &report)
{
    const TaesdConfig config = TaesdConfig::detect(source.index);
    Taesd made(config);
    if (config.encoder) nn::bind(*made->encoder(), config.encoder->prefix, source, report);
    if (config.decoder) nn::bind(*made->decoder(), config.decoder->prefix, source, report);
    return made;
}

Taesd loadTaesd(const std::filesystem::path &path, const torch::Device &device, torch::ScalarType dtype,
                const std::stop_token &stop, const LoadWatch &watch)
{
    const TensorIndex index = orThrow(readModelFile(path));
    nn::WeightSource source{index, {}, device, dtype, stop};
    for (const SourceFile &one : index.files())
        source.files.push_back(orThrow(nn::MappedFile::open(one.path, one.identity)));
    source.alive = nn::readAhead(source.files, index.path(), stop, watch);
    nn::BindReport report;
    return makeTaesd(source, report);
}

}  // namespace sg
