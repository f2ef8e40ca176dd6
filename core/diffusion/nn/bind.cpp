#include "core/diffusion/nn/bind.h"

#include "core/diffusion/nn/layers.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

namespace sg::nn {
namespace {

constexpr std::size_t kNamedKeys = 5;
constexpr std::int64_t kWorthWaiting = 1 << 14;  // bytes of a weight; smaller ones are converted at once

// Beginnings of keys that single files carry beside the networks: nothing here is needed to draw a picture.
constexpr std::array<std::string_view, 20> kIgnored{"model_ema.",
                                                    "ema.",
                                                    "first_stage_model.loss.",
                                                    "first_stage_model.model_ema.",
                                                    "cond_stage_model.logit_scale",
                                                    "cond_stage_model.text_projection",
                                                    "cond_stage_model.transformer.text_projection",
                                                    "cond_stage_model.transformer.logit_scale",
                                                    "cond_stage_model.transformer.visual_projection",
                                                    "embedding_manager.",
                                                    "safety_checker.",
                                                    "alphas_cumprod",
                                                    "betas",
                                                    "log_one_minus_alphas_cumprod",
                                                    "logvar",
                                                    "lvlb_weights",
                                                    "posterior_",
                                                    "sqrt_",
                                                    "denoiser.",
                                                    "scale_factor"};

[[noreturn]] void refuse(ErrorCode code, std::string message, std::string subject)
{
    throw Failure{Error{code, std::move(message), std::move(subject)}};
}

std::string shapeText(const std::vector<std::int64_t> &shape)
{
    std::string text = "[";
    for (const std::int64_t size : shape)
        text += (text.size() > 1 ? ", " : "") + std::to_string(size);
    return text + "]";
}

std::string keyList(const std::vector<std::string> &keys)
{
    std::string text;
    for (std::size_t i = 0; i < std::min(keys.size(), kNamedKeys); ++i)
        text += (i ? ", " : "") + keys[i];
    return keys.size() > kNamedKeys ? text + ", …" : text;
}

// A 1x1 convolution's weight is written as a matrix by some programs.
bool sameShape(std::vector<std::int64_t> held, const std::vector<std::int64_t> &wanted)
{
    while (held.size() < wanted.size() && wanted[held.size()] == 1)
        held.push_back(1);
    return held == wanted;
}

struct Wanted {
    std::string key;
    const Leaf::Declared *declared;
};

// The tensor as it lies in its mapped file, whatever its strides; copied where an element would lie across its
// alignment.
torch::Tensor view(const TensorInfo &info, at::IntArrayRef shape, const std::string &key, const WeightSource &source)
{
    const auto type = weightType(info.dtype);
    if (!type)
        refuse(ErrorCode::UnusableFile, "has type " + std::string(dtypeName(info.dtype)) + ", which no weight has",
               key);
    const auto &file = source.files.at(info.file);
    if (info.offset + info.span() > file->size())
        refuse(ErrorCode::ModelChanged, "lies beyond the end of the file", key);
    file->await(info.offset, info.span(), source.alive);
    std::byte *place = file->data() + info.offset;
    const at::IntArrayRef sizes = info.strides.empty() ? shape : at::IntArrayRef(info.shape);
    if (info.offset % torch::elementSize(*type) == 0) {
        const auto keep = [file](void *) {};
        return info.strides.empty() ? torch::from_blob(place, sizes, keep, *type)
                                    : torch::from_blob(place, sizes, info.strides, keep, *type);
    }
    const auto bytes = static_cast<std::int64_t>(info.span());
    torch::Tensor whole = torch::empty({bytes / static_cast<std::int64_t>(torch::elementSize(*type))}, *type);
    std::memcpy(whole.data_ptr(), place, info.span());
    return info.strides.empty() ? whole.view(sizes) : whole.as_strided(sizes, info.strides);
}

// Whether a weight stays in its file: most layers multiply with it as it lies there, others convert it when they first
// run, and the autoencoder's encoder is not used by most tasks at all.
bool mayWait(const torch::Tensor &held, const WeightSource &source)
{
    const bool half = held.scalar_type() == torch::kFloat16 || held.scalar_type() == torch::kBFloat16;
    return half && source.device.is_cpu() && source.dtype == torch::kFloat32 && held.dim() >= 2 &&
           held.is_contiguous() && static_cast<std::int64_t>(held.nbytes()) >= kWorthWaiting;
}

torch::Tensor fetch(const TensorInfo &info, const Wanted &wanted, const WeightSource &source, BindReport &report)
{
    std::vector<torch::Tensor> parts;
    for (const TensorInfo &part : info.parts)
        parts.push_back(view(part, part.shape, wanted.key, source).to(source.dtype));
    const torch::Tensor held =
        parts.empty() ? view(info, wanted.declared->shape, wanted.key, source) : torch::cat(parts);
    const bool inFile = parts.empty() && held.data_ptr() == source.files.at(info.file)->data() + info.offset;
    if (inFile && mayWait(held, source)) {
        report.mapped += held.nbytes();
        report.bytes += held.nbytes();
        return held.view(wanted.declared->shape);
    }
    torch::Tensor moved = held.to(source.device).to(source.dtype).contiguous().view(wanted.declared->shape);
    if (!source.device.is_cpu() && moved.dim() == 4) moved = moved.contiguous(at::MemoryFormat::ChannelsLast);
    report.bytes += moved.nbytes();
    if (inFile && moved.data_ptr() == held.data_ptr()) report.mapped += moved.nbytes();
    return moved;
}

}  // namespace

std::optional<torch::ScalarType> weightType(DType type)
{
    switch (type) {
    case DType::F64:
        return torch::kFloat64;
    case DType::F32:
        return torch::kFloat32;
    case DType::F16:
        return torch::kFloat16;
    case DType::BF16:
        return torch::kBFloat16;
    case DType::F8_E4M3:
        return torch::kFloat8_e4m3fn;
    case DType::F8_E5M2:
        return torch::kFloat8_e5m2;
    default:
        return std::nullopt;
    }
}

void bind(torch::nn::Module &module, const std::string &prefix, const WeightSource &source, BindReport &report)
{
    std::vector<std::pair<Leaf *, std::vector<Wanted>>> leaves;
    std::vector<std::string> missing;
    std::size_t total = 0;
    for (const auto &entry : module.named_modules()) {
        auto *leaf = dynamic_cast<Leaf *>(entry.value().get());
        if (!leaf) continue;
        auto &wanted = leaves.emplace_back(leaf, std::vector<Wanted>{}).second;
        for (const Leaf::Declared &declared : leaf->declared()) {
            const std::string name = entry.key().empty() ? declared.name : entry.key() + "." + declared.name;
            wanted.push_back({prefix + name, &declared});
            ++total;
            const TensorInfo *info = source.index.find(wanted.back().key);
            if (!info)
                missing.push_back(wanted.back().key);
            else if (!sameShape(info->shape, declared.shape))
                refuse(ErrorCode::UnusableFile,
                       "has shape " + shapeText(info->shape) + " where " + shapeText(declared.shape) + " is needed",
                       wanted.back().key);
        }
    }
    if (!missing.empty())
        refuse(ErrorCode::UnusableFile,
               std::to_string(missing.size()) + " of " + std::to_string(total) +
                   " tensors are missing: " + keyList(missing),
               source.index.path());
    for (auto &[leaf, wanted] : leaves) {
        if (source.stop.stop_requested()) refuse(ErrorCode::Cancelled, "loading was cancelled", source.index.path());
        leaf->setPrecision(source.dtype);
        leaf->edit([&, &wanted = wanted](const auto &) {
            for (const Wanted &one : wanted) {
                torch::Tensor parameter = one.declared->parameter;
                parameter.set_data(fetch(*source.index.find(one.key), one, source, report));
                report.used.insert(one.key);
            }
        });
        if (source.alive) source.alive();
    }
    for (const auto &file : source.files)
        if (!file->unchanged())
            refuse(ErrorCode::ModelChanged, "the model file changed while it was being read", source.index.path());
}

UnusedKeys unusedKeys(const TensorIndex &index, const BindReport &report)
{
    UnusedKeys unused;
    for (const auto &[key, info] : index.tensors()) {
        if (report.used.contains(key)) continue;
        const bool known =
            key.ends_with(".position_ids") || key.ends_with(".logit_scale") || key.ends_with(".text_projection") ||
            std::any_of(kIgnored.begin(), kIgnored.end(), [&](auto p) { return std::string_view(key).starts_with(p); });
        (known ? unused.leftovers : unused.unknown).push_back(key);
    }
    return unused;
}

std::vector<std::string> UnusedKeys::warnings() const
{
    std::vector<std::string> texts;
    if (!leftovers.empty())
        texts.push_back(std::to_string(leftovers.size()) + " tensors were ignored, " + leftovers.front() + " first");
    if (!unknown.empty())
        texts.push_back(std::to_string(unknown.size()) +
                        " tensors belong to no known network and were ignored: " + keyList(unknown));
    return texts;
}

}  // namespace sg::nn
