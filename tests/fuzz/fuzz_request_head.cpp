#include "core/server/http/request_head.h"
#include "tests/fuzz/require.h"

#include <algorithm>
#include <string>

namespace {

using namespace sg::http;
using Verdict = std::variant<NeedMore, Refusal, RequestHead>;

constexpr std::size_t kMostInPieces = 4096;

Verdict whole(std::string_view bytes, const HttpLimits &limits)
{
    std::size_t scanned = 0;
    return readHead(bytes, scanned, limits);
}

/// As a connection reads: from the first bytes on, until something is said.
Verdict inPieces(std::string_view bytes, std::size_t piece, const HttpLimits &limits)
{
    std::size_t scanned = 0;
    for (std::size_t length = std::min(piece, bytes.size());; length = std::min(length + piece, bytes.size())) {
        Verdict verdict = readHead(bytes.substr(0, length), scanned, limits);
        if (!std::holds_alternative<NeedMore>(verdict) || length == bytes.size()) return verdict;
    }
}

bool same(const Verdict &a, const Verdict &b)
{
    if (a.index() != b.index()) return false;
    if (const auto *refusal = std::get_if<Refusal>(&a)) return refusal->status == std::get<Refusal>(b).status;
    const auto *head = std::get_if<RequestHead>(&a);
    if (!head) return true;
    const auto &other = std::get<RequestHead>(b);
    return head->method == other.method && head->target == other.target && head->segments == other.segments &&
           head->query == other.query && head->fields == other.fields && head->contentLength == other.contentLength &&
           head->hasContentLength == other.hasContentLength && head->expectContinue == other.expectContinue;
}

void requireFields(const RequestHead &head, const HttpLimits &limits)
{
    SG_REQUIRE(head.fields.size() <= limits.fields);
    for (const auto &[name, value] : head.fields) {
        SG_REQUIRE(!name.empty() && name == lowerCase(name));
        SG_REQUIRE(name.find_first_of(" \t\r\n:") == std::string::npos);
        SG_REQUIRE(value.find_first_of(std::string_view("\r\n\0\x7f", 4)) == std::string::npos);
        SG_REQUIRE(value.empty() || (value.front() != ' ' && value.back() != ' '));
    }
    for (const char *once : {"host", "content-length", "authorization", "origin", "taskid", "strict"})
        SG_REQUIRE(std::count_if(head.fields.begin(), head.fields.end(),
                                 [&](const auto &field) { return field.first == once; }) <= 1);
    SG_REQUIRE(head.field("host") && !head.field("host")->empty() && !head.field("transfer-encoding"));
    SG_REQUIRE(head.hasContentLength == head.field("content-length").has_value());
    SG_REQUIRE(head.contentLength <= limits.bodyBytes && (head.hasContentLength || head.contentLength == 0));
    SG_REQUIRE(head.expectContinue == head.field("expect").has_value());
}

void requirePromises(const RequestHead &head, std::string_view bytes, const HttpLimits &limits)
{
    SG_REQUIRE(head.bytes <= bytes.size() && head.bytes <= limits.headBytes);
    SG_REQUIRE(bytes.substr(head.bytes - 4, 4) == "\r\n\r\n");
    SG_REQUIRE(bytes.substr(0, head.bytes).find('\0') == std::string_view::npos);
    SG_REQUIRE(!head.method.empty() && head.method.size() <= 20 && head.target.size() <= limits.urlBytes);
    SG_REQUIRE(head.target == "*" ? head.method == "OPTIONS" : head.target.front() == '/');
    for (const std::string &segment : head.segments)
        SG_REQUIRE(isCleanUtf8(segment));
    for (const auto &[name, value] : head.query)
        SG_REQUIRE(isCleanUtf8(name) && isCleanUtf8(value) && *head.parameter(name) == value);
    requireFields(head, limits);
    // Written from what was read, it is the same request.
    std::string text = head.method + " " + head.target + " HTTP/1.1\r\n";
    for (const auto &[name, value] : head.fields)
        text.append(name).append(":").append(value).append("\r\n");
    HttpLimits roomy = limits;
    roomy.headBytes += 16;
    SG_REQUIRE(same(whole(text + "\r\n", roomy), Verdict(head)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    const std::string_view bytes = fuzzText(data, size);
    HttpLimits narrow;
    narrow.headBytes = 200;
    narrow.urlBytes = 40;
    narrow.fields = 4;
    narrow.bodyBytes = 1000;
    for (const HttpLimits &limits : {HttpLimits{}, narrow}) {
        const Verdict verdict = whole(bytes, limits);
        if (const auto *head = std::get_if<RequestHead>(&verdict)) requirePromises(*head, bytes, limits);
        if (const auto *refusal = std::get_if<Refusal>(&verdict))
            SG_REQUIRE(refusal->status >= 400 && refusal->status < 500 && refusal->message.size() < 200);
    }
    if (size <= kMostInPieces)
        for (const std::size_t piece : {1, 7, 64})
            SG_REQUIRE(same(whole(bytes, HttpLimits{}), inPieces(bytes, piece, HttpLimits{})));
    return 0;
}
