#pragma once

#include <cstdint>
#include <string>

namespace sg {

/// What fills the masked part before it is drawn (inpainting_fill).
enum class MaskedContent { Fill = 0, Original = 1, LatentNoise = 2, LatentNothing = 3 };

/// Which pass of hires fix a refiner finishes.
enum class RefinerPass { First, Second, Both };

/// Another checkpoint for the last steps. Source  Podell et al. 2023, arXiv:2307.01952, section 2.5.
struct Refiner {
    bool enabled = false;
    double switchAt = 0.8;  ///< share of the network's 1000 levels that must be behind it
    bool bySteps = false;   ///< the share is of the network's calls
    RefinerPass pass = RefinerPass::Second;
};

/// Soft inpainting: how half-masked places are drawn half, and how the drawn picture is put over the given one.
/// Source  Levin and Fried 2023, arXiv:2306.00950 (differential diffusion); A1111's script, behaviour.
struct SoftInpainting {
    bool enabled = false;
    double scheduleBias = 1;            ///< above 1 the start is kept early, below 1 late
    double preservationStrength = 0.5;  ///< of the start in half-masked places
    double contrastBoost = 4;           ///< exponent of the mean of the two latents' lengths
    double maskInfluence = 0;           ///< on the threshold, 0..1
    double differenceThreshold = 0.5;   ///< change of a latent pixel at which the start is half hidden
    double differenceContrast = 2;
};

/// Loopback: the result is the next start.
struct Loopback {
    std::int64_t loops = 0;  ///< 0: off
    double finalStrength = 0.5;
    std::string curve = "Linear";  ///< "Aggressive", "Linear", "Lazy"

    /// Denoising strength of a loop, from 0 on, when that of the first is `first`.
    double strengthOf(std::int64_t loop, double first) const;
};

/// Noise that is searched for in the start picture instead of drawn: the walk of Euler upwards.
/// Source  A1111's script "img2img alternative test", behaviour.
struct AlternativeNoise {
    bool enabled = false;
    std::string prompt;  ///< what the start picture shows
    std::string negativePrompt;
    double cfgScale = 1;
    std::int64_t steps = 50;
    double randomness = 0;  ///< share of drawn noise
    bool sigmaAdjustment = false;
};

/// Outpainting: the start picture is a part of what is drawn, whose size is the request's width and height.
struct Outpainting {
    bool enabled = false;
    int left = 0, up = 0;  ///< pixels before the picture; those after it are what is left
};

}  // namespace sg
