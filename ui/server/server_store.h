#pragma once

#include "core/base/error.h"
#include "core/base/json.h"
#include "ui/client/api_types.h"

#include <QObject>
#include <QTimer>

namespace sg::ui {

class ApiClient;

/// The state of the server for other programs, and whether the engine can compute, as the window knows them.
/// Thread  main.
class ServerStore final : public QObject {
    Q_OBJECT
public:
    explicit ServerStore(ApiClient &client, QObject *parent = nullptr);

    void start();
    void setWatched(bool watched);
    void change(const Json &changes);

    const ServerState &state() const { return m_state; }
    bool reachable() const { return m_reachable; }
    bool engineReady() const { return m_engineReady; }
    QString engineReason() const { return m_engineReason; }

Q_SIGNALS:
    void stateChanged(const sg::ui::ServerState &state);
    void engineChanged();
    /// A change that this window asked for and the server made: fields of PATCH /server.
    void changed(const sg::Json &changes);
    void failed(const sg::Error &error);

private:
    void ask();
    void take(const ServerState &state);

    ApiClient &m_client;
    QTimer m_timer;
    ServerState m_state;
    bool m_known = false;
    bool m_reachable = false;
    bool m_engineReady = false;
    QString m_engineReason;
};

}  // namespace sg::ui
