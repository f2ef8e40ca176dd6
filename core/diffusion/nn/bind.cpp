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

std::optional<torch::ScalarType> scalarType(DType type)
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

torch::Tensor fetch(const TensorInfo &info, const Wanted &wanted, const WeightSource &source, BindReport &report)
{
    const auto type = scalarType(info.dtype);
    if (!type)
        refuse(ErrorCode::UnusableFile, "has type " + std::string(dtypeName(info.dtype)) + ", which no weight has",
               wanted.key);
    if (info.offset + info.bytes > source.file->size())
        refuse(ErrorCode::ModelChanged, "lies beyond the end of the file", wanted.key);
    std::byte *place = source.file->data() + info.offset;
    torch::Tensor held;
    if (info.offset % torch::elementSize(*type) == 0) {
        held = torch::from_blob(
            place, wanted.declared->shape, [keep = source.file](void *) {}, *type);
    } else {
        held = torch::empty(wanted.declared->shape, *type);
        std::memcpy(held.data_ptr(), place, info.bytes);
    }
    torch::Tensor moved = held.to(source.device).to(source.dtype);
    if (!source.device.is_cpu() && moved.dim() == 4) moved = moved.contiguous(at::MemoryFormat::ChannelsLast);
    report.bytes += moved.nbytes();
    if (moved.data_ptr() == static_cast<void *>(place)) report.mapped += moved.nbytes();
    return moved;
}

}  // namespace

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
        leaf->edit([&, &wanted = wanted](const auto &) {
            for (const Wanted &one : wanted) {
                torch::Tensor parameter = one.declared->parameter;
                parameter.set_data(fetch(*source.index.find(one.key), one, source, report));
                report.used.insert(one.key);
            }
        });
    }
    if (!source.file->unchanged())
        refuse(ErrorCode::ModelChanged, "the model file changed while it was being read", source.index.path());
}

std::vector<std::string> checkUnexpected(const TensorIndex &index, const BindReport &report)
{
    std::vector<std::string> ignored, unexpected;
    for (const auto &[key, info] : index.tensors()) {
        if (report.used.contains(key)) continue;
        const bool known = key.ends_with(".position_ids") || std::any_of(kIgnored.begin(), kIgnored.end(), [&](auto p) {
                               return std::string_view(key).starts_with(p);
                           });
        (known ? ignored : unexpected).push_back(key);
    }
    if (!unexpected.empty())
        refuse(ErrorCode::UnusableFile,
               std::to_string(unexpected.size()) + " tensors belong to no known network: " + keyList(unexpected),
               index.path());
    return ignored;
}

}  // namespace sg::nn
