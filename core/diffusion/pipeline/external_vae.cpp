#include "core/diffusion/pipeline/external_vae.h"

#include "core/base/or_throw.h"
#include "core/diffusion/nn/bind.h"
#include "core/diffusion/nn/layers.h"
#include "core/diffusion/nn/mapped_file.h"
#include "core/diffusion/vae/taesd.h"
#include "core/diffusion/vae/vae.h"
#include "core/modelfile/key_dialect.h"
#include "core/modelfile/model_file.h"
#include "core/modelfile/model_kind.h"

#include <utility>

namespace sg {
namespace {

void requireSameLatents(const Autoencoder &made, const Autoencoder &own, const std::string &path)
{
    if (made.latentChannels() == own.latentChannels() && made.factor() == own.factor()) return;
    throw Failure{{ErrorCode::UnusableFile,
                   "the VAE's latents have " + std::to_string(made.latentChannels()) + " channels for " +
                       std::to_string(made.factor()) + " pixels, the checkpoint's " +
                       std::to_string(own.latentChannels()) + " for " + std::to_string(own.factor()),
                   path}};
}

/// Two autoencoders that mean the same by their latents: one encodes, one decodes.
class Pair final : public Autoencoder {
public:
    Pair(std::shared_ptr<Autoencoder> encoder, std::shared_ptr<Autoencoder> decoder)
        : m_encoder(std::move(encoder)), m_decoder(std::move(decoder))
    {
    }
    torch::Tensor encode(const torch::Tensor &pictures) override { return m_encoder->encode(pictures); }
    torch::Tensor decode(const torch::Tensor &latents) override { return m_decoder->decode(latents); }
    std::int64_t factor() const override { return m_decoder->factor(); }
    std::int64_t latentChannels() const override { return m_decoder->latentChannels(); }
    std::uint64_t decodeBytes(std::int64_t height, std::int64_t width) const override
    {
        return m_decoder->decodeBytes(height, width);
    }
    std::uint64_t encodeBytes(std::int64_t height, std::int64_t width) const override
    {
        return m_encoder->encodeBytes(height, width);
    }

private:
    std::shared_ptr<Autoencoder> m_encoder, m_decoder;
};

/// The autoencoder in a file, with its weights, beside the checkpoint's own.
std::shared_ptr<Autoencoder> read(nn::WeightSource &source, const CheckpointConfig &checkpoint,
                                  const std::shared_ptr<Autoencoder> &own, nn::BindReport &report)
{
    const TensorIndex &index = source.index;
    if (describeModel(index).kind == ModelKind::Taesd) {
        const Taesd tiny = makeTaesd(source, report);
        requireSameLatents(*tiny, *own, index.path());
        if (tiny->encoder() && tiny->decoder()) return tiny.ptr();
        return std::make_shared<Pair>(tiny->encoder() ? tiny.ptr() : own, tiny->decoder() ? tiny.ptr() : own);
    }
    const std::string prefix = vaePrefixIn(index);
    VaeConfig config = VaeConfig::detect(index, prefix);
    config.latentScale = checkpoint.latentScale;
    const auto made = std::make_shared<VaeImpl>(config);
    requireSameLatents(*made, *own, index.path());
    nn::bind(*made, prefix, source, report);
    return made;
}

/// Takes the weights out of their mapped file. Returns their bytes.
std::size_t ownCopy(torch::nn::Module &module)
{
    std::size_t bytes = 0;
    for (const auto &entry : module.modules()) {
        auto *const leaf = dynamic_cast<nn::Leaf *>(entry.get());
        if (!leaf) continue;
        leaf->edit([&](const auto &declared) {
            for (const nn::Leaf::Declared &one : declared) {
                torch::Tensor parameter = one.parameter;
                parameter.set_data(parameter.detach().clone());
                bytes += parameter.nbytes();
            }
        });
    }
    return bytes;
}

}  // namespace

void ExternalVae::use(Checkpoint &checkpoint, const std::optional<std::filesystem::path> &path,
                      const std::stop_token &stop, const LoadWatch &watch)
{
    if (!path) {
        if (m_own) {
            checkpoint.vae = std::exchange(m_own, nullptr);
            checkpoint.vaeFiles.clear();
            m_path.clear();
            m_bytes = m_mapped = 0;
        }
        return;
    }
    const FileIdentity identity = orThrow(fileIdentity(*path));
    if (m_own && m_path == *path && m_identity == identity) return;
    const TensorIndex index = canonicalNames(orThrow(readModelFile(*path)));
    nn::WeightSource source{index, {}, checkpoint.device, checkpoint.vaeDtype, stop};
    for (const SourceFile &file : index.files())
        source.files.push_back(orThrow(nn::MappedFile::open(file.path, file.identity)));
    source.alive = nn::readAhead(source.files, index.path(), stop, watch);
    nn::BindReport report;
    const std::shared_ptr<Autoencoder> made = read(source, checkpoint.config, m_own ? m_own : checkpoint.vae, report);
    if (!m_own) m_own = checkpoint.vae;
    checkpoint.vae = made;
    checkpoint.vaeFiles.clear();
    if (report.mapped > 0) checkpoint.vaeFiles = std::move(source.files);
    m_path = *path;
    m_identity = identity;
    m_bytes = report.bytes;
    m_mapped = report.mapped;
}

std::shared_ptr<Autoencoder> PreviewVae::use(const Checkpoint &checkpoint, const std::filesystem::path &path,
                                             const std::stop_token &stop, const LoadWatch &watch)
{
    const FileIdentity identity = orThrow(fileIdentity(path));
    if (m_path == path && m_identity == identity) return m_vae;
    Taesd tiny = loadTaesd(path, checkpoint.device, checkpoint.vaeDtype, stop, watch);
    const bool fits = tiny->decoder() && tiny->latentChannels() == checkpoint.config.latentChannels;
    m_bytes = fits ? ownCopy(*tiny) : 0;
    m_vae = fits ? tiny.ptr() : nullptr;
    m_path = path;
    m_identity = identity;
    return m_vae;
}

}  // namespace sg
