#pragma once

#include "core/modelfile/tensor_index.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sg {

/// The tensors of one layer in an adapter's file.
struct AdapterGroup {
    std::string layer;  ///< as the file names it, without what kohya, diffusers and peft put around it
    std::map<std::string, std::string, std::less<>> parts;  ///< "lora_up", "alpha", "hada_w1_a", … -> key in the file
};

/// A file's keys by layer, in the order of their names. Keys whose end tells no part go to `unknown`.
std::vector<AdapterGroup> adapterGroups(const TensorIndex &index, std::vector<std::string> &unknown);

/// Which of the three networks a layer belongs to. Text: the only text encoder, or the first of two.
enum class AdapterNetwork { Unet, Text, Text2 };

/// A parameter of a network, or one of the three parts of a fused one.
struct AdapterTarget {
    AdapterNetwork network = AdapterNetwork::Unet;
    std::string weight;  ///< its name in the network: "input_blocks.1.1.proj_in.weight"
    std::string bias;    ///< empty when the layer has none
    int third = -1;      ///< 0, 1, 2: queries, keys, values of a fused projection
    bool transposed = false;

    bool operator==(const AdapterTarget &) const = default;
};

/// All the names by which adapters' files call a checkpoint's layers: kohya's, diffusers' and peft's, of LDM's layout
/// and of diffusers'. Made from the parameters' own names, so that it fits networks of any depth.
/// Source  the key lists of such files; diffusers' names follow the order of LDM's blocks.
class AdapterLayers {
public:
    /// `parameters`: all names of one network's parameters, as in the checkpoint without its prefix.
    void add(AdapterNetwork network, const std::vector<std::string> &parameters);
    /// The layer that a group of a file means; nothing when the checkpoint has none of that name.
    const AdapterTarget *find(std::string_view layer) const;
    std::size_t size() const { return m_names.size(); }

private:
    void addTarget(const AdapterTarget &target, const std::string &own, const std::string &theirs);
    void name(std::string name, const AdapterTarget &target);

    std::map<std::string, AdapterTarget, std::less<>> m_names;
};

}  // namespace sg
