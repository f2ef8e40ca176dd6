#include "core/text/extra_networks.h"

#include "core/text/prompt_scan.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace sg {
namespace {

ExtraNetwork parseTag(std::string_view type, std::string_view arguments)
{
    ExtraNetwork network{std::string(type), {}, {}, {}};
    for (std::size_t at = 0; at <= arguments.size();) {
        const std::size_t end = std::min(arguments.find(':', at), arguments.size());
        const std::string_view item = arguments.substr(at, end - at);
        const std::size_t equals = item.find('=');
        if (equals == std::string_view::npos || item.find('=', equals + 1) != std::string_view::npos)
            network.positional.emplace_back(item);
        else
            network.named.emplace_back(item.substr(0, equals), item.substr(equals + 1));
        at = end + 1;
    }
    return network;
}

Unexpected refuse(const ExtraNetwork &network, const std::string &rule)
{
    return fail(ErrorCode::InvalidArgument, "the tag <" + network.type + ":…> " + network.place + " " + rule, "prompt");
}

/// The number at a place or under a name; `value` stays as it is when neither is there.
Expected<void> readNumber(const ExtraNetwork &network, std::size_t place, std::string_view name, double &value)
{
    const std::string *text = network.find(name);
    if (!text && place < network.positional.size()) text = &network.positional[place];
    if (!text) return {};
    std::string_view digits = trimmedText(*text);
    if (digits.starts_with('+') && !digits.starts_with("+-")) digits.remove_prefix(1);
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (result.ec != std::errc() || result.ptr != digits.data() + digits.size() || !std::isfinite(value))
        return refuse(network, "needs a number for " + std::string(name) + ", not \"" + text->substr(0, 40) + "\"");
    return {};
}

}  // namespace

const std::string *ExtraNetwork::find(std::string_view name) const
{
    const auto it = std::find_if(named.rbegin(), named.rend(), [&](const auto &one) { return one.first == name; });
    return it == named.rend() ? nullptr : &it->second;
}

TextAndNetworks takeExtraNetworks(std::string_view prompt)
{
    TextAndNetworks out;
    std::size_t kept = 0;
    for (std::size_t open = prompt.find('<'); open != std::string_view::npos; open = prompt.find('<', open + 1)) {
        std::size_t at = open + 1;
        while (at < prompt.size()) {
            const CodePoint c = codePointAt(prompt, at);
            if (!isWordCharacter(c.value)) break;
            at += c.bytes;
        }
        if (at == open + 1 || at >= prompt.size() || prompt[at] != ':') continue;
        const std::size_t end = prompt.find('>', at);
        if (end == std::string_view::npos) break;
        if (end == at + 1) continue;
        out.text += prompt.substr(kept, open - kept);
        out.networks.push_back(parseTag(prompt.substr(open + 1, at - open - 1), prompt.substr(at + 1, end - at - 1)));
        out.networks.back().place = placeOf(prompt, open);
        kept = end + 1;
        open = end;
    }
    out.text += prompt.substr(kept);
    return out;
}

Expected<std::vector<LoraTag>> loraTags(const std::vector<ExtraNetwork> &networks)
{
    std::vector<LoraTag> tags;
    for (const ExtraNetwork &network : networks) {
        if (network.type != "lora" && network.type != "lyco") continue;
        if (network.positional.empty() || network.positional.front().empty()) return refuse(network, "needs a name");
        LoraTag tag;
        tag.name = network.positional.front();
        if (Expected<void> read = readNumber(network, 1, "te", tag.textEncoder); !read) return Unexpected{read.error()};
        tag.unet = tag.textEncoder;
        if (Expected<void> read = readNumber(network, 2, "unet", tag.unet); !read) return Unexpected{read.error()};
        double dyn = -1;
        if (Expected<void> read = readNumber(network, 3, "dyn", dyn); !read) return Unexpected{read.error()};
        if (dyn != -1) {
            if (dyn < 0 || dyn > 1'000'000 || dyn != std::floor(dyn))
                return refuse(network, "needs a whole number for dyn");
            tag.dyn = static_cast<std::int64_t>(dyn);
        }
        tags.push_back(std::move(tag));
    }
    return tags;
}

}  // namespace sg
