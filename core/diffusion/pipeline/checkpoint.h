#pragma once

#include "core/diffusion/clip/clip_text_model.h"
#include "core/diffusion/nn/mapped_file.h"
#include "core/diffusion/pipeline/checkpoint_config.h"
#include "core/diffusion/pipeline/generation_sink.h"
#include "core/diffusion/unet/unet.h"
#include "core/diffusion/vae/vae.h"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace sg {

/// The three networks of one file, with their weights on a device.
/// Thread  load and use in one thread, under torch::InferenceMode.
struct Checkpoint {
    CheckpointConfig config;
    ClipTextModel text{nullptr};
    UNet unet{nullptr};
    Vae vae{nullptr};
    torch::Device device = torch::kCPU;
    torch::ScalarType dtype = torch::kFloat32;  ///< of text encoder and UNet
    torch::ScalarType vaeDtype = torch::kFloat32;
    std::size_t bytes = 0;  ///< of weights
    std::vector<std::string> warnings;
    std::vector<std::shared_ptr<const nn::MappedFile>> files;  ///< held while weights lie in them; otherwise empty

    /// Errors  throws Failure ModelChanged when weights lie in a file that was changed since. Ask before each task.
    void requireUnchanged() const;
};

/// Reads a checkpoint, in any container that readModelFile() knows. On the CPU give float32: it computes in nothing
/// else. Dtype   with float16 the autoencoder stays float32, because its activations can exceed what float16 holds.
/// Errors  throws Failure: NotFound, UnusableFile (which rule, which key), ModelChanged, Cancelled.
std::shared_ptr<Checkpoint> loadCheckpoint(const std::filesystem::path &path, const torch::Device &device,
                                           torch::ScalarType dtype, std::stop_token stop = {},
                                           const LoadWatch &watch = {});

}  // namespace sg
