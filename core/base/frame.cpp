#include "core/base/frame.h"

#include <cassert>

namespace sg {
namespace {

constexpr std::size_t kPrefix = 8;

std::uint32_t readLength(const char *bytes)
{
    std::uint32_t value = 0;
    for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

void appendLength(std::string &out, std::size_t value)
{
    for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

bool plausible(const char *prefix)
{
    const std::size_t header = readLength(prefix);
    return header >= 2 && header <= kMaxFrameHeader && readLength(prefix + 4) <= kMaxFramePayload && prefix[kPrefix] == '{';
}

bool hasTypeAndId(const Json &header)
{
    return header.is_object() && header.contains("type") && header["type"].is_string() && header.contains("id") &&
           header["id"].is_string();
}

}  // namespace

std::string encodeFrame(const Json &header, std::string_view payload)
{
    const std::string text = dumpJson(header);
    assert(text.size() <= kMaxFrameHeader && payload.size() <= kMaxFramePayload);
    std::string out;
    out.reserve(kPrefix + text.size() + payload.size());
    appendLength(out, text.size());
    appendLength(out, payload.size());
    out += text;
    out += payload;
    return out;
}

void FrameReader::drop(std::size_t bytes)
{
    m_start += bytes;
    if (m_start > (1u << 16) && m_start * 2 > m_buffer.size()) {
        m_buffer.erase(0, m_start);
        m_start = 0;
    }
}

/// Moves to the next place where a frame can begin; true when such a place is at hand.
bool FrameReader::skipGarbage()
{
    while (pending() > kPrefix && !plausible(m_buffer.data() + m_start)) {
        ++m_skipped;
        drop(1);
    }
    return pending() > kPrefix;
}

std::optional<Expected<Frame>> FrameReader::next()
{
    const bool ready = m_header || skipGarbage();
    if (m_skipped > 0) {
        const std::string count = std::to_string(m_skipped);
        m_skipped = 0;
        return fail(ErrorCode::InvalidArgument, count + " bytes that are no frame were skipped", "frame");
    }
    if (!ready) return std::nullopt;
    const char *at = m_buffer.data() + m_start;
    const std::size_t header = readLength(at);
    const std::size_t payload = readLength(at + 4);
    if (pending() < kPrefix + header) return std::nullopt;
    if (!m_header) {
        Expected<Json> parsed = parseJson({at + kPrefix, header});
        if (!parsed || !hasTypeAndId(*parsed)) {
            drop(1);
            skipGarbage();
            m_skipped = 0;
            return fail(ErrorCode::InvalidArgument,
                        parsed ? "the header needs the strings \"type\" and \"id\"" : parsed.error().message, "frame");
        }
        m_header = std::move(*parsed);
    }
    if (pending() < kPrefix + header + payload) return std::nullopt;
    Frame frame{std::move(*m_header), std::string(at + kPrefix + header, payload)};
    m_header.reset();
    drop(kPrefix + header + payload);
    return frame;
}

}  // namespace sg
