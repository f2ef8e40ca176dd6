#include "core/models/model_reader.h"

#include "core/modelfile/embedding_picture.h"
#include "core/modelfile/key_dialect.h"
#include "core/modelfile/model_file.h"
#include "core/modelfile/model_kind.h"
#include "core/modelfile/upscaler_file.h"

#include <charconv>
#include <utility>

namespace sg {
namespace {

constexpr std::size_t kMostAlias = 255;
constexpr std::int64_t kMostVectors = 10'000;
constexpr std::int64_t kMostWidth = 1'000'000;

std::string typeName(ModelKind kind)
{
    switch (kind) {
    case ModelKind::Checkpoint:
        return "stableDiffusion";
    case ModelKind::Vae:
        return "sdVae";
    default:
        return std::string(modelKindName(kind));
    }
}

/// "512x768"; zeros for anything else.
std::pair<int, int> parseResolution(std::string_view text)
{
    int width = 0, height = 0;
    const char *end = text.data() + text.size();
    const auto first = std::from_chars(text.data(), end, width);
    if (first.ec != std::errc() || first.ptr == end || *first.ptr != 'x') return {0, 0};
    const auto second = std::from_chars(first.ptr + 1, end, height);
    if (second.ec != std::errc() || second.ptr != end || width < 8 || height < 8 || width > 16384 || height > 16384)
        return {0, 0};
    return {width, height};
}

int nativeSide(BaseFamily family)
{
    if (family == BaseFamily::Sd1) return 512;
    if (family == BaseFamily::Sdxl) return 1024;
    return 0;
}

/// A SHA-256 in hexadecimal; anything else is nothing.
std::string hashOrNothing(std::string_view text)
{
    const bool hash = text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    return hash ? std::string(text) : std::string();
}

/// An embedding that is carried by a picture, as if it were a file of its own.
Expected<TensorIndex> pictureIndex(const std::string &path)
{
    const Expected<std::vector<CarriedVectors>> vectors = readEmbeddingPicture(std::filesystem::path(path));
    if (!vectors) return Unexpected{vectors.error()};
    return embeddingIndex(path, *vectors);
}

/// Of a picture whose pixels were looked at: of most of those, nobody ever said that they hide anything.
std::string pictureType(const Error &error)
{
    return error.code == ErrorCode::NotFound ? kNoModel : "embedding";
}

/// How many vectors an embedding stands for, and how wide they are.
void readVectors(const TensorIndex &index, ModelRecord &record)
{
    for (const auto &[name, tensor] : index.tensors()) {
        if (tensor.shape.size() != 2 || tensor.shape[0] > kMostVectors || tensor.shape[1] > kMostWidth) continue;
        record.vectors = static_cast<int>(tensor.shape[0]);
        record.vectorWidth = static_cast<int>(tensor.shape[1]);
    }
}

ModelRecord unusable(ModelRecord record, std::string reason)
{
    if (record.type.empty()) record.type = "unknown";
    record.status = "unusable";
    record.reason = std::move(reason);
    return record;
}

/// A UNet alone is recognised, and of no use in the list of checkpoints.
ModelDescription describe(const TensorIndex &index)
{
    ModelDescription description = describeModel(index);
    const bool alone = !index.hasPrefix("first_stage_model.") && !index.hasPrefix("cond_stage_model.") &&
                       !index.hasPrefix("conditioner.");
    if (description.kind == ModelKind::Checkpoint && description.family != BaseFamily::Other && alone) {
        description.kind = ModelKind::Unknown;
        description.reason = "a UNet alone, without text encoder and VAE (" + description.reason + ")";
    }
    return description;
}

}  // namespace

ModelRecord readModelRecord(const std::string &path)
{
    ModelRecord record;
    record.path = path;
    const bool hiding = mayHideEmbedding(path);
    const Expected<TensorIndex> index = hiding || carriesEmbedding(path) ? pictureIndex(path) : readModelFile(path);
    if (!index && hiding && !carriesEmbedding(path)) record.type = pictureType(index.error());
    if (!index) return unusable(std::move(record), index.error().message);
    const ModelDescription description = describe(canonicalNames(*index));
    record.type = typeName(description.kind);
    record.family =
        description.family == BaseFamily::Unknown ? std::string() : std::string(familyName(description.family));
    record.variant = description.variant;
    record.status = "unloaded";
    record.reason = description.reason;
    record.title = index->meta("modelspec.title");
    record.description = index->meta("modelspec.description");
    if (description.kind == ModelKind::Upscaler) {
        const Expected<UpscalerFile> upscaler = readUpscaler(*index);
        if (!upscaler) return unusable(std::move(record), upscaler.error().message);
        record.scale = static_cast<int>(upscaler->config.scale);
    }
    if (description.kind == ModelKind::Embedding) readVectors(*index, record);
    if (description.kind == ModelKind::Lora) {
        record.alias = index->meta("ss_output_name").substr(0, kMostAlias);
        record.contentHash = hashOrNothing(index->meta("sshs_model_hash"));
    }
    std::tie(record.nativeWidth, record.nativeHeight) = parseResolution(index->meta("modelspec.resolution"));
    if (record.nativeWidth == 0) record.nativeWidth = record.nativeHeight = nativeSide(description.family);
    if (description.kind == ModelKind::Unknown)
        return unusable(std::move(record), "no known kind of model: " + description.reason);
    if (description.kind == ModelKind::Checkpoint && description.family == BaseFamily::Other)
        return unusable(std::move(record), "a family that is not supported yet: " + description.reason);
    if (!description.refusal.empty()) return unusable(std::move(record), description.refusal);
    return record;
}

}  // namespace sg
