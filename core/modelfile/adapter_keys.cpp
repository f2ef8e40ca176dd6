#include "core/modelfile/adapter_keys.h"

#include <array>
#include <utility>

namespace sg {
namespace {

struct Ending {
    std::string_view text;
    std::string_view part;
};

// The longer of two that both fit comes first.
constexpr std::array kEndings{
    Ending{".lora_magnitude_vector.default.weight", "magnitude"},
    Ending{".lora_magnitude_vector.default", "magnitude"},
    Ending{".lora_magnitude_vector.weight", "magnitude"},
    Ending{".lora_magnitude_vector", "magnitude"},
    Ending{".lora_linear_layer.down.weight", "lora_down"},
    Ending{".lora_linear_layer.up.weight", "lora_up"},
    Ending{".lora_A.default.weight", "lora_down"},
    Ending{".lora_B.default.weight", "lora_up"},
    Ending{".lora_down.weight", "lora_down"},
    Ending{".lora_up.weight", "lora_up"},
    Ending{".lora_mid.weight", "lora_mid"},
    Ending{".lora_A.weight", "lora_down"},
    Ending{".lora_B.weight", "lora_up"},
    Ending{".lora.down.weight", "lora_down"},
    Ending{".lora.up.weight", "lora_up"},
    Ending{"_lora.down.weight", "lora_down"},
    Ending{"_lora.up.weight", "lora_up"},
    Ending{".lora_A", "lora_down"},
    Ending{".lora_B", "lora_up"},
    Ending{".alpha", "alpha"},
    Ending{".scale", "scale"},
    Ending{".dora_scale", "dora_scale"},
    Ending{".bias", "bias"},
    Ending{".hada_w1_a", "hada_w1_a"},
    Ending{".hada_w1_b", "hada_w1_b"},
    Ending{".hada_w2_a", "hada_w2_a"},
    Ending{".hada_w2_b", "hada_w2_b"},
    Ending{".hada_t1", "hada_t1"},
    Ending{".hada_t2", "hada_t2"},
    Ending{".lokr_w1", "lokr_w1"},
    Ending{".lokr_w1_a", "lokr_w1_a"},
    Ending{".lokr_w1_b", "lokr_w1_b"},
    Ending{".lokr_w2", "lokr_w2"},
    Ending{".lokr_w2_a", "lokr_w2_a"},
    Ending{".lokr_w2_b", "lokr_w2_b"},
    Ending{".lokr_t2", "lokr_t2"},
    Ending{".on_input", "on_input"},
    Ending{".oft_blocks", "oft_blocks"},
    Ending{".oft_diag", "oft_diag"},
    Ending{".rescale", "rescale"},
    Ending{".ia3_l", "ia3_l"},
    Ending{".oft_R.weight", "oft_r"},
    Ending{".boft_R", "boft_r"},
    Ending{".boft_s", "boft_s"},
    Ending{".a1.weight", "a1"},
    Ending{".a2.weight", "a2"},
    Ending{".b1.weight", "b1"},
    Ending{".b2.weight", "b2"},
    Ending{".diff", "diff"},
    Ending{".diff_b", "diff_b"},
    Ending{".w_norm", "w_norm"},
    Ending{".b_norm", "b_norm"},
    Ending{".weight", "weight"},
};

void remove(std::string &text, std::string_view part)
{
    if (const std::size_t at = text.find(part); at != std::string::npos) text.erase(at, part.size());
}

// What peft and older diffusers put into a layer's name.
std::string plainLayer(std::string_view name)
{
    std::string layer(name);
    remove(layer, "base_model.model.");
    remove(layer, ".processor");
    return layer;
}

}  // namespace

std::vector<AdapterGroup> adapterGroups(const TensorIndex &index, std::vector<std::string> &unknown)
{
    std::map<std::string, AdapterGroup, std::less<>> groups;
    for (const auto &[key, info] : index.tensors()) {
        const Ending *found = nullptr;
        for (const Ending &ending : kEndings)
            if (key.size() > ending.text.size() && key.ends_with(ending.text)) {
                found = &ending;
                break;
            }
        if (!found) {
            unknown.push_back(key);
            continue;
        }
        std::string layer = plainLayer(std::string_view(key).substr(0, key.size() - found->text.size()));
        AdapterGroup &group = groups[layer];
        // Two spellings of one part: neither can be told to be the right one.
        if (!group.parts.emplace(found->part, key).second) unknown.push_back(key);
        group.layer = std::move(layer);
    }
    std::vector<AdapterGroup> list;
    for (auto &[layer, group] : groups)
        list.push_back(std::move(group));
    return list;
}

}  // namespace sg
