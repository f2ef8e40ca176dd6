#include "ui/server/server_store.h"

#include "ui/client/api_client.h"

#include <chrono>

namespace sg::ui {

using namespace std::chrono_literals;

ServerStore::ServerStore(ApiClient &client, QObject *parent) : QObject(parent), m_client(client)
{
    m_timer.setInterval(3s);
    connect(&m_timer, &QTimer::timeout, this, &ServerStore::ask);
}

void ServerStore::start()
{
    ask();
    m_timer.start();
}

void ServerStore::setWatched(bool watched)
{
    m_timer.setInterval(watched ? 1s : 3s);
    if (watched) ask();
}

void ServerStore::ask()
{
    m_client.server(this, [this](const Expected<ServerState> &state) {
        const bool reachable = state.has_value();
        const bool changed = reachable != m_reachable;
        m_reachable = reachable;
        if (state) take(*state);
        if (changed) Q_EMIT engineChanged();
    });
    m_client.ready(this, [this](const Expected<Json> &ready) {
        const QString reason = ready ? QString() : QString::fromStdString(ready.error().message);
        if (ready.has_value() == m_engineReady && reason == m_engineReason) return;
        m_engineReady = ready.has_value();
        m_engineReason = reason;
        Q_EMIT engineChanged();
    });
}

void ServerStore::take(const ServerState &state)
{
    if (m_known && state == m_state) return;
    m_known = true;
    m_state = state;
    Q_EMIT stateChanged(m_state);
}

void ServerStore::change(const Json &changes)
{
    m_client.changeServer(changes, this, [this, changes](const Expected<ServerState> &state) {
        if (state) {
            take(*state);
            Q_EMIT changed(changes);
        } else {
            Q_EMIT failed(state.error());
        }
        Q_EMIT stateChanged(m_state);  // also when refused: the page shows what is
    });
}

}  // namespace sg::ui
