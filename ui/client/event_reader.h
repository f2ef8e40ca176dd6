#pragma once

#include <QByteArray>

#include <vector>

namespace sg::ui {

/// Cuts a stream of server-sent events (text/event-stream) into events, however it arrives in pieces. Comments and ids
/// are skipped.
class EventReader {
public:
    struct Event {
        QByteArray name;
        QByteArray data;
    };
    /// The events that `bytes` complete.
    std::vector<Event> feed(const QByteArray &bytes);

private:
    void line(QByteArray text, std::vector<Event> &out);

    QByteArray m_rest;
    Event m_event;
    bool m_hasData = false;
};

}  // namespace sg::ui
