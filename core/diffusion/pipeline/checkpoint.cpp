#include "core/diffusion/pipeline/checkpoint.h"

#include "core/base/or_throw.h"
#include "core/diffusion/nn/bind.h"
#include "core/diffusion/nn/mapped_file.h"
#include "core/diffusion/vae/vae.h"
#include "core/modelfile/key_dialect.h"
#include "core/modelfile/model_file.h"
#include "core/modelfile/sidecar.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace sg {
namespace {

// The noise levels that some files carry along, as they were rounded there.
std::vector<float> alphasCumprod(const TensorIndex &index, const nn::WeightSource &source)
{
    const TensorInfo *info = index.find("alphas_cumprod");
    const std::optional<torch::ScalarType> type = info ? nn::weightType(info->dtype) : std::nullopt;
    if (!type || !info->isPlain() || info->shape.size() != 1) return {};
    const nn::MappedFile &file = *source.files.at(info->file);
    if (info->offset + info->bytes > file.size()) return {};
    torch::Tensor stored = torch::empty({static_cast<std::int64_t>(info->shape[0])}, *type);
    if (stored.nbytes() != info->bytes) return {};
    std::memcpy(stored.data_ptr(), file.data() + info->offset, info->bytes);
    const torch::Tensor plain = stored.to(torch::kFloat32);
    const std::vector<float> values(plain.data_ptr<float>(), plain.data_ptr<float>() + plain.numel());
    return sampling::isUsableSchedule(values) ? values : std::vector<float>{};
}

/// Half of Stable Diffusion 2's checkpoints predict v, and nothing in their files says so. At the highest level a
/// network that predicts noise gives back what it is given; one that predicts v, what is not noise in it, negated.
/// Source  A1111's test of SD2 checkpoints: its constants.
void askPrediction(Checkpoint &checkpoint)
{
    constexpr std::int64_t kSide = 8;
    constexpr float kLastLevel = 999, kHalf = 0.5f, kLimit = -1;
    const CheckpointConfig &config = checkpoint.config;
    const auto options = torch::TensorOptions().dtype(checkpoint.dtype).device(checkpoint.device);
    const torch::Tensor seen = torch::full({1, config.unet.inChannels, kSide, kSide}, kHalf, options);
    const torch::Tensor words = torch::full({1, 2, config.contextDim}, kHalf, options);
    const torch::Tensor made = checkpoint.unet->forward(seen, torch::full({1}, kLastLevel), words);
    const float moved = (made.to(torch::kFloat) - kHalf).mean().item<float>();
    checkpoint.config.prediction = moved < kLimit ? sampling::Prediction::V : sampling::Prediction::Eps;
    const std::string kind(moved < kLimit ? "v" : "epsilon");
    checkpoint.config.reasons.push_back(kind + " prediction: the network moved a grey picture by " +
                                        std::to_string(moved));
}

/// Makes a part's networks, without weights.
void makeNetworks(Checkpoint &checkpoint, CheckpointPart which)
{
    if (which == CheckpointPart::Unet) {
        checkpoint.unet = UNet(checkpoint.config.unet);
        return;
    }
    checkpoint.texts.clear();
    for (const TextConfig &text : checkpoint.config.texts)
        checkpoint.texts.push_back(std::make_shared<ClipTextEncoder>(text.clip, text.reading));
}

void bindPart(Checkpoint &checkpoint, CheckpointPart which, const nn::WeightSource &source, nn::BindReport &report)
{
    const std::size_t bytes = report.bytes, mapped = report.mapped;
    makeNetworks(checkpoint, which);
    if (which == CheckpointPart::Unet)
        nn::bind(*checkpoint.unet, checkpoint.config.unetPrefix, source, report);
    else
        for (std::size_t i = 0; i < checkpoint.texts.size(); ++i)
            nn::bind(checkpoint.texts[i]->module(), checkpoint.config.texts[i].prefix, source, report);
    PartWeights &part = checkpoint.parts[static_cast<std::size_t>(which)];
    part = {report.bytes - bytes, report.mapped - mapped};
    checkpoint.bytes += part.bytes;
    checkpoint.mapped += part.mapped;
}

std::optional<FileIdentity> sidecarIdentity(const std::filesystem::path &checkpoint)
{
    const Expected<FileIdentity> identity = fileIdentity(sidecarPath(checkpoint));
    return identity ? std::optional(*identity) : std::nullopt;
}

}  // namespace

torch::Tensor Checkpoint::predict(const torch::Tensor &x, const torch::Tensor &timesteps,
                                  const sampling::Conditioning &told)
{
    use(CheckpointPart::Unet);
    const std::int64_t rows = x.size(0);
    if (rowsAtOnce > 0 && rows > rowsAtOnce) {
        std::vector<torch::Tensor> made;
        for (std::int64_t at = 0; at < rows; at += rowsAtOnce) {
            const std::int64_t count = std::min(rowsAtOnce, rows - at);
            const auto part = [&](const torch::Tensor &all) {
                return all.defined() && all.size(0) == rows ? all.narrow(0, at, count) : all;
            };
            made.push_back(
                predict(part(x), part(timesteps), {part(told.context), part(told.vector), part(told.concat)}));
        }
        return torch::cat(made);
    }
    const torch::Tensor seen = told.concat.defined() ? torch::cat({x, told.concat.to(x.scalar_type())}, 1) : x;
    return unet->forward(seen, timesteps, told.context, told.vector);
}

sampling::DiscreteSchedule Checkpoint::levels() const
{
    const sampling::DiscreteSchedule trained = sampling::isUsableSchedule(config.alphasCumprod)
                                                   ? sampling::DiscreteSchedule(config.alphasCumprod)
                                                   : sampling::DiscreteSchedule();
    return config.zeroTerminalSnr ? trained.withZeroTerminalSnr() : trained;
}

void Checkpoint::requireUnchanged() const
{
    for (const auto *list : {&files, &vaeFiles})
        for (const auto &file : *list)
            if (!file->unchanged())
                throw Failure{Error{ErrorCode::ModelChanged,
                                    list == &files ? "the model file changed since it was loaded"
                                                   : "the VAE's file changed since it was loaded",
                                    {}}};
}

void Checkpoint::drop(CheckpointPart which)
{
    PartWeights &gone = parts[static_cast<std::size_t>(which)];
    if (!gone.here) return;
    makeNetworks(*this, which);
    bytes -= gone.bytes;
    mapped -= gone.mapped;
    gone.here = false;
}

void Checkpoint::bring(CheckpointPart which, const std::stop_token &stop, const LoadWatch &watch)
{
    if (part(which).here) return;
    nn::WeightSource source{*index, files, device, dtype, stop};
    if (source.files.empty())
        for (const SourceFile &one : index->files())
            source.files.push_back(orThrow(nn::MappedFile::open(one.path, one.identity)));
    source.alive = nn::readAhead(source.files, index->path(), stop, watch);
    nn::BindReport report;
    bindPart(*this, which, source, report);
}

bool Checkpoint::madeWith(const std::filesystem::path &path, const ModelChoices &chosen) const
{
    return choices == chosen && sidecar == sidecarIdentity(path);
}

std::shared_ptr<Checkpoint> loadCheckpoint(const std::filesystem::path &path, const torch::Device &device,
                                           torch::ScalarType dtype, std::stop_token stop, const LoadWatch &watch,
                                           const ModelChoices &choices, Residence residence)
{
    const TensorIndex stored = orThrow(readModelFile(path));
    const bool hasEma = stored.hasPrefix("model_ema.");
    auto made = std::make_shared<Checkpoint>();
    made->index = std::make_shared<const TensorIndex>(canonicalNames(stored, {.preferEma = choices.ema}));
    const TensorIndex &index = *made->index;
    made->choices = choices;
    // Before it is read: what changes meanwhile is read again by the next task.
    made->sidecar = sidecarIdentity(path);
    made->config = CheckpointConfig::detect(index, orThrow(readSidecar(path)).value_or(Sidecar{}), choices);
    if (choices.ema)
        made->config.reasons.emplace_back(hasEma ? "EMA weights: chosen by the user"
                                                 : "EMA weights were chosen, the file has none: the others are used");
    nn::WeightSource source{index, {}, device, dtype, stop};
    for (const SourceFile &one : index.files())
        source.files.push_back(orThrow(nn::MappedFile::open(one.path, one.identity)));
    source.alive = nn::readAhead(source.files, index.path(), stop, watch);
    if (made->config.fileAlphas) made->config.alphasCumprod = alphasCumprod(index, source);
    if (made->config.fileAlphas && made->config.alphasCumprod.empty() && index.find("alphas_cumprod"))
        made->config.reasons.emplace_back("noise levels: Stable Diffusion's; the file's alphas_cumprod is no schedule");
    made->device = device;
    made->dtype = dtype;
    made->vaeDtype = dtype == torch::kFloat16 ? torch::kFloat32 : dtype;
    made->vae = std::make_shared<VaeImpl>(made->config.vae);

    nn::BindReport report;
    for (const CheckpointPart part : kCheckpointParts) {
        bindPart(*made, part, source, report);
        if (part == CheckpointPart::Unet && made->config.predictionUnsure) askPrediction(*made);
        if (residence == Residence::PartByPart) made->drop(part);
    }
    source.dtype = made->vaeDtype;
    const std::size_t bytes = report.bytes, mapped = report.mapped;
    nn::bind(*made->vae, made->config.vaePrefix, source, report);
    made->bytes += report.bytes - bytes;
    made->mapped += report.mapped - mapped;
    report.used.insert(kMarkerKeys.begin(), kMarkerKeys.end());
    made->warnings = nn::unusedKeys(index, report).warnings();
    if (report.mapped > 0) made->files = source.files;
    return made;
}

}  // namespace sg
