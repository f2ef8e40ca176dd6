#include "core/modelfile/pickle_machine.h"

#include "core/base/utf8.h"

#include <bit>

namespace sg {
namespace {

// The opcodes that torch.save and pickle protocols 2 to 5 write for state dicts. Every other one is refused.
enum Opcode : std::uint8_t {
    kProto = 0x80,
    kFrame = 0x95,
    kStop = '.',
    kMark = '(',
    kPop = '0',
    kPopMark = '1',
    kDup = '2',
    kNone = 'N',
    kTrue = 0x88,
    kFalse = 0x89,
    kInt4 = 'J',
    kInt1 = 'K',
    kInt2 = 'M',
    kLong1 = 0x8a,
    kLong4 = 0x8b,
    kFloat = 'G',
    kText4 = 'X',
    kText1 = 0x8c,
    kText8 = 0x8d,
    kString4 = 'T',
    kString1 = 'U',
    kBytes4 = 'B',
    kBytes1 = 'C',
    kBytes8 = 0x8e,
    kEmptyTuple = ')',
    kTuple = 't',
    kTuple1 = 0x85,
    kTuple2 = 0x86,
    kTuple3 = 0x87,
    kEmptyList = ']',
    kList = 'l',
    kAppend = 'a',
    kAppends = 'e',
    kEmptyDict = '}',
    kDict = 'd',
    kSetItem = 's',
    kSetItems = 'u',
    kEmptySet = 0x8f,
    kAddItems = 0x90,
    kFrozenSet = 0x91,
    kGet1 = 'h',
    kGet4 = 'j',
    kPut1 = 'q',
    kPut4 = 'r',
    kMemoize = 0x94,
    kGlobal = 'c',
    kStackGlobal = 0x93,
    kInstance = 'i',
    kReduce = 'R',
    kNewObject = 0x81,
    kBuild = 'b',
    kPersistentId = 'Q'
};

std::string hex(std::uint8_t value)
{
    constexpr char kDigits[] = "0123456789abcdef";
    return {'0', 'x', kDigits[value >> 4], kDigits[value & 15]};
}

}  // namespace

bool PickleMachine::run()
{
    if (m_bytes.size() > kMaxPickleBytes) m_bytes = m_bytes.substr(0, kMaxPickleBytes);
    for (std::size_t count = 0;; ++count) {
        m_opcodeAt = m_at;
        if (count >= kMaxPickleOpcodes)
            return refuse("has more than " + std::to_string(kMaxPickleOpcodes) + " opcodes");
        std::uint64_t opcode = 0;
        if (!number(1, opcode)) return false;
        if (opcode == kStop) break;
        if (!step(static_cast<std::uint8_t>(opcode))) return false;
    }
    if (m_stack.size() != 1 || !m_marks.empty()) return refuse("ends with other than one value on the stack");
    m_out.m_root = m_stack.back();
    m_out.m_consumed = m_at;
    return true;
}

std::string PickleMachine::error() const
{
    return m_rule + " (byte " + std::to_string(m_opcodeAt) + ")";
}

bool PickleMachine::step(std::uint8_t opcode)
{
    switch (opcode) {
    case kProto: {
        std::uint64_t version = 0;
        return number(1, version) &&
               ((version >= 2 && version <= 5) || refuse("is of protocol " + std::to_string(version) + ", not 2 to 5"));
    }
    case kFrame: {
        std::uint64_t length = 0;
        return number(8, length) && (length <= m_bytes.size() - m_at || refuse("a frame is longer than the pickle"));
    }
    case kGlobal:
        return nameInline(false);
    case kInstance:
        return nameInline(true);
    case kStackGlobal:
        return nameFromStack();
    case kReduce:
        return reduce();
    case kNewObject:
        return newObject();
    case kBuild:
        return build();
    case kPersistentId:
        return persistentId();
    default:
        return constant(opcode);
    }
}

bool PickleMachine::constant(std::uint8_t opcode)
{
    std::uint64_t value = 0;
    switch (opcode) {
    case kNone:
        return push(Kind::None);
    case kTrue:
    case kFalse:
        return push(Kind::Bool, opcode == kTrue);
    case kInt1:
        return number(1, value) && push(Kind::Int, static_cast<std::int64_t>(value));
    case kInt2:
        return number(2, value) && push(Kind::Int, static_cast<std::int64_t>(value));
    case kInt4:
        return number(4, value) && push(Kind::Int, static_cast<std::int32_t>(value));
    case kLong1:
        return longInteger(1);
    case kLong4:
        return longInteger(4);
    case kFloat:
        return binaryFloat();
    default:
        return textOf(opcode);
    }
}

bool PickleMachine::textOf(std::uint8_t opcode)
{
    std::size_t width = 0;
    Kind kind = Kind::Bytes;
    switch (opcode) {
    case kText1:
    case kText4:
    case kText8:
        width = opcode == kText1 ? 1 : opcode == kText4 ? 4 : 8;
        kind = Kind::Text;
        break;
    case kString1:
    case kString4:
        width = opcode == kString1 ? 1 : 4;
        kind = Kind::Text;
        break;
    case kBytes1:
    case kBytes4:
    case kBytes8:
        width = opcode == kBytes1 ? 1 : opcode == kBytes4 ? 4 : 8;
        break;
    default:
        return container(opcode);
    }
    std::uint64_t length = 0;
    if (!number(width, length)) return false;
    if (length > m_bytes.size() - m_at)
        return refuse("a text of " + std::to_string(length) + " bytes is longer than the pickle");
    const std::string_view text = m_bytes.substr(m_at, length);
    m_at += length;
    if (kind == Kind::Text && !isUtf8(text)) {
        // Python 2 had one type for texts and bytes.
        if (opcode != kString1 && opcode != kString4) return refuse("a text is no valid UTF-8");
        kind = Kind::Bytes;
    }
    return pushText(kind, text);
}

bool PickleMachine::container(std::uint8_t opcode)
{
    std::vector<Ref> items;
    switch (opcode) {
    case kMark:
        if (m_marks.size() >= kMaxPickleDepth)
            return refuse("is nested deeper than " + std::to_string(kMaxPickleDepth));
        m_marks.push_back(m_stack.size());
        return true;
    case kEmptyTuple:
        return pushContainer(Kind::Tuple, {});
    case kEmptyList:
    case kEmptySet:
        return pushContainer(Kind::List, {});
    case kEmptyDict:
        return pushContainer(Kind::Dict, {});
    case kTuple:
        return popMark(items) && pushContainer(Kind::Tuple, std::move(items));
    case kList:
    case kFrozenSet:
        return popMark(items) && pushContainer(Kind::List, std::move(items));
    case kDict:
        if (!popMark(items)) return false;
        if (items.size() % 2 != 0) return refuse("a dictionary has a key without a value");
        return pushContainer(Kind::Dict, std::move(items));
    case kTuple1:
    case kTuple2:
    case kTuple3:
        items.resize(static_cast<std::size_t>(opcode - kTuple1) + 1);
        for (std::size_t i = items.size(); i-- > 0;)
            if (!pop(items[i])) return false;
        return pushContainer(Kind::Tuple, std::move(items));
    default:
        return memory(opcode);
    }
}

bool PickleMachine::memory(std::uint8_t opcode)
{
    std::uint64_t place = 0;
    std::vector<Ref> items;
    Ref ignored = 0;
    switch (opcode) {
    case kPop:
        if (!m_marks.empty() && m_marks.back() == m_stack.size()) return popMark(items);
        return pop(ignored);
    case kPopMark:
        return popMark(items);
    case kDup:
        if (m_stack.empty()) return refuse("takes from an empty stack");
        m_stack.push_back(m_stack.back());
        return true;
    case kAppend:
        items.resize(1);
        return pop(items[0]) && !m_stack.empty() ? append(m_stack.back(), items) : refuse("takes from an empty stack");
    case kSetItem:
        items.resize(2);
        return pop(items[1]) && pop(items[0]) && !m_stack.empty() ? append(m_stack.back(), items)
                                                                  : refuse("takes from an empty stack");
    case kAppends:
    case kAddItems:
    case kSetItems:
        if (!popMark(items)) return false;
        return m_stack.empty() ? refuse("takes from an empty stack") : append(m_stack.back(), items);
    case kGet1:
    case kGet4:
        return number(opcode == kGet1 ? 1 : 4, place) && memoGet(place);
    case kPut1:
    case kPut4:
        return number(opcode == kPut1 ? 1 : 4, place) && memoPut(place);
    case kMemoize:
        return memoPut(m_memo.size());
    default:
        return refuse("uses the forbidden opcode " + hex(opcode));
    }
}

bool PickleMachine::longInteger(std::size_t lengthBytes)
{
    std::uint64_t length = 0;
    if (!number(lengthBytes, length)) return false;
    if (length > kMaxPickleInteger) return refuse("an integer has " + std::to_string(length) + " bytes, more than 16");
    if (length > m_bytes.size() - m_at) return refuse("is cut off");
    const std::string_view text = m_bytes.substr(m_at, length);
    m_at += length;
    if (length > 8) return pushText(Kind::Bytes, text);
    std::uint64_t value = 0;
    for (std::size_t i = length; i-- > 0;)
        value = value << 8 | static_cast<unsigned char>(text[i]);
    if (length > 0 && length < 8 && (static_cast<unsigned char>(text[length - 1]) & 0x80))
        value |= ~std::uint64_t(0) << (8 * length);
    return push(Kind::Int, static_cast<std::int64_t>(value));
}

bool PickleMachine::binaryFloat()
{
    std::uint64_t value = 0;
    if (!number(8, value) || !push(Kind::Real)) return false;
    m_out.m_nodes.back().real = std::bit_cast<double>(__builtin_bswap64(value));
    return true;
}

bool PickleMachine::memoPut(std::uint64_t place)
{
    if (place >= kMaxPickleMemo) return refuse("remembers more than " + std::to_string(kMaxPickleMemo) + " values");
    if (m_stack.empty()) return refuse("takes from an empty stack");
    if (place >= m_memo.size()) m_memo.resize(place + 1);
    m_memo[place] = m_stack.back();
    return true;
}

bool PickleMachine::memoGet(std::uint64_t place)
{
    if (place >= m_memo.size() || !m_memo[place])
        return refuse("asks for value " + std::to_string(place) + ", which it has not remembered");
    m_stack.push_back(*m_memo[place]);
    return true;
}

bool PickleMachine::nameInline(bool thenRefuse)
{
    std::string_view module, leaf;
    if (!line(module) || !line(leaf) || !name(module, leaf)) return false;
    return !thenRefuse || refuse("uses the forbidden opcode INST");
}

bool PickleMachine::nameFromStack()
{
    Ref leaf = 0, module = 0;
    if (!pop(leaf) || !pop(module)) return false;
    if (!isText(leaf) || !isText(module)) return refuse("a name is made of something that is no text");
    return name(m_out.text(module), m_out.text(leaf));
}

}  // namespace sg
