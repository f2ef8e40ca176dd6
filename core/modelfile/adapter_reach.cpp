#include "core/modelfile/adapter_reach.h"

#include <set>
#include <utility>

namespace sg {

std::uint64_t adaptedNumbers(const TensorIndex &checkpoint, const std::vector<AdaptedPrefix> &networks,
                             const std::vector<TensorIndex> &adapters)
{
    AdapterLayers layers;
    for (const AdaptedPrefix &one : networks) {
        std::vector<std::string> parameters;
        const auto &tensors = checkpoint.tensors();
        for (auto it = tensors.lower_bound(one.prefix); it != tensors.end() && it->first.starts_with(one.prefix); ++it)
            parameters.push_back(it->first.substr(one.prefix.size()));
        layers.add(one.network, parameters);
    }
    std::set<std::pair<AdapterNetwork, std::string>> changed;
    for (const TensorIndex &adapter : adapters) {
        std::vector<std::string> unknown;
        for (const AdapterGroup &group : adapterGroups(adapter, unknown))
            if (const AdapterTarget *target = layers.find(group.layer)) {
                changed.emplace(target->network, target->weight);
                const bool ofBias =
                    group.parts.contains("diff_b") || group.parts.contains("b_norm") || group.parts.contains("ia3_l");
                if (ofBias && !target->bias.empty()) changed.emplace(target->network, target->bias);
            }
    }
    std::uint64_t numbers = 0;
    for (const AdaptedPrefix &one : networks)
        for (const auto &[network, name] : changed)
            if (network == one.network)
                if (const TensorInfo *info = checkpoint.find(one.prefix + name))
                    numbers += static_cast<std::uint64_t>(info->elements());
    return numbers;
}

}  // namespace sg
