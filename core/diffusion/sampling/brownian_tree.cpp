#include "core/diffusion/sampling/brownian_tree.h"

#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace sg::sampling {
namespace {

constexpr std::size_t kPoolWords = 24;
constexpr std::size_t kMostValues = 128;
constexpr std::uint64_t kMostDepth = 80;  // 2^80 millionths: no range of sigmas is that long

/// To six digits, exactly as the decimal expansion says (Python's round).
double rounded(double time)
{
    char text[400];
    std::snprintf(text, sizeof text, "%.6f", time);
    return std::strtod(text, nullptr);
}

void appendWords(std::vector<std::uint32_t> &words, std::uint64_t number)
{
    do {
        words.push_back(static_cast<std::uint32_t>(number));
        number >>= 32;
    } while (number != 0);
}

class HashMix {
public:
    std::uint32_t operator()(std::uint32_t value)
    {
        value ^= m_constant;
        m_constant *= 0x931e8875U;
        value *= m_constant;
        return value ^ (value >> 16);
    }

private:
    std::uint32_t m_constant = 0x43b0d7e5U;
};

std::uint32_t mix(std::uint32_t x, std::uint32_t y)
{
    const std::uint32_t result = 0xca01f9ddU * x - 0x4973f715U * y;
    return result ^ (result >> 16);
}

}  // namespace

std::vector<std::uint32_t> seedSequence(std::uint64_t entropy, const std::vector<std::uint64_t> &spawnKey, int count)
{
    std::vector<std::uint32_t> words;
    appendWords(words, entropy);
    if (!spawnKey.empty() && words.size() < kPoolWords) words.resize(kPoolWords, 0);
    for (const std::uint64_t number : spawnKey)
        appendWords(words, number);

    HashMix hash;
    std::vector<std::uint32_t> pool;
    for (std::size_t i = 0; i < kPoolWords; ++i)
        pool.push_back(hash(i < words.size() ? words[i] : 0));
    for (std::size_t from = 0; from < kPoolWords; ++from)
        for (std::size_t to = 0; to < kPoolWords; ++to)
            if (from != to) pool[to] = mix(pool[to], hash(pool[from]));
    for (std::size_t from = kPoolWords; from < words.size(); ++from)
        for (std::size_t to = 0; to < kPoolWords; ++to)
            pool[to] = mix(pool[to], hash(words[from]));

    std::vector<std::uint32_t> state;
    std::uint32_t constant = 0x8b51f9ddU;
    for (int i = 0; i < count; ++i) {
        std::uint32_t value = pool[static_cast<std::size_t>(i) % kPoolWords] ^ constant;
        constant *= 0x58f38dedU;
        value *= constant;
        state.push_back(value ^ (value >> 16));
    }
    return state;
}

BrownianTree::BrownianTree(double start, double end, std::uint64_t entropy, SeededNoise noise)
    : m_entropy(entropy), m_noise(std::move(noise))
{
    Node root;
    root.start = rounded(start);
    root.end = rounded(end);
    m_nodes.push_back(root);
    m_whole = m_noise(seedSequence(m_entropy, {}, 1).front()) * std::sqrt(end - start);
}

torch::Tensor BrownianTree::increment(double from, double to)
{
    const Node &root = m_nodes.front();
    from = std::clamp(from, root.start, root.end);
    to = std::clamp(to, root.start, root.end);
    if (rounded(from) >= rounded(to)) return at::zeros_like(m_whole);
    m_asked.emplace_back(from, to);
    const std::vector<int> nodes = find(rounded(from), rounded(to));
    torch::Tensor sum = value(nodes.front());
    for (std::size_t i = 1; i < nodes.size(); ++i)
        sum = sum + value(nodes[i]);
    if (m_values.size() > kMostValues) m_values.clear();
    return sum;
}

void BrownianTree::replay(const std::vector<std::pair<double, double>> &questions)
{
    for (const auto &[from, to] : questions) {
        m_asked.emplace_back(from, to);
        find(rounded(from), rounded(to));
    }
}

std::vector<int> BrownianTree::find(double from, double to)
{
    std::vector<int> found;
    int top = m_last;
    const auto outside = [&](const Node &node) { return from < node.start || to > node.end; };
    while (m_nodes[static_cast<std::size_t>(top)].parent >= 0 && outside(m_nodes[static_cast<std::size_t>(top)]))
        top = m_nodes[static_cast<std::size_t>(top)].parent;
    collect(top, from, to, found);
    m_last = found.back();
    return found;
}

void BrownianTree::collect(int index, double from, double to, std::vector<int> &found)
{
    const auto at = static_cast<std::size_t>(index);
    if (from == m_nodes[at].start && to == m_nodes[at].end) {
        found.push_back(index);
        return;
    }
    if (m_nodes[at].left < 0) splitAt(index, from == m_nodes[at].start ? to : from);
    const Node node = m_nodes[at];  // a copy: children may move the vector
    if (to <= node.middle) return collect(node.left, from, to, found);
    if (from >= node.middle) return collect(node.right, from, to, found);
    collect(node.left, from, node.middle, found);
    collect(node.right, node.middle, to, found);
}

void BrownianTree::splitAt(int index, double place)
{
    for (;;) {
        halve(index);
        const Node &node = m_nodes[static_cast<std::size_t>(index)];
        if (place == node.middle || node.depth > kMostDepth) return;
        index = place > node.middle ? node.right : node.left;
    }
}

void BrownianTree::halve(int index)
{
    Node node = m_nodes[static_cast<std::size_t>(index)];
    node.middle = rounded(0.5 * (node.end + node.start));
    if (node.parent >= 0) {
        const Node &parent = m_nodes[static_cast<std::size_t>(node.parent)];
        node.key = 2 * parent.key + (node.isLeft ? 0 : 1);
        node.depth = parent.depth + 1;
    }
    node.seed = seedSequence(m_entropy, {node.key, node.depth}, 1).front();
    node.left = static_cast<int>(m_nodes.size());
    node.right = node.left + 1;
    m_nodes[static_cast<std::size_t>(index)] = node;
    for (const bool isLeft : {true, false}) {
        Node child;
        child.start = isLeft ? node.start : node.middle;
        child.end = isLeft ? node.middle : node.end;
        child.parent = index;
        child.isLeft = isLeft;
        m_nodes.push_back(child);
    }
}

torch::Tensor BrownianTree::value(int index)
{
    if (index == 0) return m_whole;
    if (const auto known = m_values.find(index); known != m_values.end()) return known->second;
    const Node &node = m_nodes[static_cast<std::size_t>(index)];
    const Node &parent = m_nodes[static_cast<std::size_t>(node.parent)];
    const torch::Tensor whole = value(node.parent);
    const double reciprocal = 1 / (parent.end - parent.start);
    const double left = parent.middle - parent.start, right = parent.end - parent.middle;
    const torch::Tensor leftPart =
        whole * left * reciprocal + m_noise(parent.seed) * std::sqrt(left * right * reciprocal);
    torch::Tensor made = node.isLeft ? leftPart : whole - leftPart;
    m_values.emplace(index, made);
    return made;
}

}  // namespace sg::sampling
