#pragma once

#include "core/engine/torch/model_store.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sg::engine {

/// The files beside a checkpoint that a task uses: its VAE, embeddings and LoRAs. Says by warnings what is not there or
/// does not match, by facts what the pictures' infotext should name. All it is given must outlive it.
class Companions {
public:
    Companions(ModelStore &store, ModelStore::Resident &resident, const ModelRef &model, GenerationSink &sink,
               std::stop_token stop);

    /// Puts the VAE in its place and reads the embeddings, once for a task.
    /// Errors  throws Failure as ExternalVae::use.
    void begin();
    /// Merges the LoRAs of the first of these prompts, as A1111 does for a batch; another prompt that wants others is
    /// told. `larger`: for hires fix, in addition to what the infotext names already.
    /// Errors  throws Failure as AdapterSet::apply, InvalidArgument for a tag that cannot be read.
    void useLoras(const std::vector<std::string> &prompts, bool larger);
    /// For the second of two checkpoints: the infotext names the first one's LoRAs too.
    void goOnFrom(const Companions &first) { m_named = first.m_named; }
    /// In the place of begin() and useLoras(), for a refiner: it never decodes, and has no LoRAs.
    /// Errors  throws Failure as begin() and useLoras().
    void beginRefiner();
    /// The tiny autoencoder that decodes previews of the checkpoint's latents; null, and a warning, where there is
    /// none.
    std::shared_ptr<Autoencoder> previewVae();
    void nameEmbeddings(const std::map<std::string, std::string> &embeddings);

private:
    void useVae();
    std::vector<std::string> useEmbeddings();
    void nameLoras(bool larger);
    void merge(const std::vector<adapters::WantedAdapter> &wanted);

    ModelStore &m_store;
    ModelStore::Resident &m_resident;
    const ModelRef &m_model;
    GenerationSink &m_sink;
    std::stop_token m_stop;
    LoadWatch m_watch;
    std::vector<const NamedFile *> m_loras;  // merged now
    std::vector<const NamedFile *> m_named;  // in the infotext
};

}  // namespace sg::engine
