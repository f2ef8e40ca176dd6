#pragma once

#include "core/modelfile/pickle.h"
#include "core/modelfile/pickle_names.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sg {

/// The stack machine behind Pickle::read(). Each function is false once a rule is broken; error() then says which.
class PickleMachine {
public:
    PickleMachine(std::string_view bytes, Pickle &out) : m_bytes(bytes), m_out(out) {}
    bool run();
    std::string error() const;

private:
    using Ref = Pickle::Ref;
    using Kind = Pickle::Kind;

    // pickle_machine.cpp: opcodes
    bool step(std::uint8_t opcode);
    bool constant(std::uint8_t opcode);
    bool textOf(std::uint8_t opcode);
    bool container(std::uint8_t opcode);
    bool memory(std::uint8_t opcode);
    bool longInteger(std::size_t lengthBytes);
    bool binaryFloat();
    bool memoPut(std::uint64_t place);
    bool memoGet(std::uint64_t place);
    bool nameInline(bool thenRefuse);
    bool nameFromStack();

    // pickle_calls.cpp: what names mean
    bool name(std::string_view module, std::string_view name);
    bool reduce();
    bool call(Ref function, Ref arguments, int depth);
    bool build();
    bool newObject();
    bool persistentId();
    bool makeDict(std::span<const Ref> arguments);
    bool makeSet(std::span<const Ref> arguments);
    bool makeTensor(std::span<const Ref> arguments, bool typed);
    bool makeScalar(std::span<const Ref> arguments);
    bool fillParameterDict(Ref dict, Ref state);
    bool sizes(Ref value, const char *what, std::vector<std::int64_t> &out);
    bool checkPlace(const PickledTensor &tensor, std::uint64_t elements);

    // pickle_values.cpp: values and limits
    bool refuse(std::string rule);
    bool number(std::size_t bytes, std::uint64_t &value);
    bool line(std::string_view &text);
    bool push(Kind kind, std::int64_t integer = 0);
    bool pushText(Kind kind, std::string_view text);
    bool pushContainer(Kind kind, std::vector<Ref> items);
    bool pop(Ref &value);
    bool popMark(std::vector<Ref> &values);
    bool spend(std::size_t items);
    bool append(Ref container, std::span<const Ref> items);
    const PickleName &nameOf(Ref value) const;
    bool isText(Ref value) const { return m_out.kind(value) == Kind::Text; }
    bool isInt(Ref value) const { return m_out.kind(value) == Kind::Int; }

    std::string_view m_bytes;
    Pickle &m_out;
    std::size_t m_at = 0;
    std::size_t m_opcodeAt = 0;
    std::vector<Ref> m_stack;
    std::vector<std::size_t> m_marks;
    std::vector<std::optional<Ref>> m_memo;
    std::map<std::string_view, std::uint32_t> m_storageByKey;
    std::size_t m_spent = 0;
    std::string m_rule;
};

}  // namespace sg
