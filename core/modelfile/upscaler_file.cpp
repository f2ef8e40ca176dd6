#include "core/modelfile/upscaler_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sg {
namespace {

constexpr std::int64_t kMostFeatures = 1024;
constexpr std::int64_t kMostBlocks = 256;
constexpr std::int64_t kMostScale = 8;
constexpr std::int64_t kColours = 3;
constexpr std::int64_t kDenseBlocks = 3, kDenseConvs = 5;  // of a block
constexpr std::size_t kNamed = 3;

/// What else is published as an upscaler, by a tensor that it has.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kOthers{
    {{"layers.0.residual_group.blocks.0.conv_block.cab.0.weight", "HAT"},
     {"layers.0.residual_group.blocks.0.norm1.weight", "SwinIR"},
     {"layers.0.blocks.0.norm1.weight", "DAT"},
     {"m_head.0.weight", "ScuNET"},
     {"block_1.c1_r.sk.weight", "SPAN"},
     {"feats.0.weight", "PLKSR"},
     {"model.1.sub.0.RDB1.conv1x1.weight", "ESRGAN+"},
     {"conv_first.weight", "another network than these"}}};

Unexpected refuse(const TensorIndex &index, std::string rule)
{
    return fail(ErrorCode::UnusableFile, std::move(rule), index.path());
}

Unexpected refuseOther(const TensorIndex &index)
{
    std::string what = "another network than these";
    for (const auto &[tensor, name] : kOthers)
        if (index.contains(tensor)) {
            what = name;
            break;
        }
    return refuse(index,
                  "this upscaler is " + what +
                      "; usable are ESRGAN, Real-ESRGAN and BSRGAN (RRDBNet) and Real-ESRGAN's compact networks");
}

std::vector<std::string_view> partsOf(std::string_view name)
{
    std::vector<std::string_view> parts;
    for (std::size_t dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.')) {
        parts.push_back(name.substr(0, dot));
        name.remove_prefix(dot + 1);
    }
    parts.push_back(name);
    return parts;
}

std::optional<std::int64_t> numberIn(std::string_view text)
{
    std::int64_t number = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
    return number;
}

std::string join(std::initializer_list<std::string_view> parts)
{
    std::string text;
    for (const std::string_view part : parts)
        text.append(text.empty() ? "" : ".").append(part);
    return text;
}

std::string lowered(std::string_view rdb)
{
    return rdb.starts_with("RDB") ? "rdb" + std::string(rdb.substr(3)) : std::string(rdb);
}

/// ESRGAN's first layout: layers by their number. `numbers`: those of the layers behind the blocks, in order, which
/// are up-convolutions with an enlargement in front and an activation behind, then two more.
std::string fromNumbers(std::string_view name, const std::vector<std::int64_t> &numbers)
{
    const std::vector<std::string_view> parts = partsOf(name);
    if (parts.front() != "model" || parts.size() < 3) return {};
    const std::string_view leaf = parts.back();
    if (parts.size() == 8 && parts[2] == "sub" && parts[6] == "0")
        return join({"body", parts[3], lowered(parts[4]), parts[5], leaf});
    if (parts.size() == 5 && parts[1] == "1" && parts[2] == "sub") return join({"conv_body", leaf});
    if (parts.size() != 3) return {};
    if (parts[1] == "0") return join({"conv_first", leaf});
    const auto it = std::find(numbers.begin(), numbers.end(), numberIn(parts[1]).value_or(-1));
    if (it == numbers.end()) return {};
    const auto left = numbers.end() - it;
    if (left == 1) return join({"conv_last", leaf});
    if (left == 2) return join({"conv_hr", leaf});
    return join({"conv_up" + std::to_string(it - numbers.begin() + 1), leaf});
}

/// BSRGAN's, and Real-ESRGAN's own.
std::string fromWords(std::string_view name)
{
    const std::vector<std::string_view> parts = partsOf(name);
    const std::string_view leaf = parts.back();
    if (parts.size() == 5 && (parts[0] == "RRDB_trunk" || parts[0] == "body"))
        return join({"body", parts[1], lowered(parts[2]), parts[3], leaf});
    if (parts.size() != 2) return {};
    constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kWords{{{"trunk_conv", "conv_body"},
                                                                                   {"upconv1", "conv_up1"},
                                                                                   {"upconv2", "conv_up2"},
                                                                                   {"upconv3", "conv_up3"},
                                                                                   {"HRconv", "conv_hr"}}};
    for (const auto &[theirs, ours] : kWords)
        if (parts[0] == theirs) return join({ours, leaf});
    return std::string(name);
}

/// Numbers of the layers behind the blocks; empty when they are not where this network has them.
std::vector<std::int64_t> tailOf(const TensorIndex &index)
{
    std::set<std::int64_t> found;
    for (const auto &[name, info] : index.tensors()) {
        const std::vector<std::string_view> parts = partsOf(name);
        if (parts.size() == 3 && parts[0] == "model" && parts[2] == "weight" && numberIn(parts[1]).value_or(0) > 1)
            found.insert(*numberIn(parts[1]));
    }
    std::vector<std::int64_t> numbers(found.begin(), found.end());
    if (numbers.size() < 2) return {};
    const auto ups = static_cast<std::int64_t>(numbers.size()) - 2;
    for (std::int64_t i = 0; i < ups; ++i)
        if (numbers[static_cast<std::size_t>(i)] != 3 * (i + 1)) return {};
    const bool ends = numbers[numbers.size() - 2] == 3 * ups + 2 && numbers.back() == 3 * ups + 4;
    return ends ? numbers : std::vector<std::int64_t>();
}

TensorIndex withTensors(const TensorIndex &index, TensorIndex::Tensors tensors)
{
    TensorIndex made(index.path(), index.fileSize(), index.metadata(), std::move(tensors));
    made.setSources(index.path(), index.identity(), index.files());
    return made;
}

/// Without what some programs put in front of all names.
TensorIndex unwrapped(const TensorIndex &index)
{
    for (const std::string_view prefix : {"params_ema.", "params.", "module."}) {
        if (!index.hasPrefix(prefix)) continue;
        TensorIndex::Tensors tensors;
        for (const auto &[name, info] : index.tensors())
            if (name.starts_with(prefix)) tensors.emplace(name.substr(prefix.size()), info);
        return withTensors(index, std::move(tensors));
    }
    return index;
}

std::int64_t countOf(const TensorIndex &index, const std::string &front, const std::string &back, std::int64_t first)
{
    std::int64_t count = 0;
    while (count <= kMostBlocks && index.contains(front + std::to_string(first + count) + back))
        ++count;
    return count;
}

std::int64_t squareRoot(std::int64_t square)
{
    std::int64_t root = 0;
    while (root * root < square && root <= kMostScale)
        ++root;
    return root * root == square ? root : 0;
}

bool within(std::int64_t value, std::int64_t most)
{
    return value >= 1 && value <= most;
}

/// The names that a network of this shape has.
std::set<std::string, std::less<>> namesOf(const UpscalerConfig &config)
{
    std::set<std::string, std::less<>> names;
    const auto conv = [&](const std::string &name) {
        names.insert(name + ".weight");
        names.insert(name + ".bias");
    };
    if (config.kind == UpscalerKind::Compact) {
        for (std::int64_t i = 0; i <= config.blocks; ++i) {
            conv("body." + std::to_string(2 * i));
            names.insert("body." + std::to_string(2 * i + 1) + ".weight");
        }
        conv("body." + std::to_string(2 * config.blocks + 2));
        return names;
    }
    for (const char *name : {"conv_first", "conv_body", "conv_hr", "conv_last"})
        conv(name);
    for (std::int64_t i = 1; i <= config.doublings; ++i)
        conv("conv_up" + std::to_string(i));
    for (std::int64_t block = 0; block < config.blocks; ++block)
        for (std::int64_t rdb = 1; rdb <= kDenseBlocks; ++rdb)
            for (std::int64_t i = 1; i <= kDenseConvs; ++i)
                conv("body." + std::to_string(block) + ".rdb" + std::to_string(rdb) + ".conv" + std::to_string(i));
    return names;
}

Expected<UpscalerFile> checked(UpscalerFile file)
{
    const UpscalerConfig &config = file.config;
    if (!within(config.features, kMostFeatures) || !within(config.blocks, kMostBlocks) ||
        (config.kind == UpscalerKind::Rrdb && !within(config.growth, kMostFeatures)))
        return refuse(file.index, "an upscaler of " + std::to_string(config.blocks) + " blocks and " +
                                      std::to_string(config.features) + " channels is not supported");
    const std::set<std::string, std::less<>> names = namesOf(config);
    std::string unknown;
    std::size_t count = 0;
    for (const auto &[name, info] : file.index.tensors())
        if (!names.contains(name) && ++count <= kNamed) unknown += (unknown.empty() ? "" : ", ") + name.substr(0, 120);
    if (count > 0)
        return refuse(file.index, std::to_string(count) + " tensors belong to no place of this upscaler's network: " +
                                      unknown + (count > kNamed ? ", …" : ""));
    return file;
}

Expected<UpscalerFile> rrdb(const TensorIndex &index)
{
    const std::vector<std::int64_t> numbers = tailOf(index);
    const bool numbered = index.contains("model.0.weight");
    if (numbered && numbers.empty())
        return refuse(index, "the layers behind the blocks are not those of an ESRGAN network that enlarges 1, 2, 4 or "
                             "8 times");
    TensorIndex::Tensors tensors;
    for (const auto &[name, info] : index.tensors()) {
        std::string ours = numbered ? fromNumbers(name, numbers) : fromWords(name);
        if (ours.empty()) ours = name;
        if (!tensors.emplace(std::move(ours), info).second) return refuse(index, "a layer comes twice: " + name);
    }
    UpscalerFile file{{}, withTensors(index, std::move(tensors))};
    UpscalerConfig &config = file.config;
    config.features = file.index.dim("conv_first.weight", 0);
    config.growth = file.index.dim("body.0.rdb1.conv1.weight", 0);
    config.blocks = countOf(file.index, "body.", ".rdb1.conv1.weight", 0);
    config.doublings = countOf(file.index, "conv_up", ".weight", 1);
    const std::int64_t in = file.index.dim("conv_first.weight", 1), out = file.index.dim("conv_last.weight", 0);
    config.shuffle = in % kColours == 0 ? squareRoot(in / kColours) : 0;
    if (out != kColours || (config.shuffle != 1 && config.shuffle != 2 && config.shuffle != 4))
        return refuse(index, "makes pictures of " + std::to_string(out) + " channels from " + std::to_string(in) +
                                 ": only RGB is supported");
    const std::int64_t grown = config.doublings <= 5 ? std::int64_t{1} << config.doublings : 0;
    config.scale = grown / config.shuffle;
    if (grown % config.shuffle != 0 || !within(config.scale, kMostScale))
        return refuse(index, "enlarges " + std::to_string(config.doublings) +
                                 " times to double: 1, 2, 4 and 8 times the size are supported");
    return checked(std::move(file));
}

Expected<UpscalerFile> compact(const TensorIndex &index)
{
    UpscalerFile file{{}, index};
    UpscalerConfig &config = file.config;
    config.kind = UpscalerKind::Compact;
    config.features = index.dim("body.0.weight", 0);
    std::int64_t last = 0;
    while (last <= 2 * kMostBlocks && index.rank("body." + std::to_string(last + 2) + ".weight") == 4)
        last += 2;
    config.blocks = last / 2 - 1;
    const std::int64_t out = index.dim("body." + std::to_string(last) + ".weight", 0);
    config.scale = out % kColours == 0 ? squareRoot(out / kColours) : 0;
    if (!within(config.scale, kMostScale))
        return refuse(index, "makes " + std::to_string(out) +
                                 " numbers for each pixel, which is no RGB picture of 1 to " +
                                 std::to_string(kMostScale) + " times the size");
    return checked(std::move(file));
}

}  // namespace

Expected<UpscalerFile> readUpscaler(const TensorIndex &wrapped)
{
    const TensorIndex index = unwrapped(wrapped);
    if (index.contains("model.1.sub.0.RDB1.conv1x1.weight")) return refuseOther(index);
    for (const std::string_view name :
         {"model.1.sub.0.RDB1.conv1.0.weight", "body.0.rdb1.conv1.weight", "RRDB_trunk.0.RDB1.conv1.weight"})
        if (index.rank(name) == 4) return rrdb(index);
    if (index.rank("body.0.weight") == 4 && index.dim("body.0.weight", 1) == kColours &&
        index.rank("body.1.weight") == 1)
        return compact(index);
    return refuseOther(index);
}

}  // namespace sg
