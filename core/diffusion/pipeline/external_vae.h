#pragma once

#include "core/diffusion/pipeline/checkpoint.h"
#include "core/modelfile/file_identity.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace sg {

/// An autoencoder of another file in the place of a checkpoint's own, which waits until it is wanted again.
/// Thread  the checkpoint's.
class ExternalVae {
public:
    /// Gives the checkpoint the autoencoder of `path`, or its own when there is none. Nothing is read when it has that
    /// one already and its file has not changed. The latents' scale stays the checkpoint's.
    /// Errors  throws Failure: NotFound, UnusableFile (also when its latents have another size or number of channels),
    ///         ModelChanged, Cancelled; the checkpoint keeps what it has.
    void use(Checkpoint &checkpoint, const std::optional<std::filesystem::path> &path, const std::stop_token &stop);
    std::size_t bytes() const { return m_bytes; }

private:
    Vae m_own{nullptr};  // the checkpoint's, while another is in its place
    VaeConfig m_ownConfig;
    std::filesystem::path m_path;
    FileIdentity m_identity;
    std::size_t m_bytes = 0;
};

}  // namespace sg
