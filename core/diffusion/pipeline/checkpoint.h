#pragma once

#include "core/diffusion/clip/clip_text_model.h"
#include "core/diffusion/nn/load_watch.h"
#include "core/diffusion/nn/mapped_file.h"
#include "core/diffusion/pipeline/checkpoint_config.h"
#include "core/diffusion/sampling/guided_model.h"
#include "core/diffusion/unet/unet.h"
#include "core/diffusion/vae/autoencoder.h"
#include "core/modelfile/file_identity.h"
#include "core/modelfile/model_choices.h"
#include "core/modelfile/tensor_index.h"

#include <array>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace sg {

/// What of a checkpoint may go while a task does not need it. Its autoencoder stays.
enum class CheckpointPart { Texts, Unet };
inline constexpr std::array kCheckpointParts{CheckpointPart::Texts, CheckpointPart::Unet};

/// Bytes of weights as they lie in memory.
struct PartWeights {
    std::size_t bytes = 0;
    std::size_t mapped = 0;  ///< … what of it are pages of the mapped files
    bool here = true;
    std::size_t own() const { return bytes - mapped; }
};

/// Whether text encoders and UNet stay after loading. Either way all weights are read, so every fault is found.
enum class Residence { Whole, PartByPart };

/// The networks of one file, with their weights on a device.
/// Thread  load and use in one thread, under torch::InferenceMode.
struct Checkpoint {
    CheckpointConfig config;
    std::vector<std::shared_ptr<TextEncoder>> texts;  ///< as CheckpointConfig::texts
    UNet unet{nullptr};
    std::shared_ptr<Autoencoder> vae;  ///< its own, or one of another file (ExternalVae)
    torch::Device device = torch::kCPU;
    torch::ScalarType dtype = torch::kFloat32;  ///< of text encoders and UNet
    torch::ScalarType vaeDtype = torch::kFloat32;
    std::size_t bytes = 0;   ///< of weights that are here, as they lie in memory
    std::size_t mapped = 0;  ///< … what of it are pages of the mapped files
    std::array<PartWeights, kCheckpointParts.size()> parts;
    std::int64_t rowsAtOnce = 0;  ///< most rows of a batch that predict() computes together; 0: all
    std::vector<std::string> warnings;
    ModelChoices choices;                                         ///< that it was loaded with
    std::optional<FileIdentity> sidecar;                          ///< of the `.yaml` that was read
    std::vector<std::shared_ptr<const nn::MappedFile>> files;     ///< held while weights lie in them; otherwise empty
    std::vector<std::shared_ptr<const nn::MappedFile>> vaeFiles;  ///< the same, of an autoencoder of its own

    /// Told before a part is used, so that it can be brought back; empty where all of them are here.
    std::function<void(CheckpointPart)> before;
    std::shared_ptr<const TensorIndex> index;  ///< canonical, to read a part again

    const PartWeights &part(CheckpointPart which) const { return parts[static_cast<std::size_t>(which)]; }
    void use(CheckpointPart which) const
    {
        if (before) before(which);
    }
    /// Lets a part's weights go. Whoever else holds its networks holds on to them.
    void drop(CheckpointPart which);
    /// Reads them again, the same bits. Errors  throws Failure: ModelChanged, Cancelled.
    void bring(CheckpointPart which, const std::stop_token &stop = {}, const LoadWatch &watch = {});

    /// One call of the denoising network, whatever its family. Shapes  as sampling::NoiseNetwork.
    torch::Tensor predict(const torch::Tensor &x, const torch::Tensor &timesteps, const sampling::Conditioning &told);
    /// The noise levels that it was trained on.
    sampling::DiscreteSchedule levels() const;
    /// Errors  throws Failure ModelChanged when weights lie in a file that was changed since. Ask before each task.
    void requireUnchanged() const;
    /// Whether loading would read the same beside the model's own file: its `.yaml`, and what the user chose.
    bool madeWith(const std::filesystem::path &path, const ModelChoices &chosen) const;
};

/// Reads a checkpoint, in any container that readModelFile() knows. On the CPU give float32: it computes in nothing
/// else. Dtype   with float16 the autoencoder stays float32, because its activations can exceed what float16 holds.
/// Errors  throws Failure: NotFound, UnusableFile (which rule, which key), ModelChanged, Cancelled.
std::shared_ptr<Checkpoint> loadCheckpoint(const std::filesystem::path &path, const torch::Device &device,
                                           torch::ScalarType dtype, std::stop_token stop = {},
                                           const LoadWatch &watch = {}, const ModelChoices &choices = {},
                                           Residence residence = Residence::Whole);

}  // namespace sg
