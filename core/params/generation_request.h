#pragma once

#include "core/base/image.h"
#include "core/params/coding_settings.h"
#include "core/params/hires_size.h"
#include "core/params/param_values.h"
#include "core/params/picture_modes.h"
#include "core/params/sampler_settings.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sg {

struct PromptPair {
    std::string prompt;
    std::string negative;
    bool operator==(const PromptPair &) const = default;
};

/// The part of a request that begins with pictures. Sizes as they came; nothing is prepared yet.
struct StartPictures {
    std::vector<Image> pictures;    ///< one for all of a batch, or one for each
    Image mask;                     ///< empty: no inpainting
    Image latentMask;               ///< empty: the mask; else what is drawn anew in the latents
    int resizeMode = 0;             ///< imaging::ResizeMode
    std::string upscaler = "None";  ///< makes them larger: a filter, or the name of a file
    double maskBlurX = 4;           ///< pixels
    double maskBlurY = 4;
    bool maskRound = true;
    bool maskInvert = false;
    MaskedContent maskedContent = MaskedContent::Fill;
    bool onlyMasked = true;
    int padding = 0;  ///< pixels around the masked part
    double maskWeight = 1;  ///< how far inpainting networks are kept from seeing what the mask covers
    double noiseMultiplier = 1;
    bool colourCorrection = false;
    Image colours;  ///< what the colours are corrected to; empty: the start picture
    SoftInpainting soft;
    Outpainting outpaint;
    bool exactSteps = false;
    double imageScale = 1;  ///< image_cfg_scale: how strongly an edit network keeps to the picture

    bool used() const { return !pictures.empty(); }
};

/// The second pass of hires fix.
struct HiresPass {
    bool enabled = false;
    HiresSize size;
    std::string upscaler = "Latent";
    std::string sampler;   ///< a name of samplers(); the first pass's when it is to be the same
    std::string schedule;  ///< a name of schedules()
    std::string prompt;    ///< never empty because the request left it out: then the first pass's
    std::string negativePrompt;
    std::int64_t steps = 0;                ///< resolved: never 0
    std::vector<PromptPair> prompts = {};  ///< of each picture, where they differ; otherwise empty
};

/// The values of a task under their C++ names: what the engine computes from.
struct GenerationRequest {
    std::string prompt;
    std::string negativePrompt;
    std::string model;     ///< name in the library; the supervisor sends the path beside it
    std::string sampler;   ///< a name of samplers()
    std::string schedule;  ///< a name of schedules()
    std::int64_t steps = 20;
    double cfgScale = 7;
    std::int64_t width = 512;  ///< pixels, multiple of 8
    std::int64_t height = 512;
    std::int64_t seed = -1;  ///< resolved (never -1) once a task is accepted
    std::int64_t subseed = -1;
    double subseedStrength = 0;
    std::int64_t batchSize = 1;
    std::int64_t iterations = 1;  ///< n_iter
    double eta = -1;              ///< noise added again at each step; below 0: the sampler's own (1 ancestral, 0 DDIM)

    std::string emphasis = "Original";  ///< what becomes of weights: a name of core/text's Emphasis
    std::int64_t clipSkip = 1;          ///< 1: the text encoder's last layer
    std::int64_t commaBacktrack = 20;   ///< tokens
    double cfgRescale = 0;
    double guidanceStart = 0, guidanceEnd = 1;  ///< shares of the network's calls
    double skipEarlyCfg = 0;
    double sMinUncond = 0;
    bool sMinUncondAll = false;
    bool withoutLoras = false;  ///< their tags are not followed
    bool padCondUncond = false;
    std::vector<PromptPair> prompts;  ///< of each picture, where they differ; otherwise empty
    SamplerSettings sampling;
    CodingSettings coding;
    std::string drawing;  ///< the same of two requests: they draw the same latents; empty: not known
    double denoisingStrength = 0.75;
    double extraNoise = 0;  ///< of image-to-image and hires fix
    StartPictures start;    ///< its pictures are decoded by the engine
    HiresPass hires;
    AlternativeNoise alternativeNoise;
    Loopback loopback;
    Refiner refiner;  ///< of hires fix's second pass where there is one, as in A1111

    /// Of loopback: each loop's, or, where it is repeated, each repetition's last.
    std::int64_t imageCount() const;
    /// The seeds of picture `index` of the whole task, as A1111 counts: a variation keeps the seed and moves the
    /// subseed; loopback moves the seed from loop to loop.
    std::int64_t imageSeed(std::int64_t index) const;
    std::int64_t imageSubseed(std::int64_t index) const { return loopback.loops > 0 ? subseed : subseed + index; }
    /// Which loop of its repetition made picture `index`.
    std::int64_t imageLoop(std::int64_t index) const { return iterations == 1 ? index : loopback.loops - 1; }

    /// The prompts of picture `index` of the whole task.
    PromptPair imagePrompts(std::int64_t index) const
    {
        return prompts.empty() ? PromptPair{prompt, negativePrompt} : prompts.at(static_cast<std::size_t>(index));
    }

    /// Those of its second pass.
    PromptPair imageHiresPrompts(std::int64_t index) const
    {
        if (hires.prompts.empty()) return {hires.prompt, hires.negativePrompt};
        return hires.prompts.at(static_cast<std::size_t>(index));
    }

    /// From values that parseParams accepted.
    static GenerationRequest from(const ParamValues &values);
};

/// -1 becomes a random number in [0, 4294967293], so that a task that is run again gives the same picture.
void resolveSeeds(ParamValues &values);

}  // namespace sg
