#pragma once

#include <cstddef>
#include <cstdint>

namespace sg::http {

/// Every limit of the HTTP front, in one place, so that a test can shrink them.
/// Units  bytes and milliseconds.
struct HttpLimits {
    std::size_t headBytes = 16 * 1024;         ///< request line and fields; more is 431
    std::size_t urlBytes = 8 * 1024;           ///< more is 414
    std::size_t fields = 100;                  ///< more is 431
    std::uint64_t bodyBytes = 64ull << 20;     ///< more is 413
    std::uint64_t bodiesBytes = 256ull << 20;  ///< of all requests that are being received; more is 503
    int connections = 1000;                    ///< more is 503; also kept below RLIMIT_NOFILE - 100
    int connectionsPerAddress = 64;            ///< loopback excepted
    int headMs = 10'000;                       ///< from the connection to the end of the head
    int idleMs = 15'000;                       ///< without a byte while a request is being received
    int bodyGraceMs = 10'000;                  ///< after which a body must have come at bodyRate on average
    int bodyRate = 8 * 1024;                   ///< bytes a second
    int writeStallMs = 30'000;                 ///< without progress while a reply waits to be sent
    int lingerMs = 2'000;                  ///< how long a refused client may go on sending before the connection is cut
    int keepAliveMs = 15'000;              ///< between two comments of a silent event stream
    std::size_t queuedBytes = 256 * 1024;  ///< of a reply inside the socket; the rest waits outside
    std::size_t eventBytes = 256 * 1024;   ///< of waiting events; more makes an event stream drop what may be dropped
    int tickMs = 250;                      ///< how often the timeouts are looked at
};

}  // namespace sg::http
