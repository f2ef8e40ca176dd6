#include "core/modelfile/torch_file.h"

#include "core/modelfile/pickle.h"
#include "core/modelfile/refusal.h"
#include "core/modelfile/torch_names.h"
#include "core/modelfile/zip_directory.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <utility>

namespace sg {
namespace {

// 0x1950a86a20f9469cfc6c, little-endian: the first value of a file of torch before 1.6.
constexpr std::string_view kLegacyMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr std::int64_t kLegacyProtocol = 1001;
constexpr std::size_t kMaxLegacyStart = 4096;
constexpr std::uint64_t kMaxTensorBytesPerFileByte = 8;

std::uint64_t storageBytes(const PickledStorage &storage)
{
    return storage.elements * static_cast<std::uint64_t>(storage.dtype ? dtypeBits(*storage.dtype) : 8) / 8;
}

/// Puts names, tensors and the places of their storages together.
Expected<TensorIndex> makeIndex(const Pickle &pickle, const std::vector<std::uint64_t> &storageAt,
                                std::uint64_t fileSize)
{
    Expected<TorchNames> names = torchNames(pickle);
    if (!names) return Unexpected{names.error()};
    TensorIndex::Tensors tensors;
    std::uint64_t sum = 0;
    for (auto &[name, ref] : names->tensors) {
        const PickledTensor &tensor = pickle.tensor(ref);
        TensorInfo info;
        info.dtype = tensor.dtype;
        info.shape = tensor.shape;
        info.strides = tensor.strides;
        const auto width = static_cast<std::uint64_t>(dtypeBits(tensor.dtype)) / 8;
        info.bytes = static_cast<std::uint64_t>(info.elements()) * width;
        info.offset = storageAt[tensor.storage] + tensor.offset * width;
        // Tied weights lie in the file once; names upon names of one large tensor are no model.
        if (__builtin_add_overflow(sum, info.bytes, &sum) || sum / kMaxTensorBytesPerFileByte > fileSize)
            return refuse("its tensors together are more than 8 times as long as the file");
        tensors.emplace(std::move(name), std::move(info));
    }
    if (tensors.empty()) return refuse("holds no tensors");
    return TensorIndex({}, fileSize, std::move(names->metadata), std::move(tensors));
}

/// An archive's entries by name, below its one folder.
struct Archive {
    std::map<std::string, ZipEntry, std::less<>> entries;

    const ZipEntry *find(std::string_view name) const
    {
        const auto it = entries.find(name);
        return it == entries.end() ? nullptr : &it->second;
    }
};

Expected<Archive> readArchive(const ByteSource &source)
{
    Expected<std::vector<ZipEntry>> entries = readZipDirectory(source);
    if (!entries) return Unexpected{entries.error()};
    Archive archive;
    std::string folder;
    for (ZipEntry &entry : *entries) {
        const std::size_t slash = entry.name.find('/');
        if (slash == std::string::npos) return refuse("zip archive: entry " + shown(entry.name) + " lies in no folder");
        if (folder.empty()) folder = entry.name.substr(0, slash);
        if (entry.name.compare(0, slash, folder) != 0)
            return refuse("zip archive: has the folders " + shown(folder) + " and " +
                          shown(entry.name.substr(0, slash)) + ", torch.save writes one");
        std::string name = entry.name.substr(slash + 1);
        archive.entries.emplace(std::move(name), std::move(entry));
    }
    return archive;
}

Expected<void> checkByteOrder(const ByteSource &source, const Archive &archive)
{
    const ZipEntry *entry = archive.find("byteorder");
    if (!entry) return {};
    const Expected<std::string> text = source.text(entry->offset, std::min<std::uint64_t>(entry->size, 16));
    if (!text) return Unexpected{text.error()};
    if (*text != "little") return refuse("its byte order is " + shown(*text) + ", only little is read");
    return {};
}

/// The pickles in front of a legacy file's weights.
class LegacyHeader {
public:
    explicit LegacyHeader(std::string_view bytes) : m_rest(bytes), m_size(bytes.size()) {}

    Expected<Pickle> next(const char *what, std::size_t limit = kMaxPickleBytes)
    {
        Expected<Pickle> pickle = Pickle::read(m_rest.substr(0, limit));
        if (!pickle) return refuse(std::string(what) + ": " + pickle.error().message);
        m_rest.remove_prefix(pickle->consumed());
        return pickle;
    }
    std::uint64_t position() const { return m_size - m_rest.size(); }

private:
    std::string_view m_rest;
    std::size_t m_size;
};

Expected<void> checkLegacyStart(LegacyHeader &header)
{
    const Expected<Pickle> magic = header.next("magic number", kMaxLegacyStart);
    if (!magic) return Unexpected{magic.error()};
    if (magic->kind(magic->root()) != Pickle::Kind::Bytes || magic->text(magic->root()) != kLegacyMagic)
        return refuse("is a pickle, but none that torch.save wrote");
    const Expected<Pickle> protocol = header.next("protocol", kMaxLegacyStart);
    if (!protocol) return Unexpected{protocol.error()};
    if (protocol->kind(protocol->root()) != Pickle::Kind::Int || protocol->integer(protocol->root()) != kLegacyProtocol)
        return refuse("its torch.save protocol is not 1001");
    const Expected<Pickle> machine = header.next("machine", kMaxLegacyStart);
    if (!machine) return Unexpected{machine.error()};
    const std::optional<Pickle::Ref> little = machine->find(machine->root(), "little_endian");
    if (!little || machine->kind(*little) != Pickle::Kind::Bool) return refuse("does not say its byte order");
    if (machine->integer(*little) == 0) return refuse("its byte order is \"big\", only little is read");
    return {};
}

/// Where each storage of a legacy file lies: in the order of the list of keys, each behind its count of elements.
Expected<std::vector<std::uint64_t>> legacyPlaces(const ByteSource &source, const Pickle &pickle, const Pickle &keys,
                                                  std::uint64_t at)
{
    std::map<std::string_view, std::size_t> byKey;
    for (std::size_t i = 0; i < pickle.storages().size(); ++i)
        byKey.emplace(pickle.storages()[i].key, i);
    if (keys.kind(keys.root()) != Pickle::Kind::List) return refuse("its list of storages is no list");
    std::vector<std::optional<std::uint64_t>> places(pickle.storages().size());
    for (const Pickle::Ref key : keys.items(keys.root())) {
        const auto known = keys.kind(key) == Pickle::Kind::Text ? byKey.find(keys.text(key)) : byKey.end();
        if (known == byKey.end()) return refuse("its list of storages names one that no tensor has");
        const PickledStorage &storage = pickle.storages()[known->second];
        if (places[known->second]) return refuse("storage " + shown(storage.key) + " comes twice");
        const Expected<std::string> count = source.text(at, 8);
        if (!count) return refuse("storage " + shown(storage.key) + ": " + count.error().message);
        std::uint64_t elements = 0;
        for (std::size_t i = 8; i-- > 0;)
            elements = elements << 8 | static_cast<unsigned char>((*count)[i]);
        if (elements != storage.elements)
            return refuse("storage " + shown(storage.key) + " has " + std::to_string(elements) +
                          " elements, the pickle says " + std::to_string(storage.elements));
        at += 8;
        if (storageBytes(storage) > source.size() - at)
            return refuse("storage " + shown(storage.key) + " needs " + std::to_string(storageBytes(storage)) +
                          " bytes, the file has " + std::to_string(source.size() - at) + " left (is it cut off?)");
        places[known->second] = at;
        at += storageBytes(storage);
    }
    if (at != source.size()) return refuse(std::to_string(source.size() - at) + " bytes follow the last storage");
    std::vector<std::uint64_t> all;
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (!places[i]) return refuse("storage " + shown(pickle.storages()[i].key) + " is missing");
        all.push_back(*places[i]);
    }
    return all;
}

}  // namespace

Expected<TensorIndex> readTorchZip(const ByteSource &source)
{
    const Expected<Archive> archive = readArchive(source);
    if (!archive) return Unexpected{archive.error()};
    if (archive->find("constants.pkl") ||
        archive->entries.lower_bound("code/") != archive->entries.lower_bound("code0"))
        return refuse("is a TorchScript program, not a file of weights");
    const ZipEntry *entry = archive->find("data.pkl");
    if (!entry) return refuse("zip archive: has no data.pkl: torch.save did not write it");
    if (const Expected<void> order = checkByteOrder(source, *archive); !order) return Unexpected{order.error()};
    if (entry->size > kMaxPickleBytes) return refuse("data.pkl is longer than 16 MiB");
    const Expected<std::string> bytes = source.text(entry->offset, entry->size);
    if (!bytes) return Unexpected{bytes.error()};
    if (zipChecksum(*bytes) != entry->crc32) return refuse("zip archive: data.pkl does not have its checksum");
    const Expected<Pickle> pickle = Pickle::read(*bytes);
    if (!pickle) return Unexpected{pickle.error()};
    if (pickle->consumed() != bytes->size()) return refuse("data.pkl: bytes follow the pickle");
    std::vector<std::uint64_t> places;
    for (const PickledStorage &storage : pickle->storages()) {
        const ZipEntry *data = archive->find("data/" + std::string(storage.key));
        if (!data) return refuse("storage " + shown(storage.key) + " is missing");
        if (data->size != storageBytes(storage))
            return refuse("storage " + shown(storage.key) + " has " + std::to_string(data->size) +
                          " bytes, the pickle says " + std::to_string(storageBytes(storage)));
        places.push_back(data->offset);
    }
    return makeIndex(*pickle, places, source.size());
}

Expected<TensorIndex> readTorchLegacy(const ByteSource &source)
{
    const std::size_t length = std::min<std::uint64_t>(source.size(), kMaxPickleBytes);
    const Expected<std::string> bytes = source.text(0, length);
    if (!bytes) return Unexpected{bytes.error()};
    LegacyHeader header(*bytes);
    if (const Expected<void> start = checkLegacyStart(header); !start) return Unexpected{start.error()};
    const Expected<Pickle> pickle = header.next("weights");
    if (!pickle) return Unexpected{pickle.error()};
    const Expected<Pickle> keys = header.next("list of storages");
    if (!keys) return Unexpected{keys.error()};
    const Expected<std::vector<std::uint64_t>> places = legacyPlaces(source, *pickle, *keys, header.position());
    if (!places) return Unexpected{places.error()};
    return makeIndex(*pickle, *places, source.size());
}

}  // namespace sg
