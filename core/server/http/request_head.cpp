#include "core/server/http/request_head.h"

#include <algorithm>
#include <array>

namespace sg::http {
namespace {

/// Fields that change what a request means: twice is an attack or a mistake, never a list.
constexpr std::array<std::string_view, 15> kOnlyOnce{
    "host",   "content-length", "content-type",  "transfer-encoding", "content-encoding", "authorization",
    "origin", "expect",         "taskid",        "username",          "request-type",     "task-flag",
    "strict", "token",          "sec-fetch-site"};

bool isTokenChar(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

int hexDigit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::string_view trimmed(std::string_view text)
{
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

/// Looks at the bytes that have not been looked at yet: line ends must be CR LF, and NUL never comes.
/// The end of the head, 0 when it is not there yet, or a refusal.
std::variant<std::size_t, Refusal> findEnd(std::string_view bytes, std::size_t &scanned)
{
    for (std::size_t i = scanned; i < bytes.size(); ++i) {
        const char c = bytes[i];
        if (c == '\0') return Refusal{400, "the request contains a NUL byte"};
        if (c == '\n' && (i == 0 || bytes[i - 1] != '\r')) return Refusal{400, "a line ends with a bare LF"};
        if (i > 0 && bytes[i - 1] == '\r' && c != '\n') return Refusal{400, "a CR stands alone"};
        if (c == '\n' && i >= 3 && bytes[i - 2] == '\n') return i + 1;
        if (c == '\n' && i == 1) return Refusal{400, "the request line is empty"};
    }
    scanned = bytes.size();
    return std::size_t{0};
}

std::optional<Refusal> readQuery(std::string_view text, RequestHead &head)
{
    while (!text.empty()) {
        const std::string_view pair = text.substr(0, text.find('&'));
        text.remove_prefix(std::min(text.size(), pair.size() + 1));
        if (pair.empty()) continue;
        const std::size_t equals = pair.find('=');
        const auto name = percentDecode(pair.substr(0, equals), true);
        const auto value =
            percentDecode(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true);
        if (!name || !value || !isCleanUtf8(*name) || !isCleanUtf8(*value))
            return Refusal{400, "the query is not valid"};
        if (head.parameter(*name)) return Refusal{400, "the query names a parameter twice"};
        head.query.emplace_back(*name, *value);
    }
    return std::nullopt;
}

std::optional<Refusal> readTarget(RequestHead &head)
{
    if (head.target == "*" && head.method == "OPTIONS") return std::nullopt;
    if (head.target.front() != '/') return Refusal{400, "the request target must begin with a slash"};
    for (const char c : head.target)
        if (c <= 0x20 || c >= 0x7f || c == '#')
            return Refusal{400, "the request target contains a character that must be escaped"};
    std::string_view path = head.target;
    const std::size_t mark = path.find('?');
    if (mark != std::string_view::npos) {
        if (auto refusal = readQuery(path.substr(mark + 1), head)) return refusal;
        path = path.substr(0, mark);
    }
    path.remove_prefix(1);
    while (true) {
        const std::string_view raw = path.substr(0, path.find('/'));
        const auto segment = percentDecode(raw);
        if (!segment || !isCleanUtf8(*segment)) return Refusal{400, "the path is not valid"};
        head.segments.push_back(*segment);
        if (raw.size() == path.size()) break;
        path.remove_prefix(raw.size() + 1);
    }
    return std::nullopt;
}

std::optional<Refusal> readRequestLine(std::string_view line, const HttpLimits &limits, RequestHead &head)
{
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == last || first == 0)
        return Refusal{400, "the request line is not valid"};
    head.method = line.substr(0, first);
    head.target = line.substr(first + 1, last - first - 1);
    const std::string_view version = line.substr(last + 1);
    if (head.target.size() > limits.urlBytes)
        return Refusal{414, "the URL is longer than " + std::to_string(limits.urlBytes) + " bytes"};
    if (head.method.size() > 20 || !std::all_of(head.method.begin(), head.method.end(), isTokenChar))
        return Refusal{400, "the method is not valid"};
    if (version != "HTTP/1.1" && version != "HTTP/1.0") return Refusal{400, "the HTTP version is not 1.0 or 1.1"};
    if (head.target.empty() || head.target.find(' ') != std::string::npos)
        return Refusal{400, "the request line is not valid"};
    return readTarget(head);
}

std::optional<Refusal> readField(std::string_view line, const HttpLimits &limits, RequestHead &head)
{
    if (line.front() == ' ' || line.front() == '\t') return Refusal{400, "a field is folded over two lines"};
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    if (colon == std::string_view::npos || name.empty() || !std::all_of(name.begin(), name.end(), isTokenChar))
        return Refusal{400, "a field has no valid name"};
    const std::string_view value = trimmed(line.substr(colon + 1));
    for (const char c : value)
        if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f)
            return Refusal{400, "a field contains a control character"};
    if (head.fields.size() == limits.fields)
        return Refusal{431, "more than " + std::to_string(limits.fields) + " fields"};
    std::string key = lowerCase(name);
    if (head.field(key) && std::find(kOnlyOnce.begin(), kOnlyOnce.end(), key) != kOnlyOnce.end())
        return Refusal{400, "the field " + key + " is there twice"};
    head.fields.emplace_back(std::move(key), value);
    return std::nullopt;
}

std::optional<Refusal> readLength(const HttpLimits &limits, RequestHead &head)
{
    const auto length = head.field("content-length");
    if (!length) return std::nullopt;
    const bool digits =
        !length->empty() && std::all_of(length->begin(), length->end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) return Refusal{400, "Content-Length is not a number"};
    const std::string_view number = length->substr(std::min(length->find_first_not_of('0'), length->size() - 1));
    if (number.size() > 18 || std::stoull(std::string(number)) > limits.bodyBytes)
        return Refusal{413, "the body is larger than " + std::to_string(limits.bodyBytes) + " bytes"};
    head.contentLength = std::stoull(std::string(number));
    head.hasContentLength = true;
    return std::nullopt;
}

/// What the fields mean together.
std::optional<Refusal> checkFields(const HttpLimits &limits, RequestHead &head)
{
    const auto host = head.field("host");
    if (!host || host->empty()) return Refusal{400, "the field Host is missing"};
    if (head.field("transfer-encoding")) return Refusal{411, "Transfer-Encoding is not supported; send Content-Length"};
    if (auto refusal = readLength(limits, head)) return refusal;
    if (const auto coding = head.field("content-encoding"); coding && lowerCase(*coding) != "identity")
        return Refusal{415, "Content-Encoding is not supported"};
    if (const auto expect = head.field("expect")) {
        if (lowerCase(*expect) != "100-continue")
            return Refusal{417, "the only expectation that is met is 100-continue"};
        head.expectContinue = true;
    }
    // QtHttpServer would hand such a connection to QWebSocketServer.
    if (const auto upgrade = head.field("upgrade");
        upgrade && lowerCase(*upgrade).find("websocket") != std::string::npos)
        return Refusal{400, "WebSocket is not supported"};
    return std::nullopt;
}

std::optional<Refusal> readLines(std::string_view text, const HttpLimits &limits, RequestHead &head)
{
    bool first = true;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find("\r\n"));
        text.remove_prefix(std::min(text.size(), line.size() + 2));
        if (line.empty()) break;
        const auto refusal = first ? readRequestLine(line, limits, head) : readField(line, limits, head);
        if (refusal) return refusal;
        first = false;
    }
    return checkFields(limits, head);
}

}  // namespace

std::optional<std::string_view> RequestHead::field(std::string_view name) const
{
    for (const auto &[key, value] : fields)
        if (key == name) return value;
    return std::nullopt;
}

std::optional<std::string_view> RequestHead::parameter(std::string_view name) const
{
    for (const auto &[key, value] : query)
        if (key == name) return value;
    return std::nullopt;
}

std::variant<NeedMore, Refusal, RequestHead> readHead(std::string_view bytes, std::size_t &scanned,
                                                      const HttpLimits &limits)
{
    const auto end = findEnd(bytes.substr(0, limits.headBytes), scanned);
    if (const auto *refusal = std::get_if<Refusal>(&end)) return *refusal;
    const std::size_t length = std::get<std::size_t>(end);
    if (length == 0) {
        const std::size_t line = bytes.substr(0, limits.headBytes).find('\n');
        if (line == std::string_view::npos && bytes.size() > limits.urlBytes + 40)
            return Refusal{414, "the URL is longer than " + std::to_string(limits.urlBytes) + " bytes"};
        if (bytes.size() >= limits.headBytes)
            return Refusal{431, "the request's fields are larger than " + std::to_string(limits.headBytes) + " bytes"};
        return NeedMore{};
    }
    RequestHead head;
    head.bytes = length;
    if (auto refusal = readLines(bytes.substr(0, length), limits, head)) return *refusal;
    return head;
}

bool isCleanUtf8(std::string_view text)
{
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        if (lead < 0x20 || lead == 0x7f) return false;
        const std::size_t length = lead < 0x80                   ? 1
                                   : lead >= 0xc2 && lead < 0xe0 ? 2
                                   : lead >= 0xe0 && lead < 0xf0 ? 3
                                   : lead >= 0xf0 && lead < 0xf5 ? 4
                                                                 : 0;
        if (length == 0 || i + length > text.size()) return false;
        std::uint32_t code = length == 1 ? lead : lead & (0x7fu >> length);
        for (std::size_t k = 1; k < length; ++k) {
            const auto next = static_cast<unsigned char>(text[i + k]);
            if ((next & 0xc0) != 0x80) return false;
            code = code << 6 | (next & 0x3fu);
        }
        const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
        if (overlong || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) || (code >= 0x80 && code < 0xa0))
            return false;
        i += length;
    }
    return true;
}

std::optional<std::string> percentDecode(std::string_view text, bool plusIsSpace)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plusIsSpace) {
            out.push_back(' ');
        } else if (text[i] == '%') {
            if (i + 2 >= text.size() || hexDigit(text[i + 1]) < 0 || hexDigit(text[i + 2]) < 0) return std::nullopt;
            out.push_back(static_cast<char>(hexDigit(text[i + 1]) * 16 + hexDigit(text[i + 2])));
            i += 2;
        } else {
            out.push_back(text[i]);
        }
    }
    return out;
}

std::string lowerCase(std::string_view text)
{
    std::string out(text);
    for (char &c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

}  // namespace sg::http
