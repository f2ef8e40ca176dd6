#include "core/diffusion/pipeline/external_vae.h"

#include "core/base/or_throw.h"
#include "core/diffusion/nn/bind.h"
#include "core/modelfile/key_dialect.h"
#include "core/modelfile/model_file.h"

#include <utility>

namespace sg {
namespace {

std::string prefixIn(const TensorIndex &index)
{
    for (const char *prefix : {"first_stage_model.", "vae.", ""})
        if (index.contains(prefix + std::string("decoder.conv_in.weight"))) return prefix;
    throw Failure{{ErrorCode::UnusableFile, "is no autoencoder: decoder.conv_in.weight is missing", index.path()}};
}

void requireSameLatents(const VaeConfig &made, const VaeConfig &own, const std::string &path)
{
    if (made.latentChannels == own.latentChannels && made.factor() == own.factor()) return;
    throw Failure{{ErrorCode::UnusableFile,
                   "the VAE's latents have " + std::to_string(made.latentChannels) + " channels for " +
                       std::to_string(made.factor()) + " pixels, the checkpoint's " +
                       std::to_string(own.latentChannels) + " for " + std::to_string(own.factor()),
                   path}};
}

}  // namespace

void ExternalVae::use(Checkpoint &checkpoint, const std::optional<std::filesystem::path> &path,
                      const std::stop_token &stop)
{
    if (!path) {
        if (m_own) {
            checkpoint.vae = std::exchange(m_own, Vae(nullptr));
            checkpoint.config.vae = m_ownConfig;
            checkpoint.vaeFiles.clear();
            m_path.clear();
            m_bytes = 0;
        }
        return;
    }
    const FileIdentity identity = orThrow(fileIdentity(*path));
    if (m_own && m_path == *path && m_identity == identity) return;
    const TensorIndex index = canonicalNames(orThrow(readModelFile(*path)));
    const std::string prefix = prefixIn(index);
    const VaeConfig &own = m_own ? m_ownConfig : checkpoint.config.vae;
    VaeConfig config = VaeConfig::detect(index, prefix);
    requireSameLatents(config, own, index.path());
    config.latentScale = own.latentScale;
    nn::WeightSource source{index, {}, checkpoint.device, checkpoint.vaeDtype, stop};
    for (const SourceFile &file : index.files())
        source.files.push_back(orThrow(nn::MappedFile::open(file.path, file.identity)));
    Vae made(config);
    nn::BindReport report;
    nn::bind(*made, prefix, source, report);
    if (!m_own) {
        m_own = checkpoint.vae;
        m_ownConfig = checkpoint.config.vae;
    }
    checkpoint.vae = std::move(made);
    checkpoint.config.vae = config;
    checkpoint.vaeFiles.clear();
    if (report.mapped > 0) checkpoint.vaeFiles = std::move(source.files);
    m_path = *path;
    m_identity = identity;
    m_bytes = report.bytes;
}

}  // namespace sg
