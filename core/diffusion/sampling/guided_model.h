#pragma once

#include "core/diffusion/sampling/conditioning.h"
#include "core/diffusion/sampling/discrete_schedule.h"
#include "core/diffusion/sampling/prediction.h"
#include "core/diffusion/sampling/sampler.h"
#include "core/diffusion/sampling/words.h"

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace sg::sampling {

/// One call of the network. Shapes  x [N, C, H, W]; timesteps [1] float, of all of x; told: N rows each. Returns [N, C,
/// H, W].
using NoiseNetwork =
    std::function<torch::Tensor(const torch::Tensor &x, const torch::Tensor &timesteps, const Conditioning &told)>;

/// What may be done to guidance; as it stands, nothing.
struct GuidanceOptions {
    std::int64_t calls = 0;  ///< of the network in the whole run: what the shares below are shares of
    double rescale = 0;      ///< towards the spread of what is wanted, 0..1 (Lin et al. 2023, arXiv:2305.08891, 3.4)
    double from = 0,
           until = 1;        ///< guided only in this share of the calls (Kynkäänniemi et al. 2024, arXiv:2404.07724)
    double skipEarly = 0;    ///< not guided in this share of the calls, nor in the one after it; A1111's Skip Early CFG
    double sMinUncond = 0;   ///< below this level every second call is not guided; A1111's NGMS
    bool everyCall = false;  ///< … every call
    torch::Tensor empty;     ///< context of an empty prompt [1, 77, W]: fills up the shorter of the two sides (A1111's
                             ///< pad_cond_uncond)
};

/// What the words ask for. The contexts' L may differ.
struct Guidance {
    Words wanted;
    Words unwanted;  ///< one part
    double scale = 7;
    GuidanceOptions options = {};
};

/// A network with classifier-free guidance as the samplers want it: they never ask what it predicts. Of a picture's
/// parts the shorter are filled up with their last row, as A1111 does; texts of different length take a call each. The
/// unwanted half is not computed where it changes nothing: at scale 1 with weights that sum to 1, and where the options
/// leave guidance out. Counts its calls, for what changes from call to call.
/// Dtype   the network is called in `dtype`, everything else is float32; t is rounded to `dtype` too, as A1111 does.
/// Source  Ho and Salimans 2022, arXiv:2207.12598; k-diffusion, external.py (the two parametrisations); AUTOMATIC1111
///         webui 1.10.1, behaviour of its CFG denoiser.
class GuidedModel {
public:
    GuidedModel(NoiseNetwork network, const DiscreteSchedule &levels, Prediction prediction, Guidance guidance,
                torch::ScalarType dtype);

    /// The clean picture, for samplers that walk sigmas.
    torch::Tensor x0(const torch::Tensor &x, float sigma) const;
    /// The noise, for samplers that walk timesteps; t may lie between two levels.
    torch::Tensor eps(const torch::Tensor &x, float t) const;
    /// The noise at this share of the scale, and that of the unwanted half: both halves are computed.
    NoiseGuess epsPair(const torch::Tensor &x, float t, double scaleShare) const;
    /// All three, as samplers take them; the model has to outlive it.
    Denoiser denoiser() const;

    /// How often it was asked; a run begins with 0, one that was parked with what it had reached.
    std::int64_t calls() const { return m_calls; }
    void setCalls(std::int64_t calls) const { m_calls = calls; }

private:
    /// x0 or eps of what the network said, for the pictures from `first` on.
    using Combine = std::function<torch::Tensor(const torch::Tensor &raw, std::int64_t first)>;
    struct Row {
        double weight = 1;
        Conditioning told;
        torch::Tensor raw;  ///< what the network said
    };
    using Rows = std::vector<Row>;  // of one picture, or of all
    using Side = std::vector<Rows>;

    struct Strength {
        double scale;
        bool needsBoth = false;  ///< also where the unwanted half changes nothing
    };

    torch::Tensor toEps(const torch::Tensor &x, float t, const torch::Tensor &raw) const;
    Combine epsOf(const torch::Tensor &x, float t) const;
    torch::Tensor guided(const torch::Tensor &input, float t, float level, const Strength &strength,
                         const Combine &combine) const;
    bool leavesOut(float level, const Strength &strength) const;
    Side sideOf(const Words &words) const;
    void fillUp(Side &wanted, Side &unwanted) const;
    void predict(const torch::Tensor &input, float t, const std::vector<Side *> &sides) const;
    torch::Tensor call(const torch::Tensor &input, float t, const Conditioning &told) const;
    torch::Tensor rescaled(const Rows &wanted, const torch::Tensor &without, double scale) const;

    NoiseNetwork m_network;
    const DiscreteSchedule &m_levels;
    Prediction m_prediction;
    Guidance m_guidance;
    torch::ScalarType m_dtype;
    mutable std::int64_t m_calls = 0;
    mutable torch::Tensor m_unwanted;
};

}  // namespace sg::sampling
