#pragma once

#include "core/base/image.h"

#include <functional>
#include <vector>

namespace sg {

/// Start pictures after all work on pixels: what the networks get.
struct PreparedStart {
    std::vector<Image>
        pictures;  ///< RGB, of the size that is drawn (of any with `stretchLatents`); one, or one a picture
    bool stretchLatents = false;  ///< resize mode "latent upscale"
    Image mask;                   ///< grey, of the size that is drawn; empty without inpainting
    Image latentMask;             ///< the same, a pixel for each latent pixel
};

/// Work on pixels that the pipeline needs in the middle of a task and leaves to others.
struct PictureTools {
    /// An RGB picture at another size: the upscaler of hires fix.
    std::function<Image(const Image &picture, int width, int height)> enlarge;
};

}  // namespace sg
