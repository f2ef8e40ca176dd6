#include "core/modelfile/model_file.h"

#include "core/modelfile/byte_source.h"
#include "core/modelfile/diffusers_folder.h"
#include "core/modelfile/named_index.h"
#include "core/modelfile/safetensors.h"
#include "core/modelfile/torch_file.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sg {
namespace {

constexpr std::size_t kFirstBytes = 16;

Expected<ModelFormat> formatOf(const FileSource &file)
{
    const Expected<std::string> bytes = file.text(0, std::min<std::uint64_t>(file.size(), kFirstBytes));
    if (!bytes) return Unexpected{bytes.error()};
    return modelFormat(std::string_view(*bytes));
}

Expected<TensorIndex> readFile(const FileSource &file)
{
    const Expected<ModelFormat> format = formatOf(file);
    if (!format) return Unexpected{format.error()};
    switch (*format) {
    case ModelFormat::TorchZip:
        return readTorchZip(file);
    case ModelFormat::TorchLegacy:
        return readTorchLegacy(file);
    case ModelFormat::Gguf:
        return fail(ErrorCode::UnusableFile, "is a GGUF file, which is not supported yet");
    default:
        return readSafetensors(file);
    }
}

}  // namespace

std::string_view modelFormatName(ModelFormat format)
{
    constexpr std::array<std::string_view, 6> kNames{"safetensors",      "torch zip", "torch legacy",
                                                     "diffusers folder", "GGUF",      "unknown"};
    return kNames.at(static_cast<std::size_t>(format));
}

ModelFormat modelFormat(std::string_view firstBytes)
{
    // A safetensors file begins with its header's length, whose bytes may look like anything.
    if (firstBytes.size() >= 9 && firstBytes[8] == '{') return ModelFormat::Safetensors;
    if (firstBytes.starts_with(std::string_view("PK\x03\x04", 4))) return ModelFormat::TorchZip;
    if (firstBytes.starts_with("GGUF")) return ModelFormat::Gguf;
    if (firstBytes.size() >= 2 && firstBytes[0] == '\x80' && firstBytes[1] >= 2 && firstBytes[1] <= 5)
        return ModelFormat::TorchLegacy;
    return ModelFormat::Unknown;
}

Expected<ModelFormat> modelFormat(const std::filesystem::path &path)
{
    if (isModelFolder(path)) return ModelFormat::Diffusers;
    const Expected<FileSource> file = FileSource::open(path);
    if (!file) return Unexpected{file.error()};
    return formatOf(*file);
}

Expected<TensorIndex> readModelFile(const std::filesystem::path &path)
{
    if (isModelFolder(path)) return readDiffusersFolder(path);
    return readNamed(path, [](const FileSource &file) { return readFile(file); });
}

}  // namespace sg
