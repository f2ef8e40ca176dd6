#pragma once

#include "core/diffusion/sampling/conditioning.h"
#include "core/diffusion/sampling/discrete_schedule.h"

#include <torch/types.h>

#include <functional>

namespace sg::sampling {

enum class Prediction { Eps, V };

/// One call of the network. Shapes  x [N, C, H, W]; timesteps [1] float, of all of x; told: N rows each. Returns [N, C,
/// H, W].
using NoiseNetwork =
    std::function<torch::Tensor(const torch::Tensor &x, const torch::Tensor &timesteps, const Conditioning &told)>;

/// What the words ask for. Shapes  one row each, or one for each picture; the two contexts' L may differ.
struct Guidance {
    Conditioning wanted;
    Conditioning unwanted;
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
    /// The noise, for samplers that walk timesteps.
    torch::Tensor eps(const torch::Tensor &x, int t) const;

private:
    using Combine = std::function<torch::Tensor(const torch::Tensor &raw)>;
    torch::Tensor guided(const torch::Tensor &input, float t, const Combine &combine) const;
    torch::Tensor call(const torch::Tensor &input, float t, const Conditioning &told) const;

    NoiseNetwork m_network;
    const DiscreteSchedule &m_levels;
    Prediction m_prediction;
    Guidance m_guidance;
    torch::ScalarType m_dtype;
};

}  // namespace sg::sampling
