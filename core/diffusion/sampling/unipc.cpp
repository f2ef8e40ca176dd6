// UniPC as A1111 has it. Orders rise from 1 at the start.
#include "core/diffusion/sampling/timestep_samplers.h"

#include <algorithm>
#include <cmath>
#include <functional>
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
        m_order = std::min(m_walk.options.uniPcOrder, count);
        for (const float alpha : m_walk.alphas)
            m_logAlphas.push_back(0.5 * std::log(static_cast<double>(alpha)));
        const double start = m_walk.beginsWithPicture ? (m_walk.grid.back() + 1) / levels : 1.0;
        for (int i = 0; i <= count; ++i)
            m_levels.push_back(levelAt(timeAt(start, 1 / levels, static_cast<double>(i) / count)));
    }
    std::int64_t steps() const override { return static_cast<std::int64_t>(m_walk.grid.size()); }

private:
    struct Level {
        double alpha = 0, sigma = 0, lambda = 0;
        float t = 0;  ///< as the network counts
    };

    static Level levelOf(double logAlpha)
    {
        Level level{std::exp(logAlpha), std::sqrt(-std::expm1(2 * logAlpha))};
        level.lambda = logAlpha - std::log(level.sigma);
        return level;
    }

    Level levelAt(double time) const
    {
        const auto count = static_cast<double>(m_logAlphas.size());
        const double place = std::clamp(time * count - 1, 0.0, count - 1);
        const auto low = static_cast<std::size_t>(std::min(std::floor(place), count - 2));
        const double share = place - static_cast<double>(low);
        Level level = levelOf((1 - share) * m_logAlphas[low] + share * m_logAlphas[low + 1]);
        level.t = static_cast<float>((time - 1 / count) * 1000);
        return level;
    }

    /// Between the times `start` and `end`, 0..1 of the way.
    double timeAt(double start, double end, double share) const
    {
        const auto between = [share](double from, double to) { return from + (to - from) * share; };
        switch (m_walk.options.uniPcSkip) {
        case UniPcSkip::TimeQuadratic: {
            const double root = between(std::sqrt(start), std::sqrt(end));
            return root * root;
        }
        case UniPcSkip::LogSnr:
            return timeOf(between(levelAt(start).lambda, levelAt(end).lambda));
        case UniPcSkip::TimeUniform:
            break;
        }
        return between(start, end);
    }

    double timeOf(double lambda) const
    {
        const double log = -0.5 * std::log1p(std::exp(-2 * lambda));
        // Alphas fall with time.
        const auto below = std::lower_bound(m_logAlphas.begin(), m_logAlphas.end(), log, std::greater<>());
        const auto count = static_cast<std::ptrdiff_t>(m_logAlphas.size());
        const std::ptrdiff_t after = std::clamp<std::ptrdiff_t>(below - m_logAlphas.begin(), 1, count - 1);
        const double here = m_logAlphas[static_cast<std::size_t>(after - 1)];
        const double next = m_logAlphas[static_cast<std::size_t>(after)];
        const double share = here == next ? 0 : std::clamp((log - here) / (next - here), 0.0, 1.0);
        return (static_cast<double>(after) + share) / static_cast<double>(count);
    }

    /// Of the move that ends at level `to`.
    int order(std::int64_t to) const
    {
        if (to < m_order) return static_cast<int>(to);
        if (!m_walk.options.uniPcLowerOrderFinal) return m_order;
        return static_cast<int>(std::min<std::int64_t>(m_order, steps() + 1 - to));
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

        const std::vector<double> weights = m_walk.options.uniPcVariant == UniPcVariant::VaryCoeff
                                                ? varyingWeights(ratios, q, differences.size())
                                                : weightsFor(ratios, q, differences.size());
        torch::Tensor sum = torch::zeros_like(x);
        for (std::size_t i = 0; i < differences.size(); ++i)
            sum = sum + differences[i] * weights[i];
        return end.sigma / start.sigma * x - end.alpha * std::expm1(q) * guesses[0] - end.alpha * sum;
    }

    /// phi_1(q) q, phi_2(q) q …: what the derivatives of x0 by lambda, times powers of the step, count.
    static std::vector<double> phis(double q, std::size_t count)
    {
        std::vector<double> found{std::expm1(q)};
        for (double factorial = 1; found.size() < count; factorial *= static_cast<double>(found.size()))
            found.push_back(found.back() / q - 1 / factorial);
        return found;
    }

    std::vector<double> weightsFor(const std::vector<double> &ratios, double q, std::size_t count) const
    {
        if (count == 0) return {};
        const double b = m_walk.options.uniPcVariant == UniPcVariant::Bh1 ? q : std::expm1(q);
        // What the method's authors take instead of the solution of one equation.
        const bool predicts = count < ratios.size();
        if ((predicts && count == 1) || ratios.size() == 1) return {0.5 * b};
        const std::vector<double> phi = phis(q, count + 1);
        std::vector<std::vector<double>> matrix;
        std::vector<double> right;
        double factorial = 1;
        for (std::size_t k = 1; k <= count; ++k) {
            factorial *= static_cast<double>(k);
            std::vector<double> row;
            for (std::size_t i = 0; i < count; ++i)
                row.push_back(std::pow(ratios[i], static_cast<double>(k) - 1));
            matrix.push_back(std::move(row));
            right.push_back(phi[k] * factorial);
        }
        return solved(std::move(matrix), std::move(right));
    }

    /// Of each difference: the sum over the derivatives that it says something about. As in the authors' program the
    /// corrector takes the derivatives of all but the last difference, and the last one as much as it has in the
    /// derivative before the highest, for the highest.
    static std::vector<double> varyingWeights(const std::vector<double> &ratios, double q, std::size_t count)
    {
        const bool predicts = count < ratios.size();
        const std::vector<double> phi = phis(q, ratios.size() + 1);
        std::vector<double> weights(count, 0);
        // Difference i is the sum over k of ratio^k / (k + 1)! times derivative k; the inverse of that.
        std::vector<std::vector<double>> matrix(count, std::vector<double>(count));
        for (std::size_t i = 0; i < count; ++i) {
            double term = 1;
            for (std::size_t k = 0; k < count; term *= ratios[i] / static_cast<double>(k + 2), ++k)
                matrix[i][k] = term;
        }
        for (std::size_t i = 0; i < count; ++i) {
            std::vector<double> unit(count, 0);
            unit[i] = 1;
            const std::vector<double> derivatives = solved(matrix, std::move(unit));
            if (!predicts && i + 1 == count)
                weights[i] = phi[count] * derivatives[count == 1 ? 0 : count - 2];
            else
                for (std::size_t k = 0; k + 1 < ratios.size(); ++k)
                    weights[i] += phi[k + 1] * derivatives[k];
        }
        return weights;
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
        if (guesses.size() > static_cast<std::size_t>(m_order)) guesses.pop_back();
        state.tensors = {state.x};
        state.tensors.insert(state.tensors.end(), guesses.begin(), guesses.end());
        state.x = moved(state.x, at, guesses, {});
        return {denoised, static_cast<float>(level.sigma / level.alpha)};
    }

    TimestepWalk m_walk;
    int m_order = 1;  // at most as many as there are steps
    std::vector<double> m_logAlphas;
    std::vector<Level> m_levels;  // from the start to the end, one more than steps
};

}  // namespace

std::unique_ptr<Sampler> makeUniPc(TimestepWalk walk)
{
    return std::make_unique<UniPc>(std::move(walk));
}

}  // namespace sg::sampling
