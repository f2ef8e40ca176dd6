#include "core/modelfile/pickle_machine.h"

#include <array>
#include <bit>
#include <cmath>

// What the allowed names do when a pickle calls them: nothing of Python's runs, each builds a value of our own.

namespace sg {
namespace {

constexpr std::size_t kShownText = 80;
constexpr std::size_t kMostDimensions = 16;
constexpr std::size_t kMaxArguments = 16;
constexpr std::size_t kMaxScalarBytes = 16;

std::string printable(std::string_view text)
{
    std::string out;
    for (const char c : text.substr(0, kShownText))
        out += static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e ? '?' : c;
    return out;
}

/// Protocol 2 has no bytes: it writes them as the text that has these code points.
std::string latin1(std::string_view utf8)
{
    std::string out;
    for (std::size_t i = 0; i < utf8.size(); ++i) {
        const auto first = static_cast<unsigned char>(utf8[i]);
        if (first < 0x80)
            out += utf8[i];
        else if (i + 1 < utf8.size())
            out += static_cast<char>((first & 3) << 6 | (static_cast<unsigned char>(utf8[++i]) & 0x3f));
    }
    return out;
}

}  // namespace

bool PickleMachine::name(std::string_view module, std::string_view name)
{
    const PickleName *known = findPickleName(module, name);
    if (!known) return refuse("uses the forbidden name \"" + printable(module) + "." + printable(name) + "\"");
    return push(Kind::Name, known - pickleNames().data());
}

bool PickleMachine::reduce()
{
    Ref arguments = 0, function = 0;
    return pop(arguments) && pop(function) && call(function, arguments, 0);
}

bool PickleMachine::newObject()
{
    Ref arguments = 0, type = 0;
    if (!pop(arguments) || !pop(type)) return false;
    if (m_out.kind(type) != Kind::Name) return refuse("makes an object of something that is no name");
    const PickleRole role = nameOf(type).role;
    if (role != PickleRole::ParameterDict && role != PickleRole::Dict && role != PickleRole::Set &&
        role != PickleRole::Size)
        return refuse("makes an object of \"" + std::string(nameOf(type).name) + "\", which may not be made so");
    return call(type, arguments, 0);
}

bool PickleMachine::call(Ref function, Ref arguments, int depth)
{
    if (m_out.kind(function) != Kind::Name) return refuse("calls something that is no name");
    if (m_out.kind(arguments) != Kind::Tuple) return refuse("calls with something that is no tuple");
    const PickleName &known = nameOf(function);
    if (m_out.items(arguments).size() > kMaxArguments) return refuse("calls with more than 16 arguments");
    // A copy: what is built below may move the lists.
    const std::vector<Ref> given(m_out.items(arguments).begin(), m_out.items(arguments).end());
    switch (known.role) {
    case PickleRole::Dict:
        return makeDict(given);
    case PickleRole::ParameterDict:
        if (!makeDict({})) return false;
        m_out.m_nodes.back().flag = 1;
        return true;
    case PickleRole::Set:
        return makeSet(given);
    case PickleRole::Tensor:
        return makeTensor(given, false);
    case PickleRole::TensorV3:
        return makeTensor(given, true);
    case PickleRole::Parameter:
        if (given.empty() || m_out.kind(given[0]) != Kind::Tensor) return refuse("makes a parameter of no tensor");
        m_stack.push_back(given[0]);
        return true;
    case PickleRole::FromType:
        if (given.size() < 3 || depth > 0) return refuse("_rebuild_from_type_v2 has other arguments than it takes");
        return call(given[0], given[2], depth + 1);
    case PickleRole::Size:
        return makeSet(given) && (m_out.m_nodes[m_stack.back()].kind = Kind::Tuple, true);
    case PickleRole::NumpyScalar:
        return makeScalar(given);
    case PickleRole::Bytes:
        if (given.empty() || !isText(given[0])) return refuse("encodes something that is no text");
        if (!pushText(Kind::Bytes, m_out.text(given[0]))) return false;
        m_out.m_nodes.back().flag = 1;
        return true;
    case PickleRole::ArgumentsIgnored: {
        // numpy.dtype("f8"): its first argument is what makeScalar() asks for.
        const bool coded = !given.empty() && isText(given[0]);
        return pushText(Kind::Opaque, coded ? m_out.text(given[0]) : std::string_view());
    }
    default:
        return refuse("calls \"" + std::string(known.module) + "." + std::string(known.name) +
                      "\", which may only be mentioned");
    }
}

bool PickleMachine::makeDict(std::span<const Ref> arguments)
{
    std::vector<Ref> items;
    if (!arguments.empty()) {
        if (arguments.size() > 1 || m_out.kind(arguments[0]) != Kind::List)
            return refuse("makes a dictionary of something that is no list");
        if (!spend(m_out.items(arguments[0]).size())) return false;
        for (const Ref pair : m_out.items(arguments[0])) {
            const Kind kind = m_out.kind(pair);
            if ((kind != Kind::Tuple && kind != Kind::List) || m_out.items(pair).size() != 2)
                return refuse("makes a dictionary of something that is no pair");
            items.insert(items.end(), m_out.items(pair).begin(), m_out.items(pair).end());
        }
    }
    return pushContainer(Kind::Dict, std::move(items));
}

bool PickleMachine::makeSet(std::span<const Ref> arguments)
{
    std::vector<Ref> items;
    if (!arguments.empty()) {
        const Kind kind = m_out.kind(arguments[0]);
        if (arguments.size() > 1 || (kind != Kind::List && kind != Kind::Tuple))
            return refuse("makes a set of something that is no list");
        if (!spend(m_out.items(arguments[0]).size())) return false;
        items.assign(m_out.items(arguments[0]).begin(), m_out.items(arguments[0]).end());
    }
    return pushContainer(Kind::List, std::move(items));
}

bool PickleMachine::sizes(Ref value, const char *what, std::vector<std::int64_t> &out)
{
    if (m_out.kind(value) != Kind::Tuple) return refuse(std::string("a tensor's ") + what + " is no tuple");
    if (m_out.items(value).size() > kMostDimensions) return refuse("a tensor has more than 16 dimensions");
    for (const Ref item : m_out.items(value)) {
        if (!isInt(item) || m_out.integer(item) < 0)
            return refuse(std::string("a tensor's ") + what + " holds something that is no whole number from 0 up");
        out.push_back(m_out.integer(item));
    }
    return true;
}

bool PickleMachine::checkPlace(const PickledTensor &tensor, std::uint64_t elements)
{
    std::uint64_t count = 1, last = tensor.offset;
    for (std::size_t i = 0; i < tensor.shape.size(); ++i)
        if (__builtin_mul_overflow(count, static_cast<std::uint64_t>(tensor.shape[i]), &count) ||
            count > static_cast<std::uint64_t>(INT64_MAX))
            return refuse("a tensor's shape overflows 64 bits");
    const std::string has = ", its storage has " + std::to_string(elements) + " elements";
    if (count == 0)
        return tensor.offset <= elements || refuse("a tensor begins at " + std::to_string(tensor.offset) + has);
    if (count > elements) return refuse("a tensor has " + std::to_string(count) + " elements" + has);
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
        std::uint64_t reach = 0;
        if (__builtin_mul_overflow(static_cast<std::uint64_t>(tensor.shape[i] - 1),
                                   static_cast<std::uint64_t>(tensor.strides[i]), &reach) ||
            __builtin_add_overflow(last, reach, &last))
            return refuse("a tensor's strides overflow 64 bits");
    }
    return last < elements || refuse("a tensor reaches element " + std::to_string(last) + has);
}

bool PickleMachine::makeTensor(std::span<const Ref> arguments, bool typed)
{
    if (arguments.size() < (typed ? 7u : 4u) || m_out.kind(arguments[0]) != Kind::Storage || !isInt(arguments[1]))
        return refuse("a tensor is made of other arguments than torch.save writes");
    if (m_out.m_tensors.size() >= kMaxPickleTensors)
        return refuse("makes more than " + std::to_string(kMaxPickleTensors) + " tensors");
    PickledTensor tensor;
    tensor.storage = static_cast<std::uint32_t>(m_out.integer(arguments[0]));
    const PickledStorage &storage = m_out.m_storages[tensor.storage];
    if (m_out.integer(arguments[1]) < 0) return refuse("a tensor's offset is negative");
    tensor.offset = static_cast<std::uint64_t>(m_out.integer(arguments[1]));
    if (!sizes(arguments[2], "shape", tensor.shape) || !sizes(arguments[3], "stride", tensor.strides)) return false;
    if (tensor.shape.size() != tensor.strides.size()) return refuse("a tensor's shape and stride differ in length");
    std::uint64_t elements = storage.elements;
    if (typed) {
        if (m_out.kind(arguments[6]) != Kind::Name || nameOf(arguments[6]).role != PickleRole::Type)
            return refuse("a tensor's type is no type");
        tensor.dtype = *nameOf(arguments[6]).dtype;
        const int width = storage.dtype ? dtypeBits(*storage.dtype) : 8;
        elements =
            storage.elements * static_cast<std::uint64_t>(width) / static_cast<std::uint64_t>(dtypeBits(tensor.dtype));
    } else {
        if (!storage.dtype) return refuse("a tensor of a storage without type");
        tensor.dtype = *storage.dtype;
    }
    if (!checkPlace(tensor, elements)) return false;
    std::int64_t expected = 1;
    bool rowMajor = true;
    for (std::size_t i = tensor.shape.size(); i-- > 0;) {
        rowMajor = rowMajor && (tensor.shape[i] <= 1 || tensor.strides[i] == expected);
        expected *= tensor.shape[i];
    }
    if (rowMajor || expected == 0) tensor.strides.clear();
    m_out.m_tensors.push_back(std::move(tensor));
    return push(Kind::Tensor, static_cast<std::int64_t>(m_out.m_tensors.size() - 1));
}

bool PickleMachine::makeScalar(std::span<const Ref> arguments)
{
    if (arguments.size() != 2 || m_out.kind(arguments[0]) != Kind::Opaque || m_out.kind(arguments[1]) != Kind::Bytes)
        return push(Kind::Opaque);
    const std::string_view code = m_out.text(arguments[0]);
    const bool encoded = m_out.m_nodes[arguments[1]].flag == 1;
    const std::string_view raw = m_out.text(arguments[1]);
    if (raw.size() > kMaxScalarBytes) return pushText(Kind::Opaque, {});
    const std::string bytes = encoded ? latin1(raw) : std::string(raw);
    std::uint64_t value = 0;
    for (std::size_t i = std::min<std::size_t>(bytes.size(), 8); i-- > 0;)
        value = value << 8 | static_cast<unsigned char>(bytes[i]);
    if (code == "i8" && bytes.size() == 8) return push(Kind::Int, static_cast<std::int64_t>(value));
    if (code == "i4" && bytes.size() == 4) return push(Kind::Int, static_cast<std::int32_t>(value));
    double real = NAN;
    if (code == "f8" && bytes.size() == 8) real = std::bit_cast<double>(value);
    if (code == "f4" && bytes.size() == 4) real = std::bit_cast<float>(static_cast<std::uint32_t>(value));
    if (std::isnan(real)) return pushText(Kind::Opaque, {});
    push(Kind::Real);
    m_out.m_nodes.back().real = real;
    return true;
}

bool PickleMachine::build()
{
    Ref state = 0;
    if (!pop(state)) return false;
    if (m_stack.empty() || (!m_marks.empty() && m_marks.back() >= m_stack.size()))
        return refuse("takes from an empty stack");
    const Ref object = m_stack.back();
    // A state dict's own attributes (_metadata) and a dtype's byte order change nothing here.
    if (m_out.kind(object) == Kind::Opaque) return true;
    if (m_out.kind(object) != Kind::Dict) return refuse("gives a state to something that takes none");
    return m_out.m_nodes[object].flag == 0 || fillParameterDict(object, state);
}

bool PickleMachine::fillParameterDict(Ref dict, Ref state)
{
    if (m_out.kind(state) != Kind::Dict || !spend(m_out.items(state).size()))
        return refuse("a ParameterDict without parameters");
    const std::optional<Ref> parameters = m_out.find(state, "_parameters");
    if (!parameters || m_out.kind(*parameters) != Kind::Dict || !spend(m_out.items(*parameters).size()))
        return refuse("a ParameterDict without parameters");
    const std::vector<Ref> items(m_out.items(*parameters).begin(), m_out.items(*parameters).end());
    return append(dict, items);
}

bool PickleMachine::persistentId()
{
    Ref id = 0;
    if (!pop(id)) return false;
    if (m_out.kind(id) != Kind::Tuple) return refuse("a storage's description is no tuple");
    const std::span<const Ref> parts = m_out.items(id);
    // The old format writes a module's type together with its source text.
    if (parts.size() == 4 && isText(parts[0]) && m_out.text(parts[0]) == "module" &&
        m_out.kind(parts[1]) == Kind::Name && nameOf(parts[1]).role == PickleRole::ParameterDict) {
        m_stack.push_back(parts[1]);
        return true;
    }
    if (parts.size() < 5 || parts.size() > 6 || !isText(parts[0]) || m_out.text(parts[0]) != "storage" ||
        m_out.kind(parts[1]) != Kind::Name || nameOf(parts[1]).role != PickleRole::Storage || !isText(parts[2]) ||
        !isText(parts[3]) || !isInt(parts[4]) || m_out.integer(parts[4]) < 0)
        return refuse("a storage's description is not what torch.save writes");
    if (parts.size() == 6 && m_out.kind(parts[5]) != Kind::None) return refuse("a storage is a view of another one");
    const PickledStorage storage{nameOf(parts[1]).dtype, m_out.text(parts[2]),
                                 static_cast<std::uint64_t>(m_out.integer(parts[4]))};
    const auto [known, isNew] =
        m_storageByKey.emplace(storage.key, static_cast<std::uint32_t>(m_out.m_storages.size()));
    if (isNew) {
        if (m_out.m_storages.size() >= kMaxPickleTensors)
            return refuse("has more than " + std::to_string(kMaxPickleTensors) + " storages");
        if (storage.elements > static_cast<std::uint64_t>(INT64_MAX) / 8) return refuse("a storage is too long");
        m_out.m_storages.push_back(storage);
    } else if (const PickledStorage &first = m_out.m_storages[known->second];
               first.dtype != storage.dtype || first.elements != storage.elements) {
        return refuse("storage \"" + printable(storage.key) + "\" is described in two ways");
    }
    return push(Kind::Storage, known->second);
}

}  // namespace sg
