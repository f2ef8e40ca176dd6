#pragma once

#include "core/params/param_values.h"

#include <cstdint>
#include <string>

namespace sg {

/// How noise is drawn and taken away, beyond sampler, schedule and steps: A1111's settings of these names.
struct SamplerSettings {
    std::string randomSource = "CPU";  ///< "CPU", "NV", "GPU"
    double etaAncestral = 1;
    double etaDdim = 0;
    double churn = 0;         ///< s_churn
    double churnMinimum = 0;  ///< s_tmin, a sigma
    double churnMaximum = 0;  ///< s_tmax, a sigma; 0: no limit
    double noiseScale = 1;    ///< s_noise
    double sigmaMin = 0;      ///< 0: the network's own
    double sigmaMax = 0;
    double rho = 0;  ///< 0: the schedule's own
    double betaAlpha = 0.6;
    double betaBeta = 0.6;
    bool discardNextToLast = false;
    bool sgmNoise = false;
    std::int64_t uniPcOrder = 3;
    std::string uniPcVariant = "bh1";        ///< "bh1", "bh2", "vary_coeff"
    std::string uniPcSkip = "time_uniform";  ///< "time_uniform", "time_quadratic", "logSNR"
    bool uniPcLowerOrderFinal = true;
    bool zeroTerminalSnr = false;      ///< also where the checkpoint does not ask for it
    bool halfLevels = false;           ///< the products of alphas rounded to half precision
    bool oldTimelines = false;         ///< of [from:to:when]
    std::int64_t seedDelta = 0;        ///< ENSD
    std::int64_t resizeFromWidth = 0;  ///< pixels; at most 0: off
    std::int64_t resizeFromHeight = 0;

    static SamplerSettings from(const ParamValues &values);
};

}  // namespace sg
