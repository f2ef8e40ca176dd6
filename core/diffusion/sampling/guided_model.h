#pragma once

#include "core/diffusion/sampling/discrete_schedule.h"
#include "core/diffusion/sampling/sampler.h"

#include <torch/types.h>

#include <functional>

namespace sg::sampling {

enum class Prediction { Eps, V };

/// One call of the network. Shapes  x [N, C, H, W]; timesteps [1] float, of all of x; context [N, L, W]. Returns [N, C,
/// H, W].
using NoiseNetwork =
    std::function<torch::Tensor(const torch::Tensor &x, const torch::Tensor &timesteps, const torch::Tensor &context)>;

/// What the words ask for. Shapes  [1, L, W] each; the two L may differ.
struct Guidance {
    torch::Tensor wanted;
    torch::Tensor unwanted;
    double scale = 7;
};

/// A network with classifier-free guidance as the samplers want it: they never ask what it predicts.
/// At scale 1 the unwanted half changes nothing and is not computed; texts of different length take a call each.
/// Dtype   the network is called in `dtype`, everything else is float32; t is rounded to `dtype` too, as A1111 does.
/// Source  Ho and Salimans 2022, arXiv:2207.12598; k-diffusion, external.py (the two parametrisations).
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

private:
    using Combine = std::function<torch::Tensor(const torch::Tensor &raw)>;
    torch::Tensor toEps(const torch::Tensor &x, float t, const torch::Tensor &raw) const;
    NoiseGuess halves(const torch::Tensor &input, float t, const Combine &combine) const;
    torch::Tensor guided(const torch::Tensor &input, float t, const Combine &combine) const;
    torch::Tensor call(const torch::Tensor &input, float t, const torch::Tensor &context) const;

    NoiseNetwork m_network;
    const DiscreteSchedule &m_levels;
    Prediction m_prediction;
    Guidance m_guidance;
    torch::ScalarType m_dtype;
};

}  // namespace sg::sampling
