#pragma once

#include "core/diffusion/adapters/adapter_change.h"
#include "core/diffusion/adapters/adapter_file.h"
#include "core/diffusion/nn/layers.h"
#include "core/diffusion/nn/load_watch.h"
#include "core/modelfile/adapter_keys.h"
#include "core/modelfile/file_identity.h"
#include "core/modelfile/model_kind.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace sg::adapters {

/// A LoRA that a run wants, of whatever kind.
struct WantedAdapter {
    std::string name;
    std::string path;
    double te = 1, unet = 1;               ///< multipliers for text encoders and UNet
    std::optional<std::int64_t> dyn = {};  ///< only so many of LoRA's ranks
    bool operator==(const WantedAdapter &) const = default;
};

/// One of a checkpoint's networks.
struct AdaptedNetwork {
    AdapterNetwork network;
    std::shared_ptr<torch::nn::Module> module;
};

struct AdapterReport {
    std::vector<std::string> warnings;  ///< what of the files belongs to no layer
    bool textChanged = false;           ///< a text encoder is not what it was before the call
};

/// The LoRAs merged into a checkpoint's networks. It keeps what the weights were before, so that the networks become
/// the checkpoint's again bit for bit, without reading its file.
/// Thread  the one that uses the networks, under torch::InferenceMode if they were bound under it.
class AdapterSet {
public:
    /// `family` only helps to explain why a file does not fit.
    AdapterSet(const std::vector<AdaptedNetwork> &networks, BaseFamily family);

    /// Makes the networks the checkpoint's with `wanted` merged in that order, whatever was merged before. Does nothing
    /// when they are that already and no file has changed. `watch` is told while the files are read, and after each
    /// layer that is merged or taken back.
    /// Errors  throws Failure: NotFound, UnusableFile (which file, layer and shapes), ModelChanged, Cancelled; nothing
    ///         is merged then.
    AdapterReport apply(const std::vector<WantedAdapter> &wanted, const std::stop_token &stop = {},
                        const LoadWatch &watch = {});
    /// What the saved and the merged weights take beside the checkpoint's.
    std::size_t bytes() const;

private:
    struct Saved {
        torch::Tensor weight;  // undefined where nothing was changed
        bool ofFile = false;   // it is the file's own tensor, and no copy
    };
    struct Layer {
        nn::Leaf *leaf = nullptr;
        bool text = false;
        std::vector<Saved> saved;  // as declared()
    };
    struct Place {
        std::size_t layer = 0;
        std::size_t parameter = 0;
    };
    struct Step;
    using Steps = std::map<std::size_t, std::vector<Step>>;

    using Files = std::vector<std::shared_ptr<const AdapterFile>>;
    using Alive = std::function<void()>;

    Steps plan(const std::vector<WantedAdapter> &wanted, const Files &files, AdapterReport &report) const;
    void merge(Layer &layer, const std::vector<Step> &steps, const Alive &alive);
    std::vector<torch::Tensor> merged(const std::vector<nn::Leaf::Declared> &declared, const Layer &layer,
                                      const std::vector<Step> &steps, const Alive &alive) const;
    const Place *place(AdapterNetwork network, const std::string &parameter) const;
    void undo(const Alive &alive);

    BaseFamily m_family;
    AdapterLayers m_names;
    std::vector<Layer> m_layers;
    std::map<std::pair<AdapterNetwork, std::string>, Place> m_places;
    std::vector<WantedAdapter> m_wanted;
    std::vector<FileIdentity> m_identities;
    std::vector<std::string> m_warnings;
};

}  // namespace sg::adapters
