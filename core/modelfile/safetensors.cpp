#include "core/modelfile/safetensors.h"

#include "core/base/json.h"
#include "core/modelfile/named_index.h"
#include "core/modelfile/refusal.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace sg {
namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::size_t kMaxTensors = 200'000;
constexpr std::size_t kMaxRank = 16;
constexpr std::size_t kShownName = 120;

Unexpected refuseTensor(std::string_view tensor, std::string_view rule)
{
    return refuse("tensor \"" + std::string(tensor.substr(0, kShownName)) + "\": " + std::string(rule));
}

Expected<TensorIndex::Metadata> readMetadata(const Json &json)
{
    if (!json.is_object()) return refuse("__metadata__ must be an object");
    TensorIndex::Metadata metadata;
    for (const auto &[key, value] : json.items()) {
        if (!value.is_string()) return refuse("__metadata__ \"" + key.substr(0, kShownName) + "\" must be a text");
        metadata.emplace(key, value.get<std::string>());
    }
    return metadata;
}

Expected<std::vector<std::int64_t>> readShape(std::string_view name, const Json &json)
{
    const auto it = json.find("shape");
    if (it == json.end() || !it->is_array()) return refuseTensor(name, "needs a shape, an array");
    if (it->size() > kMaxRank) return refuseTensor(name, "has more than " + std::to_string(kMaxRank) + " dimensions");
    std::vector<std::int64_t> shape;
    for (const Json &size : *it) {
        if (!size.is_number_unsigned() || size.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
            return refuseTensor(name, "each dimension must be a whole number from 0 to 2^63-1");
        shape.push_back(size.get<std::int64_t>());
    }
    return shape;
}

/// Bytes that a tensor of this type and shape fills; 64-bit overflow and half-filled bytes are errors.
Expected<std::uint64_t> neededBytes(std::string_view name, DType type, const std::vector<std::int64_t> &shape)
{
    std::uint64_t elements = 1;
    for (const std::int64_t size : shape)
        if (__builtin_mul_overflow(elements, static_cast<std::uint64_t>(size), &elements) ||
            elements > static_cast<std::uint64_t>(INT64_MAX))
            return refuseTensor(name, "its shape overflows 64 bits");
    std::uint64_t bits = 0;
    if (__builtin_mul_overflow(elements, static_cast<std::uint64_t>(dtypeBits(type)), &bits))
        return refuseTensor(name, "its shape and type overflow 64 bits");
    if (bits % 8 != 0) return refuseTensor(name, "does not end at a whole byte");
    return bits / 8;
}

Expected<TensorInfo> readTensor(std::string_view name, const Json &json, std::uint64_t dataStart,
                                std::uint64_t dataSize)
{
    if (!json.is_object()) return refuseTensor(name, "must be an object");
    TensorInfo tensor;
    const auto type = json.find("dtype");
    if (type == json.end() || !type->is_string()) return refuseTensor(name, "needs a dtype, a text");
    const std::string &typeName = type->get_ref<const std::string &>();
    const std::optional<DType> known = dtypeFromName(typeName);
    if (!known) return refuseTensor(name, "unknown dtype \"" + typeName.substr(0, 40) + "\"");
    tensor.dtype = *known;
    Expected<std::vector<std::int64_t>> shape = readShape(name, json);
    if (!shape) return Unexpected{shape.error()};
    tensor.shape = std::move(*shape);
    const Expected<std::uint64_t> needed = neededBytes(name, tensor.dtype, tensor.shape);
    if (!needed) return Unexpected{needed.error()};

    const auto offsets = json.find("data_offsets");
    if (offsets == json.end() || !offsets->is_array() || offsets->size() != 2 || !(*offsets)[0].is_number_unsigned() ||
        !(*offsets)[1].is_number_unsigned())
        return refuseTensor(name, "data_offsets must be two whole numbers from 0 up");
    const auto begin = (*offsets)[0].get<std::uint64_t>();
    const auto end = (*offsets)[1].get<std::uint64_t>();
    if (begin > end)
        return refuseTensor(name, "data_offsets are reversed: " + std::to_string(begin) + " > " + std::to_string(end));
    if (end > dataSize)
        return refuseTensor(name, "ends at byte " + std::to_string(end) + " of data, the file has " +
                                      std::to_string(dataSize) + " (is it cut off?)");
    if (end - begin != *needed)
        return refuseTensor(name, "its shape and dtype need " + std::to_string(*needed) + " bytes, data_offsets give " +
                                      std::to_string(end - begin));
    tensor.offset = dataStart + begin;
    tensor.bytes = *needed;
    return tensor;
}

/// In file order every tensor begins where the last one ended, and the last ends with the file.
Expected<void> checkContiguous(const TensorIndex::Tensors &tensors, std::uint64_t dataStart, std::uint64_t fileSize)
{
    std::vector<const TensorIndex::Tensors::value_type *> order;
    order.reserve(tensors.size());
    for (const auto &entry : tensors)
        order.push_back(&entry);
    std::stable_sort(order.begin(), order.end(), [](const auto *a, const auto *b) {
        return std::pair(a->second.offset, a->second.bytes) < std::pair(b->second.offset, b->second.bytes);
    });
    std::uint64_t at = dataStart;
    for (const auto *entry : order) {
        const TensorInfo &tensor = entry->second;
        if (tensor.offset < at) return refuseTensor(entry->first, "overlaps the tensor before it");
        if (tensor.offset > at)
            return refuseTensor(entry->first,
                                "a hole of " + std::to_string(tensor.offset - at) + " bytes lies before it");
        at = tensor.offset + tensor.bytes;
    }
    if (at != fileSize)
        return refuse(std::to_string(fileSize - at) + " bytes after the last tensor belong to none (trailing bytes)");
    return {};
}

Expected<std::uint64_t> headerLength(const std::array<char, kLengthBytes> &prefix, std::uint64_t fileSize)
{
    std::uint64_t length = 0;
    for (std::size_t i = prefix.size(); i-- > 0;)
        length = length << 8 | static_cast<unsigned char>(prefix[i]);
    const std::string said = "the header's length is " + std::to_string(length);
    if (length < 2) return refuse(said + ": it must be at least 2");
    if (length > fileSize - kLengthBytes)
        return refuse(said + ": longer than the file, which has " + std::to_string(fileSize) + " bytes");
    if (length > kMaxSafetensorsHeader)
        return refuse(said + ": at most " + std::to_string(kMaxSafetensorsHeader) + " is allowed");
    return length;
}

}  // namespace

Expected<TensorIndex> parseSafetensors(std::string_view header, std::uint64_t fileSize)
{
    if (header.size() > kMaxSafetensorsHeader) return refuse("the header is longer than 100,000,000 bytes");
    const std::uint64_t dataStart = kLengthBytes + header.size();
    if (fileSize < dataStart) return refuse("the header is longer than the file");
    if (!header.starts_with('{')) return refuse("the header must begin with {");
    const Expected<Json> json =
        parseJson(header, {.bytes = kMaxSafetensorsHeader, .depth = 3, .values = 24 * kMaxTensors});
    if (!json) return refuse("header: " + json.error().message);
    if (json->size() > kMaxTensors) return refuse("more than " + std::to_string(kMaxTensors) + " tensors");

    TensorIndex::Metadata metadata;
    TensorIndex::Tensors tensors;
    for (const auto &[name, value] : json->items()) {
        if (name == "__metadata__") {
            Expected<TensorIndex::Metadata> read = readMetadata(value);
            if (!read) return Unexpected{read.error()};
            metadata = std::move(*read);
            continue;
        }
        Expected<TensorInfo> tensor = readTensor(name, value, dataStart, fileSize - dataStart);
        if (!tensor) return Unexpected{tensor.error()};
        tensors.emplace(name, std::move(*tensor));
    }
    if (const Expected<void> whole = checkContiguous(tensors, dataStart, fileSize); !whole)
        return Unexpected{whole.error()};
    return TensorIndex({}, fileSize, std::move(metadata), std::move(tensors));
}

Expected<TensorIndex> readSafetensors(const ByteSource &source)
{
    std::array<char, kLengthBytes> prefix{};
    if (source.size() < kLengthBytes + 2 || !source.read(prefix.data(), prefix.size(), 0))
        return refuse("has " + std::to_string(source.size()) + " bytes: too short for safetensors");
    const Expected<std::uint64_t> length = headerLength(prefix, source.size());
    if (!length) return Unexpected{length.error()};
    const Expected<std::string> header = source.text(kLengthBytes, *length);
    if (!header) return refuse("the header " + header.error().message);
    return parseSafetensors(*header, source.size());
}

Expected<TensorIndex> readSafetensors(const std::filesystem::path &path)
{
    return readNamed(path, [](const FileSource &file) { return readSafetensors(file); });
}

}  // namespace sg
