#include "core/modelfile/diffusers_folder.h"

#include "core/base/json.h"
#include "core/modelfile/byte_source.h"
#include "core/modelfile/model_file.h"
#include "core/modelfile/refusal.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

namespace sg {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxConfig = 1u << 20;
constexpr std::uint64_t kMaxShardIndex = 32u << 20;
constexpr std::size_t kMaxShards = 256;
constexpr std::array kParts{"unet", "vae", "text_encoder", "text_encoder_2"};

Expected<Json> readJson(const fs::path &path, std::uint64_t limit)
{
    const std::string name = path.parent_path().filename().string() + "/" + path.filename().string();
    const Expected<FileSource> file = FileSource::open(path);
    if (!file) return refuse(name + ": " + file.error().message);
    if (file->size() > limit) return refuse(name + ": is longer than " + std::to_string(limit) + " bytes");
    const Expected<std::string> text = file->text(0, file->size());
    if (!text) return refuse(name + ": " + text.error().message);
    Expected<Json> json = parseJson(*text, {.bytes = limit, .depth = 16, .values = 1'000'000});
    if (!json) return refuse(name + ": " + json.error().message);
    if (!json->is_object()) return refuse(name + ": must be an object");
    return json;
}

/// The file, or the index of shards, that holds a part's weights: safetensors before torch files, whole before fp16.
fs::path weightsOf(const fs::path &part)
{
    std::error_code error;
    for (const char *variant : {"", ".fp16"})
        for (const char *ending : {".safetensors", ".bin"})
            for (const char *base : {"diffusion_pytorch_model", "model", "pytorch_model"})
                for (const std::string &name :
                     {base + std::string(variant) + ending, base + std::string(variant) + ending + ".index.json",
                      base + std::string(ending) + ".index" + variant + ".json"})
                    if (fs::is_regular_file(part / name, error)) return part / name;
    return {};
}

/// One folder being put together.
class Folder {
public:
    explicit Folder(fs::path path) : m_path(std::move(path)) {}

    Expected<void> part(const std::string &name)
    {
        const fs::path weights = weightsOf(m_path / name);
        if (weights.empty()) return refuse(name + ": holds no weights (safetensors or bin)");
        if (weights.extension() == ".json") return shards(name, weights);
        return file(name, weights, nullptr);
    }

    void remember(const std::string &key, std::string value)
    {
        if (!value.empty()) m_metadata.insert_or_assign(key, std::move(value));
    }

    Expected<TensorIndex> finish()
    {
        const Expected<FileIdentity> identity = fileIdentity(m_path);
        if (!identity) return Unexpected{identity.error()};
        std::uint64_t size = 0;
        for (const SourceFile &one : m_files)
            size += one.identity.size;
        TensorIndex index(m_path.string(), size, std::move(m_metadata), std::move(m_tensors));
        index.setSources(m_path.string(), *identity, std::move(m_files));
        return index;
    }

private:
    Expected<void> file(const std::string &part, const fs::path &path, const std::set<std::string> *wanted)
    {
        const std::string shown = part + "/" + path.filename().string();
        std::error_code error;
        if (!fs::is_regular_file(path, error)) return refuse(shown + ": is not there");
        const Expected<TensorIndex> index = readModelFile(path);
        if (!index) return refuse(shown + ": " + index.error().message);
        const auto number = static_cast<std::uint32_t>(m_files.size());
        m_files.insert(m_files.end(), index->files().begin(), index->files().end());
        if (wanted)
            for (const std::string &name : *wanted)
                if (!index->contains(name))
                    return refuse(shown + ": lacks " + name.substr(0, 120) + ", which the index says it has");
        for (auto [name, info] : index->tensors()) {
            if (wanted && !wanted->contains(name)) continue;
            info.file = number;
            if (!m_tensors.emplace(part + "." + name, std::move(info)).second)
                return refuse(shown + ": tensor " + name.substr(0, 120) + " comes twice");
        }
        return {};
    }

    Expected<void> shards(const std::string &part, const fs::path &path)
    {
        const Expected<Json> json = readJson(path, kMaxShardIndex);
        if (!json) return Unexpected{json.error()};
        const std::string shown = part + "/" + path.filename().string();
        const auto map = json->find("weight_map");
        if (map == json->end() || !map->is_object()) return refuse(shown + ": weight_map must be an object");
        std::map<std::string, std::set<std::string>> byFile;
        for (const auto &[name, value] : map->items()) {
            if (!value.is_string()) return refuse(shown + ": weight_map must name a file for each tensor");
            const std::string &leaf = value.get_ref<const std::string &>();
            if (leaf.empty() || leaf.front() == '.' || leaf.size() > 255 ||
                leaf.find_first_of(std::string("/\\\0", 3)) != std::string::npos ||
                !(leaf.ends_with(".safetensors") || leaf.ends_with(".bin")))
                return refuse(shown + ": \"" + leaf.substr(0, 120) + "\" is no name of a shard in this folder");
            byFile[leaf].insert(name);
            if (byFile.size() > kMaxShards) return refuse(shown + ": more than 256 shards");
        }
        if (byFile.empty()) return refuse(shown + ": weight_map is empty");
        for (const auto &[leaf, names] : byFile)
            if (Expected<void> read = file(part, path.parent_path() / leaf, &names); !read) return read;
        return {};
    }

    fs::path m_path;
    std::vector<SourceFile> m_files;
    TensorIndex::Metadata m_metadata;
    TensorIndex::Tensors m_tensors;
};

/// Whether model_index.json has the part: ["library", "class"], and not [null, null].
bool hasPart(const Json &index, const char *name)
{
    const auto it = index.find(name);
    return it != index.end() && it->is_array() && it->size() == 2 && (*it)[1].is_string();
}

std::string numberText(const Json &config, const char *key)
{
    const auto it = config.find(key);
    if (it == config.end() || !it->is_number()) return {};
    return dumpJson(*it);
}

/// Heads: one number is their count, whatever diffusers calls it; a list gives each level's.
void readUnetConfig(const Json &config, Folder &folder)
{
    folder.remember("serigraph.unet.norm_groups", numberText(config, "norm_num_groups"));
    const char *key = config.contains("num_attention_heads") && !config["num_attention_heads"].is_null()
                          ? "num_attention_heads"
                          : "attention_head_dim";
    const auto heads = config.find(key), widths = config.find("block_out_channels");
    if (heads == config.end()) return;
    if (heads->is_number_unsigned()) {
        folder.remember("serigraph.unet.heads", dumpJson(*heads));
        return;
    }
    if (!heads->is_array() || widths == config.end() || !widths->is_array() || heads->size() != widths->size()) return;
    std::set<std::uint64_t> sizes;
    for (std::size_t i = 0; i < heads->size(); ++i) {
        const Json &count = (*heads)[i], &width = (*widths)[i];
        if (!count.is_number_unsigned() || !width.is_number_unsigned() || count.get<std::uint64_t>() == 0) return;
        sizes.insert(width.get<std::uint64_t>() / count.get<std::uint64_t>());
    }
    if (sizes.size() == 1 && *sizes.begin() != 64)
        folder.remember("serigraph.unet.head_dim", std::to_string(*sizes.begin()));
}

void readTextConfig(const Json &config, const std::string &prefix, Folder &folder)
{
    folder.remember(prefix + ".heads", numberText(config, "num_attention_heads"));
    const auto activation = config.find("hidden_act");
    if (activation != config.end() && activation->is_string())
        folder.remember(prefix + ".activation", activation->get<std::string>().substr(0, 40));
}

void readSchedulerConfig(const Json &config, Folder &folder)
{
    const auto prediction = config.find("prediction_type");
    if (prediction != config.end() && prediction->is_string())
        folder.remember("modelspec.prediction_type", prediction->get<std::string>().substr(0, 40));
    const auto zero = config.find("rescale_betas_zero_snr");
    if (zero != config.end() && zero->is_boolean() && zero->get<bool>())
        folder.remember("ss_zero_terminal_snr", "True");
}

Expected<void> readConfigs(const fs::path &path, const Json &index, Folder &folder)
{
    const bool second = hasPart(index, "text_encoder") && hasPart(index, "text_encoder_2");
    const auto read = [&](const char *part, const char *name, const auto &use) -> Expected<void> {
        std::error_code error;
        if (!fs::exists(path / part / name, error)) return {};
        const Expected<Json> json = readJson(path / part / name, kMaxConfig);
        if (!json) return Unexpected{json.error()};
        use(*json);
        return {};
    };
    const std::array all{
        read("unet", "config.json", [&](const Json &json) { readUnetConfig(json, folder); }),
        read("vae", "config.json",
             [&](const Json &json) {
                 folder.remember("serigraph.vae.norm_groups", numberText(json, "norm_num_groups"));
                 folder.remember("serigraph.latent.scale", numberText(json, "scaling_factor"));
             }),
        read("text_encoder", "config.json", [&](const Json &json) { readTextConfig(json, "serigraph.text", folder); }),
        read("text_encoder_2", "config.json",
             [&](const Json &json) { readTextConfig(json, second ? "serigraph.text2" : "serigraph.text", folder); }),
        read("scheduler", "scheduler_config.json", [&](const Json &json) { readSchedulerConfig(json, folder); })};
    for (const Expected<void> &one : all)
        if (!one) return one;
    return {};
}

Expected<TensorIndex> readParts(const fs::path &path)
{
    const Expected<Json> index = readJson(path / kModelIndex, kMaxConfig);
    if (!index) return Unexpected{index.error()};
    const auto kind = index->find("_class_name");
    const std::string name = kind != index->end() && kind->is_string() ? kind->get<std::string>().substr(0, 80)
                                                                       : "a pipeline without a name";
    if (!hasPart(*index, "unet"))
        return refuse("is " + name + ", which has no unet: such pipelines are not supported yet");
    Folder folder(path);
    folder.remember("diffusers.pipeline", name);
    for (const char *part : kParts)
        if (hasPart(*index, part))
            if (const Expected<void> read = folder.part(part); !read) return Unexpected{read.error()};
    if (const Expected<void> read = readConfigs(path, *index, folder); !read) return Unexpected{read.error()};
    return folder.finish();
}

}  // namespace

Expected<TensorIndex> readDiffusersFolder(const fs::path &folder)
{
    Expected<TensorIndex> index = readParts(folder);
    if (index) return index;
    Error error = index.error();
    error.subject = folder.string();
    return Unexpected{std::move(error)};
}

}  // namespace sg
