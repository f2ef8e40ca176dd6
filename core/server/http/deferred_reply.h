#pragma once

#include "core/server/http/http_connection.h"

#include <QPointer>

#include <functional>
#include <memory>
#include <string>

namespace sg::http {

/// The right to answer one request, now or later; copies share it. The client may be gone at any time: then nothing
/// happens. When the last copy goes without an answer, the client gets 500: a request is never left hanging.
/// Thread  the server's; copies may go in any.
class DeferredReply {
public:
    /// How this request's errors look (docs/api.md): ours, or A1111's below /sdapi.
    using ErrorShape = std::function<Reply(const Error &, const std::string &requestId)>;

    DeferredReply(HttpConnection *connection, ErrorShape shape);

    bool connected() const;
    /// Goes out with whatever answer comes: the echo of `taskId`.
    void addField(std::string name, std::string value);

    void send(Reply reply) const;
    void send(Expected<Reply> reply) const;
    void fail(const Error &error) const;

    /// Server-sent events instead of one answer.
    void beginEvents() const;
    void event(std::string_view name, const Json &data, bool mayDrop) const;
    void endEvents() const;

    const std::string &requestId() const;

private:
    struct State;
    std::shared_ptr<State> m_state;
};

}  // namespace sg::http
