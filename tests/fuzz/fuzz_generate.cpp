#include "core/base/frame.h"
#include "core/engine/messages.h"
#include "tests/fuzz/require.h"

/// The engine's side of a generate request: its parameters, and the pictures in its payload.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    if (size > 65536) return 0;
    sg::FrameReader reader;
    reader.feed(fuzzText(data, size));
    while (const auto frame = reader.next()) {
        if (!*frame) continue;
        auto message = sg::engine::parseGenerate(**frame);
        if (!message) {
            const sg::ErrorCode code = message.error().code;
            SG_REQUIRE(code == sg::ErrorCode::InvalidArgument || code == sg::ErrorCode::TooLarge ||
                       code == sg::ErrorCode::NotFound);
            continue;
        }
        std::size_t bytes = 0;
        for (const sg::engine::InputFile &file : message->pictures)
            bytes += file.bytes.size();
        SG_REQUIRE(bytes == (*frame)->payload.size() && message->pictures.size() <= sg::engine::kMaxInputFiles);
        (void)sg::engine::decodePictures(*message);
    }
    return 0;
}
