#include "core/base/base64.h"

#include <array>
#include <cstdint>

namespace sg {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 255;

constexpr std::array<std::uint8_t, 256> kDigits = [] {
    std::array<std::uint8_t, 256> digits{};
    digits.fill(kNone);
    for (std::size_t i = 0; i < kAlphabet.size(); ++i)
        digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
    return digits;
}();

Unexpected invalidAt(std::size_t position)
{
    return fail(ErrorCode::InvalidArgument, "invalid base64 at " + std::to_string(position));
}

/// Where the base64 begins: behind a data URL's head, which never exceeds a few words.
std::size_t bodyStart(std::string_view text)
{
    constexpr std::string_view kMark = ";base64,";
    if (!text.starts_with("data:")) return 0;
    const std::size_t mark = text.substr(0, 256).find(kMark);
    return mark == std::string_view::npos ? 0 : mark + kMark.size();
}

}  // namespace

std::string encodeBase64(std::string_view bytes)
{
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t count = bytes.size() - i < 3 ? bytes.size() - i : 3;
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k)
            group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0u);
        for (std::size_t k = 0; k < 4; ++k)
            out.push_back(k <= count ? kAlphabet[group >> (18 - 6 * k) & 63] : '=');
    }
    return out;
}

Expected<std::string> decodeBase64(std::string_view text)
{
    const std::size_t start = bodyStart(text);
    std::size_t end = text.size();
    for (int pads = 0; pads < 2 && end > start && text[end - 1] == '='; ++pads)
        --end;
    std::string out;
    out.reserve((end - start) / 4 * 3 + 2);
    std::uint32_t bits = 0;
    int held = 0;
    for (std::size_t i = start; i < end; ++i) {
        const std::uint8_t digit = kDigits[static_cast<unsigned char>(text[i])];
        if (digit == kNone) return invalidAt(i);
        bits = bits << 6 | digit;
        held += 6;
        if (held < 8) continue;
        held -= 8;
        out.push_back(static_cast<char>(bits >> held & 0xff));
    }
    if ((text.size() - start) % 4 != 0) return invalidAt(text.size());
    if ((bits & ((1u << held) - 1)) != 0) return invalidAt(end - 1);
    return out;
}

}  // namespace sg
