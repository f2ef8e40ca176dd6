#include "core/diffusion/pipeline/checkpoint.h"

#include "core/diffusion/nn/bind.h"
#include "core/modelfile/safetensors.h"

#include <cstring>
#include <utility>

namespace sg {
namespace {

template <class Value>
Value orThrow(Expected<Value> value)
{
    if (!value) throw Failure{value.error()};
    return std::move(*value);
}

// The noise levels that some files carry along.
std::vector<float> alphasCumprod(const TensorIndex &index, const nn::MappedFile &file)
{
    const TensorInfo *info = index.find("alphas_cumprod");
    if (!info || info->dtype != DType::F32 || info->offset + info->bytes > file.size()) return {};
    std::vector<float> values(info->bytes / sizeof(float));
    std::memcpy(values.data(), file.data() + info->offset, values.size() * sizeof(float));
    return sampling::isUsableSchedule(values) ? values : std::vector<float>{};
}

}  // namespace

void Checkpoint::requireUnchanged() const
{
    if (file && !file->unchanged())
        throw Failure{Error{ErrorCode::ModelChanged, "the model file changed since it was loaded", {}}};
}

std::shared_ptr<Checkpoint> loadCheckpoint(const std::filesystem::path &path, const torch::Device &device,
                                           torch::ScalarType dtype, std::stop_token stop)
{
    const TensorIndex index = orThrow(readSafetensors(path));
    auto made = std::make_shared<Checkpoint>();
    made->config = CheckpointConfig::detect(index);
    std::shared_ptr<nn::MappedFile> file = orThrow(nn::MappedFile::open(path, index.identity()));
    file->prefetch();
    made->config.alphasCumprod = alphasCumprod(index, *file);
    made->device = device;
    made->dtype = dtype;
    made->vaeDtype = dtype == torch::kFloat16 ? torch::kFloat32 : dtype;
    made->text = ClipTextModel(made->config.text);
    made->unet = UNet(made->config.unet);
    made->vae = Vae(made->config.vae);

    nn::BindReport report;
    nn::WeightSource source{index, file, device, dtype, stop};
    nn::bind(*made->text, made->config.textPrefix, source, report);
    nn::bind(*made->unet, made->config.unetPrefix, source, report);
    source.dtype = made->vaeDtype;
    nn::bind(*made->vae, made->config.vaePrefix, source, report);
    const std::vector<std::string> ignored = nn::checkUnexpected(index, report);
    if (!ignored.empty())
        made->warnings.push_back(std::to_string(ignored.size()) + " tensors were ignored, " + ignored.front() +
                                 " first");
    made->bytes = report.bytes;
    if (report.mapped > 0) made->file = file;
    return made;
}

}  // namespace sg
