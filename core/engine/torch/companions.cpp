#include "core/engine/torch/companions.h"

#include "core/text/extra_networks.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sg::engine {
namespace {

constexpr std::size_t kHashShown = 12;
constexpr std::size_t kVaeHashShown = 10;

const NamedFile *findFile(const std::vector<NamedFile> &files, const std::string &name)
{
    const auto it = std::find_if(files.begin(), files.end(), [&](const NamedFile &file) { return file.name == name; });
    return it == files.end() ? nullptr : &*it;
}

std::vector<adapters::AdaptedNetwork> networksOf(const Checkpoint &checkpoint)
{
    std::vector<adapters::AdaptedNetwork> networks{{AdapterNetwork::Unet, checkpoint.unet.ptr()}};
    for (std::size_t i = 0; i < checkpoint.texts.size(); ++i)
        networks.push_back({i == 0 ? AdapterNetwork::Text : AdapterNetwork::Text2,
                            {checkpoint.texts[i], &checkpoint.texts[i]->module()}});
    return networks;
}

// "name: 0123456789ab, other: …": what would end a name there is left out.
void addHash(std::string &hashes, const NamedFile &file)
{
    if (file.hash.empty()) return;
    std::string name = file.name;
    std::erase_if(name, [](char c) { return c == ':' || c == ','; });
    hashes += (hashes.empty() ? "" : ", ") + name + ": " + file.hash.substr(0, kHashShown);
}

void useLoras(ModelStore::Resident &resident, const ModelRef &model, const std::vector<LoraTag> &tags,
              GenerationSink &sink, const std::stop_token &stop)
{
    std::vector<adapters::WantedAdapter> wanted;
    std::string hashes;
    for (const LoraTag &tag : tags) {
        const NamedFile *file = findFile(model.loras, tag.name);
        if (!file) {
            sink.warning("there is no LoRA named \"" + tag.name + "\": its tag was ignored");
            continue;
        }
        wanted.push_back({tag.name, file->path, tag.textEncoder, tag.unet, tag.dyn});
        addHash(hashes, *file);
    }
    if (!resident.adapters) {
        if (wanted.empty()) return;
        resident.adapters = std::make_unique<adapters::AdapterSet>(networksOf(*resident.checkpoint),
                                                                   resident.checkpoint->config.family);
    }
    adapters::AdapterReport report;
    try {
        report = resident.adapters->apply(wanted, stop);
    } catch (...) {
        resident.conditioner.forget();
        throw;
    }
    if (report.textChanged) resident.conditioner.forget();
    for (std::string &warning : report.warnings)
        sink.warning(std::move(warning));
    if (!hashes.empty()) sink.fact("Lora hashes", hashes);
}

void useVae(ModelStore::Resident &resident, const ModelRef &model, GenerationSink &sink, const std::stop_token &stop)
{
    if (!model.vae) return resident.vae.use(*resident.checkpoint, std::nullopt, stop);
    resident.vae.use(*resident.checkpoint, model.vae->path, stop);
    if (!model.vae->hash.empty()) sink.fact("VAE hash", model.vae->hash.substr(0, kVaeHashShown));
    sink.fact("VAE", model.vae->name);
}

}  // namespace

GenerationRequest useCompanions(ModelStore::Resident &resident, const ModelRef &model, GenerationRequest request,
                                GenerationSink &sink, const std::stop_token &stop)
{
    TextAndNetworks prompt = takeExtraNetworks(request.prompt);
    const Expected<std::vector<LoraTag>> tags = loraTags(prompt.networks);
    if (!tags) throw Failure{tags.error()};
    useVae(resident, model, sink, stop);
    useLoras(resident, model, *tags, sink, stop);
    request.prompt = std::move(prompt.text);
    return request;
}

}  // namespace sg::engine
