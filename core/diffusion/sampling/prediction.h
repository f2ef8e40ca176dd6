#pragma once

namespace sg::sampling {

/// What a network was trained to predict: the noise, or v (Salimans and Ho 2022, arXiv:2202.00512).
enum class Prediction { Eps, V };

}  // namespace sg::sampling
