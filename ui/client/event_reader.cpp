#include "ui/client/event_reader.h"

#include <utility>

namespace sg::ui {

std::vector<EventReader::Event> EventReader::feed(const QByteArray &bytes)
{
    std::vector<Event> events;
    m_rest += bytes;
    qsizetype begin = 0;
    for (qsizetype end = m_rest.indexOf('\n', begin); end >= 0; end = m_rest.indexOf('\n', begin)) {
        QByteArray text = m_rest.mid(begin, end - begin);
        if (text.endsWith('\r')) text.chop(1);
        line(std::move(text), events);
        begin = end + 1;
    }
    m_rest.remove(0, begin);
    return events;
}

void EventReader::line(QByteArray text, std::vector<Event> &out)
{
    if (text.isEmpty()) {
        if (m_hasData) out.push_back(std::move(m_event));
        m_event = {};
        m_hasData = false;
        return;
    }
    const qsizetype colon = text.indexOf(':');
    const QByteArray field = colon < 0 ? text : text.left(colon);
    QByteArray value = colon < 0 ? QByteArray() : text.mid(colon + 1);
    if (value.startsWith(' ')) value.remove(0, 1);
    if (field == "event") m_event.name = value;
    if (field == "data") {
        if (m_hasData) m_event.data += '\n';
        m_event.data += value;
        m_hasData = true;
    }
}

}  // namespace sg::ui
