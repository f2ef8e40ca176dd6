#include "core/diffusion/pipeline/checkpoint.h"

#include "core/base/or_throw.h"
#include "core/diffusion/nn/bind.h"
#include "core/modelfile/key_dialect.h"
#include "core/modelfile/model_file.h"

#include <cstring>

namespace sg {
namespace {

// The noise levels that some files carry along.
std::vector<float> alphasCumprod(const TensorIndex &index, const nn::WeightSource &source)
{
    const TensorInfo *info = index.find("alphas_cumprod");
    if (!info || info->dtype != DType::F32 || !info->isPlain()) return {};
    const nn::MappedFile &file = *source.files.at(info->file);
    if (info->offset + info->bytes > file.size()) return {};
    std::vector<float> values(info->bytes / sizeof(float));
    std::memcpy(values.data(), file.data() + info->offset, values.size() * sizeof(float));
    return sampling::isUsableSchedule(values) ? values : std::vector<float>{};
}

// The files in their order, and from then on a sign whenever the disk has been waited for.
void readAhead(nn::WeightSource &source, const LoadWatch &watch)
{
    std::uint64_t total = 0, before = 0;
    for (const auto &file : source.files)
        total += file->size();
    for (const auto &file : source.files) {
        file->prefetch([&](std::size_t bytes) {
            if (source.stop.stop_requested())
                throw Failure{Error{ErrorCode::Cancelled, "loading was cancelled", source.index.path()}};
            if (watch) watch(before + bytes, total);
        });
        before += file->size();
    }
    if (watch) source.alive = [watch, total] { watch(total, total); };
}

}  // namespace

void Checkpoint::requireUnchanged() const
{
    for (const auto &file : files)
        if (!file->unchanged())
            throw Failure{Error{ErrorCode::ModelChanged, "the model file changed since it was loaded", {}}};
}

std::shared_ptr<Checkpoint> loadCheckpoint(const std::filesystem::path &path, const torch::Device &device,
                                           torch::ScalarType dtype, std::stop_token stop, const LoadWatch &watch)
{
    const TensorIndex index = canonicalNames(orThrow(readModelFile(path)));
    auto made = std::make_shared<Checkpoint>();
    made->config = CheckpointConfig::detect(index);
    nn::WeightSource source{index, {}, device, dtype, stop};
    for (const SourceFile &one : index.files())
        source.files.push_back(orThrow(nn::MappedFile::open(one.path, one.identity)));
    readAhead(source, watch);
    made->config.alphasCumprod = alphasCumprod(index, source);
    made->device = device;
    made->dtype = dtype;
    made->vaeDtype = dtype == torch::kFloat16 ? torch::kFloat32 : dtype;
    made->text = ClipTextModel(made->config.text);
    made->unet = UNet(made->config.unet);
    made->vae = Vae(made->config.vae);

    nn::BindReport report;
    nn::bind(*made->text, made->config.textPrefix, source, report);
    nn::bind(*made->unet, made->config.unetPrefix, source, report);
    source.dtype = made->vaeDtype;
    nn::bind(*made->vae, made->config.vaePrefix, source, report);
    made->warnings = nn::unusedKeys(index, report).warnings();
    made->bytes = report.bytes;
    if (report.mapped > 0) made->files = source.files;
    return made;
}

}  // namespace sg
