#pragma once

#include "core/base/image.h"
#include "core/diffusion/nn/bind.h"
#include "core/diffusion/nn/mapped_file.h"
#include "core/modelfile/upscaler_file.h"

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <vector>

namespace sg {

/// A network that makes pictures larger.
class UpscalerNetwork : public torch::nn::Module {
public:
    /// Shapes  x [B, 3, H, W] -> [B, 3, scale * H, scale * W]. Units  0..1, not clamped.
    /// Errors  throws Failure Cancelled, between the blocks, of each of which nn::Pulse tells.
    virtual torch::Tensor forward(const torch::Tensor &x, const std::stop_token &stop = {}) = 0;
};

/// Without weights. Keys  those of UpscalerFile::index.
/// Source  Wang et al. 2018, arXiv:1809.00219 (RRDBNet); Wang et al. 2021, arXiv:2107.10833 (the pixel unshuffle, and
/// the compact network of its repository xinntao/Real-ESRGAN).
std::shared_ptr<UpscalerNetwork> makeUpscalerNetwork(const UpscalerConfig &config);

/// An upscaler of a file, computed in single precision. Thread  the one that computes.
class Upscaler {
public:
    /// Reads the header; weights are read when they are needed. Errors  throws Failure NotFound, UnusableFile.
    Upscaler(const std::filesystem::path &path, const torch::Device &device);

    const UpscalerConfig &config() const { return m_file.config; }
    int scale() const { return static_cast<int>(m_file.config.scale); }
    /// Of the weights. Units  bytes.
    std::uint64_t weightBytes() const;

    /// An RGB picture, or a tile of one, scale() times as large; halves are rounded to even, as A1111 rounds here.
    /// Errors  throws Failure UnusableFile, ModelChanged, Cancelled, and NonFinite when what was made is no picture.
    Image enlarge(const Image &rgb, const std::stop_token &stop);

private:
    void load(const std::stop_token &stop);

    UpscalerFile m_file;
    torch::Device m_device;
    std::shared_ptr<UpscalerNetwork> m_network;
    std::vector<std::shared_ptr<const nn::MappedFile>> m_files;
};

}  // namespace sg
