#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace sg::test {

/// A blocking socket to 127.0.0.1 that sends what no HTTP library would.
class RawClient {
public:
    explicit RawClient(std::uint16_t port, int receiveBuffer = 0)
    {
        m_socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (receiveBuffer > 0) ::setsockopt(m_socket, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, sizeof receiveBuffer);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        m_connected = ::connect(m_socket, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0;
    }
    ~RawClient() { ::close(m_socket); }
    RawClient(const RawClient &) = delete;
    RawClient &operator=(const RawClient &) = delete;

    bool connected() const { return m_connected; }

    bool send(std::string_view bytes) const
    {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(m_socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    /// What comes until the other end closes, or until nothing came for `patienceMs`.
    std::string readAll(int patienceMs = 10'000) const
    {
        std::string all;
        char buffer[65536];
        pollfd wait{m_socket, POLLIN, 0};
        while (::poll(&wait, 1, patienceMs) > 0) {
            const ssize_t got = ::recv(m_socket, buffer, sizeof buffer, 0);
            if (got <= 0) return all;
            all.append(buffer, static_cast<std::size_t>(got));
        }
        return all + "<still open>";
    }

private:
    int m_socket = -1;
    bool m_connected = false;
};

}  // namespace sg::test
