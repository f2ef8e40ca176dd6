#include "ui/shell/ui_settings.h"

#include "ui/client/background.h"

#include <QSettings>

#include <chrono>
#include <utility>

namespace sg::ui {
namespace {

using namespace std::chrono_literals;

bool write(const QString &file, const QHash<QString, QVariant> &values)
{
    QSettings settings(file, QSettings::IniFormat);
    for (auto it = values.begin(); it != values.end(); ++it)
        settings.setValue(it.key(), it.value());
    settings.sync();
    return settings.status() == QSettings::NoError;
}

}  // namespace

UiSettings::UiSettings(QString file, QObject *parent) : QObject(parent), m_file(std::move(file))
{
    m_timer.setSingleShot(true);
    m_timer.setInterval(800ms);
    connect(&m_timer, &QTimer::timeout, this, &UiSettings::writeSoon);
    if (m_file.isEmpty()) return;
    const QSettings settings(m_file, QSettings::IniFormat);
    for (const QString &key : settings.allKeys())
        m_values.insert(key, settings.value(key));
}

UiSettings::~UiSettings()
{
    flush();
}

void UiSettings::setValue(const QString &key, const QVariant &value)
{
    const auto known = m_values.constFind(key);
    if (known != m_values.constEnd() && *known == value) return;
    m_values.insert(key, value);
    if (m_file.isEmpty()) return;
    m_unwritten.insert(key, value);
    m_timer.start();
}

void UiSettings::writeSoon()
{
    if (m_writing) return m_timer.start();
    m_writing = true;
    inBackground(
        this, [file = m_file, values = std::exchange(m_unwritten, {})] { return write(file, values); },
        [this](bool) { m_writing = false; });
}

void UiSettings::flush()
{
    m_timer.stop();
    if (!m_unwritten.isEmpty()) write(m_file, std::exchange(m_unwritten, {}));
}

}  // namespace sg::ui
