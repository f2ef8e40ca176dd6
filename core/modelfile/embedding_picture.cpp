#include "core/modelfile/embedding_picture.h"

#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/base/utf8.h"
#include "core/modelfile/hidden_embedding.h"
#include "core/modelfile/refusal.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

namespace sg {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kSignature = "\x89PNG\r\n\x1a\n"sv;
constexpr std::string_view kKeyword = "sd-ti-embedding\0"sv;
constexpr std::string_view kTensor = "TORCHTENSOR";
constexpr std::string_view kParams = "string_to_param";
constexpr int kMostChunks = 64;
constexpr std::uint64_t kChunkHead = 8, kChunkSum = 4;

struct Place {
    std::uint64_t offset = 0, bytes = 0;
};

/// Where the text lies, without its keyword.
std::optional<Place> findText(const ByteSource &file)
{
    if (file.size() > kMaxEmbeddingPicture) return std::nullopt;
    const Expected<std::string> signature = file.text(0, kSignature.size());
    if (!signature || *signature != kSignature) return std::nullopt;
    std::uint64_t at = kSignature.size();
    for (int n = 0; n < kMostChunks; ++n) {
        const Expected<std::string> head = file.text(at, kChunkHead);
        if (!head || head->ends_with("IDAT") || head->ends_with("IEND")) return std::nullopt;
        std::uint64_t bytes = 0;
        for (std::size_t i = 0; i < 4; ++i)
            bytes = bytes << 8 | static_cast<unsigned char>((*head)[i]);
        const std::uint64_t left = file.size() - at - kChunkHead;
        if (left < kChunkSum || bytes > left - kChunkSum) return std::nullopt;
        if (head->ends_with("tEXt") && bytes > kKeyword.size()) {
            const Expected<std::string> keyword = file.text(at + kChunkHead, kKeyword.size());
            if (keyword && *keyword == kKeyword)
                return Place{at + kChunkHead + kKeyword.size(), bytes - kKeyword.size()};
        }
        at += kChunkHead + bytes + kChunkSum;
    }
    return std::nullopt;
}

Expected<CarriedVectors> vectorsOf(const std::string &key, const Json &json)
{
    const auto held = json.is_object() ? json.find(kTensor) : json.end();
    if (!json.is_object() || held == json.end() || !held->is_array()) return refuse(key + " is no tensor");
    // One vector may be written as it is.
    const Json rows = !held->empty() && held->front().is_number() ? Json::array({*held}) : *held;
    CarriedVectors made{key, static_cast<std::int64_t>(rows.size()), 0, {}};
    if (made.count < 1 || made.count > kMaxCarriedVectors)
        return refuse(key + " must have 1 to " + std::to_string(kMaxCarriedVectors) + " vectors");
    for (const Json &row : rows) {
        const auto width = row.is_array() ? static_cast<std::int64_t>(row.size()) : 0;
        if (width < 1 || width > kMaxCarriedWidth || (made.width != 0 && width != made.width))
            return refuse(key + " must have vectors of one length, 1 to " + std::to_string(kMaxCarriedWidth));
        made.width = width;
        for (const Json &value : row) {
            const float number = value.is_number() ? value.get<float>() : NAN;
            if (!std::isfinite(number)) return refuse(key + " has a value that is no number");
            made.values.push_back(number);
        }
    }
    return made;
}

Expected<std::vector<CarriedVectors>> collect(const Json &json)
{
    std::vector<std::pair<std::string, const Json *>> wanted;
    if (json.is_object() && json.contains("clip_l") && json.contains("clip_g")) {
        wanted = {{"clip_l", &json["clip_l"]}, {"clip_g", &json["clip_g"]}};
    } else if (json.is_object()) {
        const auto params = json.find(kParams);
        if (params == json.end() || !params->is_object() || params->empty())
            return refuse("its embedding has neither string_to_param nor clip_l and clip_g");
        wanted = {{std::string(kParams) + ".*", &*params->begin()}};
    } else {
        return refuse("its embedding is no JSON object");
    }
    std::vector<CarriedVectors> all;
    for (const auto &[key, tensor] : wanted) {
        Expected<CarriedVectors> vectors = vectorsOf(key, *tensor);
        if (!vectors) return Unexpected{vectors.error()};
        all.push_back(std::move(*vectors));
    }
    if (all.size() == 2 && all[0].count != all[1].count)
        return refuse("clip_l and clip_g have different numbers of vectors");
    return all;
}

Expected<std::vector<CarriedVectors>> parse(const std::string &text)
{
    const Expected<Json> json = parseJson(text, {.bytes = kMaxEmbeddingText, .depth = 8, .values = 1'000'000});
    if (!json) return refuse("its embedding: " + json.error().message);
    return collect(*json);
}

}  // namespace

bool carriesEmbedding(const ByteSource &file)
{
    return findText(file).has_value();
}

bool carriesEmbedding(const std::filesystem::path &path)
{
    const Expected<FileSource> file = FileSource::open(path);
    return file && carriesEmbedding(*file);
}

bool mayHideEmbedding(const std::filesystem::path &path)
{
    if (lowerAscii(path.extension().string()) != ".png") return false;
    const std::filesystem::path folder = path.parent_path();
    return std::any_of(folder.begin(), folder.end(),
                       [](const auto &part) { return lowerAscii(part.string()) == "embeddings"; });
}

Expected<std::vector<CarriedVectors>> readEmbeddingPicture(const ByteSource &file)
{
    const std::optional<Place> place = findText(file);
    if (!place) {
        const Expected<std::string> hidden = readHiddenEmbedding(file);
        if (!hidden) return Unexpected{hidden.error()};
        return parse(*hidden);
    }
    if (place->bytes > kMaxEmbeddingText)
        return refuse("its embedding's text is longer than " + std::to_string(kMaxEmbeddingText >> 20) + " MiB");
    const Expected<std::string> text = file.text(place->offset, place->bytes);
    if (!text) return Unexpected{text.error()};
    const Expected<std::string> bytes = decodeBase64(*text);
    if (!bytes) return refuse("its embedding: " + bytes.error().message);
    return parse(*bytes);
}

Expected<std::vector<CarriedVectors>> readEmbeddingPicture(const std::filesystem::path &path)
{
    const Expected<FileSource> file = FileSource::open(path);
    if (!file) return Unexpected{file.error()};
    Expected<std::vector<CarriedVectors>> vectors = readEmbeddingPicture(*file);
    if (!vectors) return fail(vectors.error().code, vectors.error().message, path.string());
    return vectors;
}

TensorIndex embeddingIndex(const std::string &path, const std::vector<CarriedVectors> &vectors)
{
    TensorIndex::Tensors tensors;
    std::uint64_t bytes = 0;
    for (const CarriedVectors &one : vectors) {
        tensors[one.key] = {.dtype = DType::F32, .shape = {one.count, one.width}, .bytes = one.values.size() * 4};
        bytes += one.values.size() * 4;
    }
    return {path, bytes, {}, std::move(tensors)};
}

}  // namespace sg
