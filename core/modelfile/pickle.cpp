#include "core/modelfile/pickle.h"

#include "core/modelfile/pickle_machine.h"

namespace sg {

Expected<Pickle> Pickle::read(std::string_view bytes)
{
    Pickle pickle;
    PickleMachine machine(bytes, pickle);
    if (!machine.run()) return fail(ErrorCode::UnusableFile, "pickle: " + machine.error());
    return pickle;
}

std::optional<Pickle::Ref> Pickle::find(Ref dict, std::string_view key) const
{
    if (kind(dict) != Kind::Dict) return std::nullopt;
    const std::span<const Ref> all = items(dict);
    for (std::size_t i = all.size() / 2; i-- > 0;)
        if (kind(all[2 * i]) == Kind::Text && text(all[2 * i]) == key) return all[2 * i + 1];
    return std::nullopt;
}

}  // namespace sg
