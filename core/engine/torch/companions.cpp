#include "core/engine/torch/companions.h"

#include "core/diffusion/vae/taesd.h"
#include "core/text/extra_networks.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sg::engine {
namespace {

constexpr std::size_t kHashShown = 12;
constexpr std::size_t kVaeHashShown = 10;

/// For what it would cost to bring something back: the longest time that it took.
class Stopwatch {
public:
    double seconds() const { return std::chrono::duration<double>(Clock::now() - m_start).count(); }

private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point m_start = Clock::now();
};

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
void addHash(std::string &hashes, std::string name, const std::string &hash)
{
    if (hash.empty()) return;
    std::erase_if(name, [](char c) { return c == ':' || c == ','; });
    hashes += (hashes.empty() ? "" : ", ") + name + ": " + hash.substr(0, kHashShown);
}

std::vector<LoraTag> tagsOf(const std::string &prompt, GenerationSink &sink)
{
    const std::vector<ExtraNetwork> networks = takeExtraNetworks(prompt).networks;
    for (const ExtraNetwork &network : networks)
        if (network.type != "lora" && network.type != "lyco")
            sink.warning("<" + network.type + ":…> is not supported: the tag was ignored");
    Expected<std::vector<LoraTag>> tags = loraTags(networks);
    if (!tags) throw Failure{tags.error()};
    return std::move(*tags);
}

}  // namespace

Companions::Companions(ModelStore &store, ModelStore::Resident &resident, const ModelRef &model, GenerationSink &sink,
                       std::stop_token stop)
    : m_store(store), m_resident(resident), m_model(model), m_sink(sink), m_stop(std::move(stop)),
      m_watch([&sink](std::uint64_t bytes, std::uint64_t total) { sink.loading(bytes, total); })
{
}

void Companions::begin()
{
    useVae();
    for (std::string &warning : useEmbeddings())
        m_sink.warning(std::move(warning));
    m_store.publish();
}

void Companions::beginRefiner()
{
    m_resident.vae.use(*m_resident.checkpoint, std::nullopt, m_stop);
    (void)useEmbeddings();  // what does not fit it may well fit the model before it
    merge({});
    m_store.publish();
}

void Companions::useVae()
{
    if (!m_model.vae) return m_resident.vae.use(*m_resident.checkpoint, std::nullopt, m_stop);
    const Stopwatch watch;
    m_resident.vae.use(*m_resident.checkpoint, m_model.vae->path, m_stop, m_watch);
    m_resident.vaeSeconds = std::max(m_resident.vaeSeconds, watch.seconds());
    if (!m_model.vae->hash.empty()) m_sink.fact("VAE hash", m_model.vae->hash.substr(0, kVaeHashShown));
    m_sink.fact("VAE", m_model.vae->name);
}

std::shared_ptr<Autoencoder> Companions::previewVae()
{
    const Checkpoint &checkpoint = *m_resident.checkpoint;
    const bool xl = checkpoint.config.family == BaseFamily::Sdxl;
    for (const NamedFile &file : m_model.taesd) {
        if (isTaesdXlName(file.name) != xl) continue;
        try {
            const Stopwatch watch;
            const std::shared_ptr<Autoencoder> vae = m_resident.preview.use(checkpoint, file.path, m_stop, m_watch);
            m_resident.previewSeconds = std::max(m_resident.previewSeconds, watch.seconds());
            m_store.publish();
            if (vae) return vae;
        } catch (const Failure &failure) {
            if (failure.error.code == ErrorCode::Cancelled) throw;
            m_sink.warning(file.name + " cannot be used for previews: " + failure.error.message);
        }
    }
    m_sink.warning(std::string("there is no TAESD file for this checkpoint") +
                   (xl ? " (its name has \"xl\" in it)" : "") + ": previews were the colours' guess");
    return nullptr;
}

std::vector<std::string> Companions::useEmbeddings()
{
    std::vector<adapters::WantedEmbedding> wanted;
    for (const NamedFile &file : m_model.embeddings)
        wanted.push_back({file.name, file.path, file.hash});
    std::vector<std::int64_t> widths;
    for (const auto &encoder : m_resident.checkpoint->texts)
        widths.push_back(encoder->traits().width);
    bool changed = false;
    std::vector<std::string> warnings =
        m_resident.conditioner.embeddings().use(wanted, widths, &changed, m_stop, m_watch);
    if (changed) m_resident.conditioner.forget();
    return warnings;
}

void Companions::nameEmbeddings(const std::map<std::string, std::string> &embeddings)
{
    std::string hashes;
    for (const auto &[name, hash] : embeddings)
        addHash(hashes, name, hash);
    m_sink.fact("TI hashes", hashes);
}

void Companions::useLoras(const std::vector<std::string> &prompts, bool larger)
{
    const std::vector<LoraTag> tags = tagsOf(prompts.front(), m_sink);
    if (std::any_of(prompts.begin(), prompts.end(), [&](const auto &other) { return tagsOf(other, m_sink) != tags; }))
        m_sink.warning("the pictures of a batch share their LoRAs: those of its first prompt were used for all");
    std::vector<adapters::WantedAdapter> wanted;
    m_loras.clear();
    for (const LoraTag &tag : tags) {
        const NamedFile *file = findFile(m_model.loras, tag.name);
        if (!file) {
            m_sink.warning("there is no LoRA named \"" + tag.name + "\": its tag was ignored");
            continue;
        }
        wanted.push_back({tag.name, file->path, tag.textEncoder, tag.unet, tag.dyn});
        m_loras.push_back(file);
    }
    nameLoras(larger);
    merge(wanted);
}

void Companions::merge(const std::vector<adapters::WantedAdapter> &wanted)
{
    std::unique_ptr<adapters::AdapterSet> &set = m_resident.adapters;
    if (!set && wanted.empty()) return;
    if (!wanted.empty()) m_resident.checkpoint->use(CheckpointPart::Texts);
    // Parts that came back are others than those that it knows.
    if (!set)
        set = std::make_unique<adapters::AdapterSet>(networksOf(*m_resident.checkpoint),
                                                     m_resident.checkpoint->config.family);
    adapters::AdapterReport report;
    const Stopwatch watch;
    try {
        report = set->apply(wanted, m_stop, m_watch);
        m_resident.loraSeconds = std::max(m_resident.loraSeconds, watch.seconds());
    } catch (...) {
        m_resident.conditioner.forget();
        throw;
    }
    if (report.textChanged) m_resident.conditioner.forget();
    for (std::string &warning : report.warnings)
        m_sink.warning(std::move(warning));
    m_store.publish();
}

void Companions::nameLoras(bool larger)
{
    if (!larger) m_named.clear();
    for (const NamedFile *file : m_loras)
        if (std::find(m_named.begin(), m_named.end(), file) == m_named.end()) m_named.push_back(file);
    std::string hashes;
    for (const NamedFile *file : m_named)
        addHash(hashes, file->name, file->hash);
    m_sink.fact("Lora hashes", hashes);
}

}  // namespace sg::engine
