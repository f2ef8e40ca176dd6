// UniPC with A1111's defaults: variant bh1, steps of equal length in time, lower order at both ends.
#include "core/diffusion/sampling/timestep_samplers.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sg::sampling {
namespace {

/// Solves matrix * x = right, at most 4 unknowns, by elimination with the largest pivot.
std::vector<double> solved(std::vector<std::vector<double>> matrix, std::vector<double> right)
{
    const std::size_t n = right.size();
    for (std::size_t i = 0; i < n; ++i) {
        std::size_t pivot = i;
        for (std::size_t row = i + 1; row < n; ++row)
            if (std::abs(matrix[row][i]) > std::abs(matrix[pivot][i])) pivot = row;
        std::swap(matrix[i], matrix[pivot]);
        std::swap(right[i], right[pivot]);
        for (std::size_t row = i + 1; row < n; ++row) {
            const double factor = matrix[row][i] / matrix[i][i];
            for (std::size_t column = i; column < n; ++column)
                matrix[row][column] -= factor * matrix[i][column];
            right[row] -= factor * right[i];
        }
    }
    for (std::size_t i = n; i-- > 0;) {
        for (std::size_t column = i + 1; column < n; ++column)
            right[i] -= matrix[i][column] * right[column];
        right[i] /= matrix[i][i];
    }
    return right;
}

// tensors: x of the last level as corrected, then the network's x0 of earlier levels, newest first.
class UniPc final : public Sampler {
public:
    explicit UniPc(TimestepWalk walk) : m_walk(std::move(walk))
    {
        const auto count = static_cast<int>(m_walk.grid.size());
        const auto levels = static_cast<double>(m_walk.alphas.size());
        const double start = m_walk.beginsWithPicture ? (m_walk.grid.back() + 1) / levels : 1.0;
        for (int i = 0; i <= count; ++i)
            m_levels.push_back(levelAt(start + (1 / levels - start) * i / count));
    }
    std::int64_t steps() const override { return static_cast<std::int64_t>(m_walk.grid.size()); }

private:
    struct Level {
        double alpha = 0, sigma = 0, lambda = 0;
        float t = 0;  ///< as the network counts
    };

    Level levelAt(double time) const
    {
        const auto count = static_cast<double>(m_walk.alphas.size());
        const double place = std::clamp(time * count - 1, 0.0, count - 1);
        const auto low = static_cast<std::size_t>(std::min(std::floor(place), count - 2));
        const double share = place - static_cast<double>(low);
        const auto logAlpha = [&](std::size_t i) { return 0.5 * std::log(static_cast<double>(m_walk.alphas[i])); };
        const double log = (1 - share) * logAlpha(low) + share * logAlpha(low + 1);
        Level level{std::exp(log), std::sqrt(-std::expm1(2 * log))};
        level.lambda = log - std::log(level.sigma);
        level.t = static_cast<float>((time - 1 / count) * 1000);
        return level;
    }

    /// Of the move that ends at level `to`.
    int order(std::int64_t to) const
    {
        return static_cast<int>(std::min<std::int64_t>({m_walk.options.uniPcOrder, to, steps() + 1 - to}));
    }

    /// One move from `from` to the level after it. `guesses` are x0 at `from` and before; with `there`, x0 at the end,
    /// it corrects, without it predicts.
    torch::Tensor moved(const torch::Tensor &x, std::size_t from, const std::vector<torch::Tensor> &guesses,
                        const torch::Tensor &there) const
    {
        const Level &start = m_levels[from], &end = m_levels[from + 1];
        const int p = order(static_cast<std::int64_t>(from) + 1);
        const double h = end.lambda - start.lambda, q = -h;
        std::vector<double> ratios;
        std::vector<torch::Tensor> differences;
        for (int i = 1; i < p; ++i) {
            const auto back = static_cast<std::size_t>(i);
            ratios.push_back((m_levels[from - back].lambda - start.lambda) / h);
            differences.push_back((guesses[back] - guesses[0]) / ratios.back());
        }
        ratios.push_back(1);
        if (there.defined()) differences.push_back(there - guesses[0]);

        const std::vector<double> weights = weightsFor(ratios, q, differences.size());
        torch::Tensor sum = torch::zeros_like(x);
        for (std::size_t i = 0; i < differences.size(); ++i)
            sum = sum + differences[i] * weights[i];
        const double alpha = end.alpha;
        return end.sigma / start.sigma * x - alpha * std::expm1(q) * guesses[0] - alpha * q * sum;
    }

    static std::vector<double> weightsFor(const std::vector<double> &ratios, double q, std::size_t count)
    {
        if (count == 0) return {};
        // What the method's authors take instead of the solution of one equation.
        const bool predicts = count < ratios.size();
        if ((predicts && count == 1) || ratios.size() == 1) return {0.5};
        std::vector<std::vector<double>> matrix;
        std::vector<double> right;
        double phi = std::expm1(q) / q - 1, factorial = 1;
        for (std::size_t k = 1; k <= count; ++k) {
            factorial *= static_cast<double>(k);
            std::vector<double> row;
            for (std::size_t i = 0; i < count; ++i)
                row.push_back(std::pow(ratios[i], static_cast<double>(k) - 1));
            matrix.push_back(std::move(row));
            right.push_back(phi * factorial / q);
            phi = phi / q - 1 / (factorial * static_cast<double>(k + 1));
        }
        return solved(std::move(matrix), std::move(right));
    }

    StepResult make(SamplerState &state, const Denoiser &model, const SamplerNoise &) const override
    {
        const auto at = static_cast<std::size_t>(state.step);
        const Level &level = m_levels[at];
        const torch::Tensor eps = model.eps(state.x, level.t);
        const torch::Tensor denoised = (state.x - level.sigma * eps) / level.alpha;
        std::vector<torch::Tensor> guesses;
        if (!state.tensors.empty()) {
            guesses.assign(state.tensors.begin() + 1, state.tensors.end());
            state.x = moved(state.tensors[0], at - 1, guesses, denoised);
        }
        guesses.insert(guesses.begin(), denoised);
        if (guesses.size() > static_cast<std::size_t>(m_walk.options.uniPcOrder)) guesses.pop_back();
        state.tensors = {state.x};
        state.tensors.insert(state.tensors.end(), guesses.begin(), guesses.end());
        state.x = moved(state.x, at, guesses, {});
        return {denoised, static_cast<float>(level.sigma / level.alpha)};
    }

    TimestepWalk m_walk;
    std::vector<Level> m_levels;  // from the start to the end, one more than steps
};

}  // namespace

std::unique_ptr<Sampler> makeUniPc(TimestepWalk walk)
{
    return std::make_unique<UniPc>(std::move(walk));
}

}  // namespace sg::sampling
