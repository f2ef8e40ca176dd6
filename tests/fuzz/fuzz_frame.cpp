#include "core/base/frame.h"
#include "tests/fuzz/require.h"

#include <string>
#include <vector>

namespace {

/// What the reader makes of the bytes when they come in pieces of this size: headers and payloads, one after the other.
std::string readAll(std::string_view bytes, std::size_t piece)
{
    sg::FrameReader reader;
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        reader.feed(bytes.substr(at, piece));
        while (const auto next = reader.next()) {
            if (!*next) continue;
            SG_REQUIRE((*next)->header["type"].is_string() && (*next)->header["id"].is_string());
            out += sg::encodeFrame((*next)->header, (*next)->payload);
        }
    }
    SG_REQUIRE(reader.pending() <= bytes.size());
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    if (size > 65536) return 0;
    const std::string_view bytes = fuzzText(data, size);
    const std::string whole = readAll(bytes, size + 1);
    SG_REQUIRE(readAll(bytes, 7) == whole);
    SG_REQUIRE(readAll(whole, 11) == whole);
    return 0;
}
