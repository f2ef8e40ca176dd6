#include "core/server/http/deferred_reply.h"

#include "core/base/log.h"
#include "core/storage/courier.h"

#include <atomic>
#include <utility>
#include <vector>

namespace sg::http {

struct DeferredReply::State {
    State() = default;
    State(const State &) = delete;  // a second one would answer as well
    State &operator=(const State &) = delete;

    /// The last copy may go in any thread, while the server's ends the connection: only a signal may cross over.
    Courier forgotten;
    std::atomic<bool> answered = false;

    QPointer<HttpConnection> connection;
    ErrorShape shape = {};
    std::string requestId;
    std::vector<std::pair<std::string, std::string>> fields;

    ~State()
    {
        if (!answered) Q_EMIT forgotten.arrived();
    }
};

DeferredReply::DeferredReply(HttpConnection *connection, ErrorShape shape) : m_state(std::make_shared<State>())
{
    m_state->connection = connection;
    m_state->shape = std::move(shape);
    m_state->requestId = connection->request().requestId;
    QObject::connect(&m_state->forgotten, &Courier::arrived, connection,
                     [connection, shape = m_state->shape, id = m_state->requestId] {
                         if (connection->answered()) return;
                         logError("server", "request " + id + " was left without an answer");
                         connection->send(shape(Error{ErrorCode::Internal, "no answer was made", {}}, id));
                     });
}

bool DeferredReply::connected() const
{
    return !m_state->connection.isNull();
}

void DeferredReply::addField(std::string name, std::string value)
{
    m_state->fields.emplace_back(std::move(name), std::move(value));
}

void DeferredReply::send(Reply reply) const
{
    m_state->answered = true;
    if (!m_state->connection) return;
    reply.fields.insert(reply.fields.end(), m_state->fields.begin(), m_state->fields.end());
    m_state->connection->send(std::move(reply));
}

void DeferredReply::send(Expected<Reply> reply) const
{
    if (reply)
        send(std::move(*reply));
    else
        fail(reply.error());
}

void DeferredReply::fail(const Error &error) const
{
    send(m_state->shape(error, m_state->requestId));
}

void DeferredReply::beginEvents() const
{
    m_state->answered = true;
    if (m_state->connection) m_state->connection->beginEvents();
}

void DeferredReply::event(std::string_view name, const Json &data, bool mayDrop) const
{
    if (m_state->connection)
        m_state->connection->sendEvent("event: " + std::string(name) + "\ndata: " + dumpJson(data) + "\n\n", mayDrop);
}

void DeferredReply::endEvents() const
{
    if (m_state->connection) m_state->connection->endEvents();
}

const std::string &DeferredReply::requestId() const
{
    return m_state->requestId;
}

}  // namespace sg::http
