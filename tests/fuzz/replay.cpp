#include "tests/fuzz/require.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

// Runs a fuzz target without libFuzzer: over every file of its corpus, and over mutations of them that are the same
// each time.

namespace {

constexpr int kMutations = 4000;

std::vector<std::string> readCorpus(const std::filesystem::path &folder)
{
    std::vector<std::filesystem::path> paths;
    for (const auto &entry : std::filesystem::directory_iterator(folder))
        if (entry.is_regular_file()) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    std::vector<std::string> inputs;
    for (const auto &path : paths) {
        std::ifstream file(path, std::ios::binary);
        inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    return inputs;
}

/// A copy with a few bytes changed, a part cut, doubled or taken from another input.
std::string mutated(const std::vector<std::string> &inputs, std::mt19937 &random)
{
    const auto below = [&](std::size_t bound) { return bound == 0 ? 0 : random() % bound; };
    std::string bytes = inputs[below(inputs.size())];
    for (std::size_t changes = 1 + below(6); changes > 0; --changes) {
        const std::size_t at = below(bytes.size() + 1);
        const std::size_t length = below(std::min<std::size_t>(bytes.size() - at, 16) + 1);
        switch (below(6)) {
        case 0:
            bytes.insert(at, 1, static_cast<char>(random()));
            break;
        case 1:
            bytes.erase(at, length);
            break;
        case 2:
            bytes.insert(at, std::string(bytes.substr(at, length)));
            break;
        case 3: {
            const std::string &other = inputs[below(inputs.size())];
            bytes.insert(at, other.substr(below(other.size() + 1), below(64)));
            break;
        }
        case 4:
            if (at < bytes.size()) bytes[at] = "\0\xff\x80\x7f(){}[],:\\\"0919"[below(20)];
            break;
        default:
            if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        }
    }
    return bytes;
}

void run(const std::string &bytes)
{
    // A copy of exactly this size, so that a read past the end is one for the sanitizers.
    const std::vector<std::uint8_t> data(bytes.begin(), bytes.end());
    LLVMFuzzerTestOneInput(data.data(), data.size());
}

}  // namespace

int main(int count, char **arguments)
{
    if (count != 2) {
        std::fprintf(stderr, "usage: %s CORPUS-FOLDER\n", arguments[0]);
        return 2;
    }
    const std::vector<std::string> inputs = readCorpus(arguments[1]);
    if (inputs.empty()) {
        std::fprintf(stderr, "%s holds no inputs\n", arguments[1]);
        return 1;
    }
    run({});
    for (const std::string &input : inputs)
        run(input);
    std::mt19937 random(20261122);
    for (int i = 0; i < kMutations; ++i)
        run(mutated(inputs, random));
    std::printf("%zu inputs and %d mutations\n", inputs.size(), kMutations);
    return 0;
}
