#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

namespace sg::sampling {

/// NumPy's SeedSequence with a pool of 24 words: the first `count` words of generate_state.
/// Source  numpy.random.SeedSequence (M. E. O'Neill's seed_seq_fe).
std::vector<std::uint32_t> seedSequence(std::uint64_t entropy, const std::vector<std::uint64_t> &spawnKey, int count);

/// Noise of the tree's shape for a seed.
using SeededNoise = std::function<torch::Tensor(std::uint32_t seed)>;

/// A path of Brownian motion that is decided by its seed, however finely it is asked for: torchsde 0.2.6's BrownianTree
/// (pool 24, tolerance 1e-6), equal to the last bit. Float sums depend on their order, and that on the questions that
/// came before, so a copy that goes on identically is made by asking `asked()` again.
class BrownianTree {
public:
    BrownianTree(double start, double end, std::uint64_t entropy, SeededNoise noise);

    /// W(to) - W(from) for from <= to; outside the tree's range at its ends.
    torch::Tensor increment(double from, double to);

    /// Walks the questions of another tree, without drawing.
    void replay(const std::vector<std::pair<double, double>> &questions);
    const std::vector<std::pair<double, double>> &asked() const { return m_asked; }

private:
    struct Node {
        double start = 0, end = 0, middle = 0;
        int parent = -1, left = -1, right = -1;
        bool isLeft = false;
        std::uint64_t key = 0;
        std::uint64_t depth = 0;
        std::uint32_t seed = 0;
    };
    std::vector<int> find(double from, double to);
    void collect(int node, double from, double to, std::vector<int> &found);
    void splitAt(int node, double place);
    void halve(int node);
    torch::Tensor value(int node);

    std::uint64_t m_entropy;
    SeededNoise m_noise;
    std::vector<Node> m_nodes;
    int m_last = 0;  // where the next search begins
    torch::Tensor m_whole;
    std::map<int, torch::Tensor> m_values;  // of nodes near the last question
    std::vector<std::pair<double, double>> m_asked;
};

}  // namespace sg::sampling
