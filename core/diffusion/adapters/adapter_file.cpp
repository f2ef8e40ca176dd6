#include "core/diffusion/adapters/adapter_file.h"

#include "core/base/or_throw.h"
#include "core/diffusion/nn/bind.h"
#include "core/modelfile/model_file.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

namespace sg::adapters {
namespace {

/// Beside weights an adapter may hold numbers and switches.
std::optional<torch::ScalarType> scalarType(DType type)
{
    switch (type) {
    case DType::Bool:
        return torch::kBool;
    case DType::U8:
        return torch::kUInt8;
    case DType::I32:
        return torch::kInt32;
    case DType::I64:
        return torch::kInt64;
    default:
        return nn::weightType(type);
    }
}

}  // namespace

AdapterFile::AdapterFile(const std::filesystem::path &path)
    : m_index(orThrow(readModelFile(path))), m_settings(orThrow(readAdapterSettings(m_index))),
      m_groups(adapterGroups(m_index, m_unknown))
{
    for (const SourceFile &file : m_index.files())
        m_files.push_back(orThrow(nn::MappedFile::open(file.path, file.identity)));
}

torch::Tensor AdapterFile::stored(const TensorInfo &info, const std::string &key,
                                  const std::function<void()> &alive) const
{
    if (!info.parts.empty()) {
        std::vector<torch::Tensor> parts;
        for (const TensorInfo &part : info.parts)
            parts.push_back(stored(part, key, alive));
        return at::cat(parts);
    }
    const std::optional<torch::ScalarType> type = scalarType(info.dtype);
    if (!type)
        throw Failure{
            {ErrorCode::UnusableFile, "has type " + std::string(dtypeName(info.dtype)) + ", which no weight has", key}};
    const nn::MappedFile &file = *m_files.at(info.file);
    const std::uint64_t span = info.span();
    if (info.offset + span > file.size())
        throw Failure{{ErrorCode::ModelChanged, "lies beyond the end of the file", key}};
    file.await(info.offset, span, alive);
    torch::Tensor bytes = at::empty({static_cast<std::int64_t>(span)}, torch::kByte);
    if (span > 0) std::memcpy(bytes.data_ptr(), file.data() + info.offset, span);
    const torch::Tensor row = bytes.view(*type);
    return (info.strides.empty() ? row.view(info.shape) : row.as_strided(info.shape, info.strides)).to(torch::kFloat32);
}

torch::Tensor AdapterFile::read(const std::string &key) const
{
    const TensorInfo *info = m_index.find(key);
    if (!info) throw Failure{{ErrorCode::UnusableFile, "is missing", key}};
    return stored(*info, key, {});
}

Parts AdapterFile::read(const AdapterGroup &group, const std::function<void()> &alive) const
{
    Parts parts;
    for (const auto &[part, key] : group.parts)
        parts.emplace(part, stored(*m_index.find(key), key, alive));
    addSettings(group, parts);
    return parts;
}

/// peft's own files hold no numbers of their own beside the weights.
void AdapterFile::addSettings(const AdapterGroup &group, Parts &parts) const
{
    const auto found = m_settings.of(group.layer);
    if (!found) return;
    const auto &[settings, layer] = *found;
    const auto set = [&parts](const char *part, double value) {
        parts.emplace(part, at::full({}, value, torch::kFloat32));
    };
    const auto begins = [&](const char *part) {
        return parts.lower_bound(part) != parts.end() && parts.lower_bound(part)->first.starts_with(part);
    };
    if (begins("boft_")) return;
    if (begins("oft_r")) {
        set("series", settings->series ? static_cast<double>(settings->terms) : 0);
        if (settings->constrained) set("longest", settings->longest);
        return;
    }
    if (begins("ia3_l")) {
        const auto &names = settings->feedforward;
        const auto fits = [&](const std::string &name) {
            return name.starts_with('^') ? layer == name.substr(1) : layer.ends_with(name);
        };
        set("on_input", std::any_of(names.begin(), names.end(), fits) ? 1 : 0);
        return;
    }
    const std::optional<double> own = valueOf(settings->alphas, layer), alpha = own ? own : settings->alpha;
    if (!alpha || parts.contains("alpha") || parts.contains("scale")) return;
    // LoRA's rank is its weights'; of two whole factors of LoKr nothing else tells.
    const auto down = parts.find("lora_down");
    const double said = valueOf(settings->ranks, layer).value_or(settings->rank);
    const double rank =
        down != parts.end() && down->second.dim() > 0 ? static_cast<double>(down->second.size(0)) : said;
    if (rank > 0) set("scale", *alpha / (settings->rootOfRank ? std::sqrt(rank) : rank));
}

void AdapterFile::requireUnchanged() const
{
    for (const auto &file : m_files)
        if (!file->unchanged())
            throw Failure{{ErrorCode::ModelChanged, "the file changed while it was being read", m_index.path()}};
}

}  // namespace sg::adapters
