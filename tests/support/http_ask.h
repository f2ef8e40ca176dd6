#pragma once

#include "core/base/json.h"
#include "tests/security/guard/raw_client.h"

#include <cstdint>
#include <string>

namespace sg::test {

/// The port of "http://127.0.0.1:40123".
inline std::uint16_t portOf(const std::string &url)
{
    return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
}

struct Answer {
    int status = 0;  ///< 0: no HTTP reply
    Json body;       ///< null when it is no JSON
};

/// One request through a socket of its own; `line` is method, path and header lines but the usual ones: "POST
/// /txt2img".
inline Answer ask(const std::string &url, const std::string &token, const std::string &line,
                  const std::string &body = {})
{
    std::string text = line.substr(0, line.find("\r\n")) + " HTTP/1.1\r\nHost: " + url.substr(url.find("://") + 3);
    if (const std::size_t more = line.find("\r\n"); more != std::string::npos) text += line.substr(more);
    text += "\r\n";
    if (!token.empty()) text += "Authorization: Bearer " + token + "\r\n";
    if (!body.empty())
        text += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    const RawClient client(portOf(url));
    client.send(text + "\r\n" + body);
    const std::string all = client.readAll(30'000);
    if (!all.starts_with("HTTP/1.1 ")) return {};
    return {std::stoi(all.substr(9, 3)), parseJson(all.substr(all.find("\r\n\r\n") + 4)).value_or(Json())};
}

}  // namespace sg::test
