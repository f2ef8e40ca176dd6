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

/// An autoencoder of another file, a tiny one perhaps, in the place of a checkpoint's own, which waits until it is
/// wanted again. Where the file has only one half, as TAESD is often published, the checkpoint's own does the other.
/// Thread  the checkpoint's.
class ExternalVae {
public:
    /// Gives the checkpoint the autoencoder of `path`, or its own when there is none. Nothing is read when it has that
    /// one already and its file has not changed. The latents' scale stays the checkpoint's.
    /// Errors  throws Failure: NotFound, UnusableFile (also when its latents have another size or number of channels),
    ///         ModelChanged, Cancelled; the checkpoint keeps what it has.
    void use(Checkpoint &checkpoint, const std::optional<std::filesystem::path> &path, const std::stop_token &stop,
             const LoadWatch &watch = {});
    std::size_t bytes() const { return m_bytes; }
    std::size_t mapped() const { return m_mapped; }  ///< … what of it are pages of its mapped file
    const std::filesystem::path &path() const { return m_path; }

private:
    std::shared_ptr<Autoencoder> m_own;  // the checkpoint's, while another is in its place
    std::filesystem::path m_path;
    FileIdentity m_identity;
    std::size_t m_bytes = 0, m_mapped = 0;
};

/// A tiny autoencoder beside a checkpoint, for previews. Thread  the checkpoint's.
class PreviewVae {
public:
    /// That of `path`; null where it has no decoder for the checkpoint's latents. Read once, unless the file changes;
    /// copied, so that a file that changes or is cut short while a task runs is none of its affair.
    /// Errors  throws Failure: NotFound, UnusableFile, ModelChanged, Cancelled.
    std::shared_ptr<Autoencoder> use(const Checkpoint &checkpoint, const std::filesystem::path &path,
                                     const std::stop_token &stop = {}, const LoadWatch &watch = {});
    void drop() { *this = {}; }
    std::size_t bytes() const { return m_bytes; }

private:
    std::shared_ptr<Autoencoder> m_vae;
    std::filesystem::path m_path;
    FileIdentity m_identity;
    std::size_t m_bytes = 0;
};

}  // namespace sg
