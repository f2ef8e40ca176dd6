#pragma once

#include "core/base/json.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sg {

/// One message of the engine protocol (docs/protocol.md): a JSON header with `type` and `id`, and raw bytes.
struct Frame {
    Json header;
    std::string payload;
};

inline constexpr std::size_t kMaxFrameHeader = 1u << 20;
inline constexpr std::size_t kMaxFramePayload = 256u << 20;

/// 4-byte little-endian header length, 4-byte little-endian payload length, header, payload.
std::string encodeFrame(const Json &header, std::string_view payload = {});

/// Cuts a byte stream into frames. Bytes that are no frame are skipped up to the next thing that can be one,
/// and each run of them is reported once as an error.
class FrameReader {
public:
    void feed(std::string_view bytes) { m_buffer.append(bytes); }

    /// The next frame, an error for a run of garbage, or nothing until more bytes come.
    std::optional<Expected<Frame>> next();

    /// Bytes held that are not yet a frame.
    std::size_t pending() const { return m_buffer.size() - m_start; }

private:
    bool skipGarbage();
    void drop(std::size_t bytes);

    std::string m_buffer;
    std::size_t m_start = 0;
    std::size_t m_skipped = 0;
    std::optional<Json> m_header;  ///< of the frame at m_start, read while its payload is still coming
};

}  // namespace sg
