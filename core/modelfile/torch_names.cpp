#include "core/modelfile/torch_names.h"

#include "core/base/utf8.h"

#include <set>

namespace sg {
namespace {

constexpr int kMaxNesting = 16;
constexpr std::size_t kMaxVisits = 1u << 20;
constexpr std::size_t kMaxName = 512;
constexpr std::size_t kMaxNameBytes = 32u << 20;
constexpr std::size_t kMaxMetadata = 256;
constexpr std::size_t kMaxMetadataText = 4096;

Unexpected refusePickle(std::string rule)
{
    return fail(ErrorCode::UnusableFile, "pickle: " + std::move(rule));
}

class Walk {
public:
    Walk(const Pickle &pickle, TorchNames &out) : m_pickle(pickle), m_out(out) {}

    Expected<void> container(Pickle::Ref value, const std::string &prefix, int depth)
    {
        if (depth > kMaxNesting)
            return refusePickle("containers are nested deeper than " + std::to_string(kMaxNesting));
        const std::span<const Pickle::Ref> items = m_pickle.items(value);
        const bool isDict = m_pickle.kind(value) == Pickle::Kind::Dict;
        for (std::size_t i = 0; i < items.size(); i += isDict ? 2 : 1) {
            std::string name = prefix;
            if (!isDict)
                name += std::to_string(i);
            else if (m_pickle.kind(items[i]) == Pickle::Kind::Text)
                name += m_pickle.text(items[i]).substr(0, kMaxName + 1);
            else if (m_pickle.kind(items[i]) == Pickle::Kind::Int)
                name += std::to_string(m_pickle.integer(items[i]));
            else
                continue;
            if (Expected<void> read = leaf(items[isDict ? i + 1 : i], std::move(name), depth); !read) return read;
        }
        return {};
    }

    /// The step, the name …; a training's own tensors and settings are left out.
    void beside(Pickle::Ref root)
    {
        const std::span<const Pickle::Ref> items = m_pickle.items(root);
        for (std::size_t i = 0; i < items.size(); i += 2)
            if (m_pickle.kind(items[i]) == Pickle::Kind::Text)
                plain(items[i + 1], std::string(m_pickle.text(items[i]).substr(0, kMaxName + 1)));
    }

private:
    /// Numbers and texts.
    void plain(Pickle::Ref value, std::string name)
    {
        switch (m_pickle.kind(value)) {
        case Pickle::Kind::Text:
            return remember(std::move(name), std::string(m_pickle.text(value).substr(0, kMaxMetadataText + 1)));
        case Pickle::Kind::Bool:
            return remember(std::move(name), m_pickle.integer(value) ? "true" : "false");
        case Pickle::Kind::Int:
            return remember(std::move(name), std::to_string(m_pickle.integer(value)));
        case Pickle::Kind::Real:
            return remember(std::move(name), std::to_string(m_pickle.real(value)));
        default:
            return;
        }
    }

    Expected<void> leaf(Pickle::Ref value, std::string name, int depth)
    {
        if (++m_visits > kMaxVisits) return refusePickle("names more than " + std::to_string(kMaxVisits) + " values");
        switch (m_pickle.kind(value)) {
        case Pickle::Kind::Dict:
        case Pickle::Kind::List:
        case Pickle::Kind::Tuple:
            if (name.size() > kMaxName)
                return refusePickle("a name is longer than " + std::to_string(kMaxName) + " bytes");
            return container(value, name + ".", depth + 1);
        case Pickle::Kind::Tensor:
            return tensor(value, std::move(name));
        default:
            plain(value, std::move(name));
            return {};
        }
    }

    Expected<void> tensor(Pickle::Ref value, std::string name)
    {
        if (name.empty() || name.size() > kMaxName)
            return refusePickle("a tensor's name is empty or longer than " + std::to_string(kMaxName) + " bytes");
        m_nameBytes += name.size();
        if (m_out.tensors.size() >= kMaxPickleTensors || m_nameBytes > kMaxNameBytes)
            return refusePickle("names more than " + std::to_string(kMaxPickleTensors) + " tensors, or too long ones");
        if (!m_names.insert(name).second) return refusePickle("tensor \"" + name.substr(0, 120) + "\" comes twice");
        m_out.tensors.emplace_back(std::move(name), value);
        return {};
    }

    void remember(std::string name, std::string text)
    {
        if (name.size() <= kMaxName && text.size() <= kMaxMetadataText && m_out.metadata.size() < kMaxMetadata)
            m_out.metadata.emplace(std::move(name), std::move(text));
    }

    const Pickle &m_pickle;
    TorchNames &m_out;
    std::set<std::string> m_names;
    std::size_t m_visits = 0;
    std::size_t m_nameBytes = 0;
};

}  // namespace

Expected<TorchNames> torchNames(const Pickle &pickle)
{
    const Pickle::Ref root = pickle.root();
    if (pickle.kind(root) != Pickle::Kind::Dict)
        return refusePickle("holds no dictionary of tensors: it is not a file of weights");
    TorchNames names;
    Walk walk(pickle, names);
    for (const std::string_view key : {"state_dict", "params_ema", "params"}) {
        const std::optional<Pickle::Ref> inner = pickle.find(root, key);
        if (!inner || pickle.kind(*inner) != Pickle::Kind::Dict) continue;
        if (Expected<void> read = walk.container(*inner, {}, 1); !read) return Unexpected{read.error()};
        walk.beside(root);
        return names;
    }
    if (Expected<void> read = walk.container(root, {}, 1); !read) return Unexpected{read.error()};
    return names;
}

}  // namespace sg
