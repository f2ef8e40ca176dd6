#pragma once

#include "core/base/image.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sg {

class Autoencoder;
class KeptLatents;

/// Start pictures after all work on pixels: what the networks get.
struct PreparedStart {
    std::vector<Image>
        pictures;  ///< RGB, of the size that is drawn (of any with `stretchLatents`); one, or one a picture
    bool stretchLatents = false;  ///< resize mode "latent upscale"
    Image mask;                   ///< grey, of the size that is drawn; empty without inpainting
    Image latentMask;             ///< the same, a pixel for each latent pixel
};

/// One number for each latent pixel.
struct LatentPlane {
    int width = 0, height = 0;
    std::vector<float> values;  ///< row by row
};

/// Work that the pipeline needs in the middle of a task and leaves to others.
struct TaskTools {
    /// An RGB picture at another size: the upscaler of hires fix. Tells of each of `enlargeParts` parts when it is
    /// done.
    std::function<Image(const Image &picture, int width, int height, const std::function<void()> &partDone)> enlarge =
        {};
    std::int64_t enlargeParts = 0;  ///< of one picture; each counts as a step in the task's progress
    /// Merges into the networks what the tags of these prompts ask for, those of the pictures of a batch. Called before
    /// each pass, if there is one; `larger`: it is that of hires fix. Throws Failure.
    std::function<void(const std::vector<std::string> &prompts, bool larger)> useNetworks = {};
    /// Told the textual inversions that the pictures of the running batch use, and their hashes.
    std::function<void(const std::map<std::string, std::string> &embeddings)> embeddingsUsed = {};
    /// Soft inpainting: told how far each latent pixel of a picture has moved from the start, before the picture comes.
    std::function<void(std::int64_t index, LatentPlane distance)> latentsMoved = {};
    /// A tiny autoencoder for previews, where the request wants one.
    std::shared_ptr<Autoencoder> tiny = {};
    /// Bytes that coding pictures may use now, where it is less than what the device has; empty: what it has.
    std::function<std::uint64_t()> room = {};
    /// Told before a picture is coded or enlarged, so that what is not needed for it can go.
    std::function<void()> codes = {};
    /// Latents that could not be decoded, and what they belong to; where they are there, nothing is drawn again.
    KeptLatents *kept = nullptr;
    std::string drawing = {};
};

}  // namespace sg
