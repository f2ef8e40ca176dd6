#include "core/modelfile/pickle_machine.h"

#include <algorithm>

// The values and the stack of the pickle machine, with their limits.

namespace sg {

bool PickleMachine::refuse(std::string rule)
{
    if (m_rule.empty()) m_rule = std::move(rule);
    return false;
}

bool PickleMachine::number(std::size_t bytes, std::uint64_t &value)
{
    if (m_bytes.size() - m_at < bytes)
        return refuse(m_bytes.size() >= kMaxPickleBytes
                          ? "is longer than " + std::to_string(kMaxPickleBytes >> 20) + " MiB"
                          : "is cut off");
    value = 0;
    for (std::size_t i = bytes; i-- > 0;)
        value = value << 8 | static_cast<unsigned char>(m_bytes[m_at + i]);
    m_at += bytes;
    return true;
}

bool PickleMachine::line(std::string_view &text)
{
    const std::size_t end = m_bytes.substr(0, std::min(m_bytes.size(), m_at + 1024)).find('\n', m_at);
    if (end == std::string_view::npos)
        return refuse(m_bytes.size() - m_at < 1024 ? "is cut off" : "a name is not ended within 1024 bytes");
    text = m_bytes.substr(m_at, end - m_at);
    m_at = end + 1;
    return true;
}

bool PickleMachine::push(Kind kind, std::int64_t integer)
{
    Pickle::Node node;
    node.kind = kind;
    node.integer = integer;
    m_out.m_nodes.push_back(node);
    m_stack.push_back(static_cast<Ref>(m_out.m_nodes.size() - 1));
    return true;
}

bool PickleMachine::pushText(Kind kind, std::string_view text)
{
    push(kind);
    m_out.m_nodes.back().text = text.data();
    m_out.m_nodes.back().size = static_cast<std::uint32_t>(text.size());
    return true;
}

bool PickleMachine::pushContainer(Kind kind, std::vector<Ref> items)
{
    if (m_out.m_lists.size() >= kMaxPickleContainers)
        return refuse("makes more than " + std::to_string(kMaxPickleContainers) + " containers");
    const auto place = static_cast<std::int64_t>(m_out.m_lists.size());
    m_out.m_lists.emplace_back();
    push(kind, place);
    return append(m_stack.back(), items);
}

bool PickleMachine::pop(Ref &value)
{
    if (m_stack.empty() || (!m_marks.empty() && m_marks.back() >= m_stack.size()))
        return refuse("takes from an empty stack");
    value = m_stack.back();
    m_stack.pop_back();
    return true;
}

bool PickleMachine::popMark(std::vector<Ref> &values)
{
    if (m_marks.empty()) return refuse("looks for a mark that is not there");
    const std::size_t mark = m_marks.back();
    m_marks.pop_back();
    if (mark > m_stack.size()) return refuse("looks for a mark that is not there");
    values.assign(m_stack.begin() + static_cast<std::ptrdiff_t>(mark), m_stack.end());
    m_stack.resize(mark);
    return true;
}

/// Building one container out of another costs without an opcode for each item.
bool PickleMachine::spend(std::size_t items)
{
    m_spent += items;
    return m_spent <= kMaxPickleOpcodes || refuse("copies more than " + std::to_string(kMaxPickleOpcodes) + " values");
}

bool PickleMachine::append(Ref container, std::span<const Ref> items)
{
    Pickle::Node &node = m_out.m_nodes[container];
    if (node.kind != Kind::List && node.kind != Kind::Dict && node.kind != Kind::Tuple)
        return refuse("adds to something that holds no values");
    if (node.kind == Kind::Dict && items.size() % 2 != 0) return refuse("a dictionary has a key without a value");
    std::vector<Ref> &held = m_out.m_lists[static_cast<std::size_t>(node.integer)];
    if (node.kind == Kind::Tuple && !held.empty()) return refuse("adds to a tuple");
    std::uint16_t depth = node.depth;
    for (const Ref item : items)
        depth = std::max<std::uint16_t>(depth, static_cast<std::uint16_t>(m_out.m_nodes[item].depth + 1));
    if (depth > kMaxPickleDepth) return refuse("is nested deeper than " + std::to_string(kMaxPickleDepth));
    node.depth = depth;
    held.insert(held.end(), items.begin(), items.end());
    return true;
}

const PickleName &PickleMachine::nameOf(Ref value) const
{
    return pickleNames()[static_cast<std::size_t>(m_out.integer(value))];
}

}  // namespace sg
