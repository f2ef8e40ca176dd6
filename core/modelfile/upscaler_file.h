#pragma once

#include "core/base/expected.h"
#include "core/modelfile/tensor_index.h"

#include <cstdint>

namespace sg {

enum class UpscalerKind {
    Rrdb,    ///< ESRGAN, Real-ESRGAN, BSRGAN: residual-in-residual dense blocks
    Compact  ///< Real-ESRGAN's small one: a plain row of convolutions
};

/// An upscaler of pictures, as the shapes of its tensors describe it.
struct UpscalerConfig {
    UpscalerKind kind = UpscalerKind::Rrdb;
    std::int64_t scale = 1;      ///< how many times as wide and high its pictures are
    std::int64_t features = 0;   ///< channels between the layers
    std::int64_t blocks = 0;     ///< dense blocks, or a compact one's convolutions after the first with an activation
    std::int64_t growth = 0;     ///< Rrdb: channels that each convolution of a block adds
    std::int64_t doublings = 0;  ///< Rrdb: how often the picture becomes twice as large at the end
    std::int64_t shuffle = 1;    ///< Rrdb: pixels of the picture for each pixel that the network sees, on a side
};

struct UpscalerFile {
    UpscalerConfig config;
    /// The same tensors under Real-ESRGAN's names: conv_first, body.N.rdb1.conv1, conv_body, conv_up1, conv_hr,
    /// conv_last; of a compact one body.N.
    TensorIndex index;
};

/// Understands ESRGAN's old names (model.1.sub.N.RDB1.conv1.0), Real-ESRGAN's and BSRGAN's, also below "params_ema.",
/// "params." or "module.". Every tensor must have its place.
/// Errors  UnusableFile, subject = the path: what of it no network here has, or which other network it is.
/// Source  Wang et al. 2018, arXiv:1809.00219; Wang et al. 2021, arXiv:2107.10833; Zhang et al. 2021, arXiv:2103.14006.
Expected<UpscalerFile> readUpscaler(const TensorIndex &index);

}  // namespace sg
