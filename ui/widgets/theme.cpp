#include "ui/widgets/theme.h"

#include <QApplication>
#include <QDBusConnection>
#include <QDBusMessage>
#include <QDBusPendingCallWatcher>
#include <QDBusPendingReply>
#include <QDBusVariant>
#include <QFile>
#include <QPalette>
#include <QStyle>
#include <QStyleFactory>

namespace sg::ui {
namespace {

using namespace Qt::Literals::StringLiterals;

const QString kService = u"org.freedesktop.portal.Desktop"_s;
const QString kPath = u"/org/freedesktop/portal/desktop"_s;
const QString kInterface = u"org.freedesktop.portal.Settings"_s;
const QString kGroup = u"org.freedesktop.appearance"_s;
const QString kKey = u"color-scheme"_s;

struct Colours {
    const char *window, *base, *alternate, *button, *text, *muted, *highlight, *onHighlight, *link, *line, *rail,
        *danger;
};
constexpr Colours kLight{"#f5f6f7", "#ffffff", "#f2f4f5", "#fbfcfc", "#1d2529", "#566268",
                         "#0f6b80", "#ffffff", "#0b6478", "#d3d9dc", "#e9edef", "#b3261e"};
constexpr Colours kDark{"#1b2024", "#14181b", "#1f2529", "#272e33", "#e4e9ec", "#9aa8af",
                        "#2b93ab", "#06171c", "#5cc0d8", "#39434a", "#15191c", "#ff8a80"};

QColor colour(const char *name)
{
    return QColor(QLatin1String(name));
}

QPalette paletteOf(const Colours &c)
{
    QPalette palette;
    palette.setColor(QPalette::Window, colour(c.window));
    palette.setColor(QPalette::WindowText, colour(c.text));
    palette.setColor(QPalette::Base, colour(c.base));
    palette.setColor(QPalette::AlternateBase, colour(c.alternate));
    palette.setColor(QPalette::Text, colour(c.text));
    palette.setColor(QPalette::Button, colour(c.button));
    palette.setColor(QPalette::ButtonText, colour(c.text));
    palette.setColor(QPalette::BrightText, colour(c.danger));
    palette.setColor(QPalette::ToolTipBase, colour(c.base));
    palette.setColor(QPalette::ToolTipText, colour(c.text));
    palette.setColor(QPalette::PlaceholderText, colour(c.muted));
    palette.setColor(QPalette::Highlight, colour(c.highlight));
    palette.setColor(QPalette::HighlightedText, colour(c.onHighlight));
    palette.setColor(QPalette::Link, colour(c.link));
    palette.setColor(QPalette::LinkVisited, colour(c.link));
    palette.setColor(QPalette::Mid, colour(c.line));
    palette.setColor(QPalette::Light, colour(c.button));
    palette.setColor(QPalette::Dark, colour(c.line));
    QColor faded = colour(c.muted);
    faded.setAlpha(140);
    for (const QPalette::ColorRole role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
        palette.setColor(QPalette::Disabled, role, faded);
    palette.setColor(QPalette::Disabled, QPalette::Highlight, colour(c.line));
    return palette;
}

QString styleSheet(const Colours &c)
{
    QFile file(u":/styles/serigraph.qss"_s);
    if (!file.open(QIODevice::ReadOnly)) return {};
    QString sheet = QString::fromUtf8(file.readAll());
    const std::pair<QLatin1String, const char *> names[] = {{QLatin1String("@window"), c.window},
                                                            {QLatin1String("@base"), c.base},
                                                            {QLatin1String("@alternate"), c.alternate},
                                                            {QLatin1String("@button"), c.button},
                                                            {QLatin1String("@text"), c.text},
                                                            {QLatin1String("@muted"), c.muted},
                                                            {QLatin1String("@onHighlight"), c.onHighlight},
                                                            {QLatin1String("@highlight"), c.highlight},
                                                            {QLatin1String("@link"), c.link},
                                                            {QLatin1String("@line"), c.line},
                                                            {QLatin1String("@rail"), c.rail},
                                                            {QLatin1String("@danger"), c.danger}};
    for (const auto &[name, value] : names)
        sheet.replace(name, QLatin1String(value));
    return sheet;
}

}  // namespace

Theme::Theme(QObject *parent) : QObject(parent) {}

QString Theme::name(Choice choice)
{
    switch (choice) {
    case Choice::Light:
        return u"light"_s;
    case Choice::Dark:
        return u"dark"_s;
    case Choice::System:
        break;
    }
    return u"system"_s;
}

Theme::Choice Theme::fromName(const QString &name)
{
    if (name == u"light"_s) return Choice::Light;
    if (name == u"dark"_s) return Choice::Dark;
    return Choice::System;
}

bool Theme::dark() const
{
    return m_choice == Choice::Dark || (m_choice == Choice::System && m_systemDark);
}

void Theme::choose(Choice choice)
{
    m_choice = choice;
    if (choice == Choice::System && !m_asked) askPortal();
    apply();
}

void Theme::askPortal()
{
    m_asked = true;
    QDBusConnection bus = QDBusConnection::sessionBus();
    if (!bus.isConnected()) return;
    bus.connect(kService, kPath, kInterface, u"SettingChanged"_s, this,
                SLOT(portalChanged(QString, QString, QDBusVariant)));
    QDBusMessage call = QDBusMessage::createMethodCall(kService, kPath, kInterface, u"Read"_s);
    call << kGroup << kKey;
    auto *watcher = new QDBusPendingCallWatcher(bus.asyncCall(call, 2000), this);
    connect(watcher, &QDBusPendingCallWatcher::finished, this, [this, watcher] {
        const QDBusPendingReply<QDBusVariant> reply = *watcher;
        watcher->deleteLater();
        if (reply.isValid()) portalChanged(kGroup, kKey, reply.value());
    });
}

void Theme::portalChanged(const QString &group, const QString &key, const QDBusVariant &value)
{
    if (group != kGroup || key != kKey) return;
    QVariant inner = value.variant();
    while (inner.canConvert<QDBusVariant>())
        inner = inner.value<QDBusVariant>().variant();  // Read wraps twice
    m_systemDark = inner.toUInt() == 1;
    apply();
}

void Theme::apply()
{
    if (m_applied == int(dark())) return;
    const bool first = m_applied < 0;
    m_applied = int(dark());
    const Colours &colours = dark() ? kDark : kLight;
    if (first) QApplication::setStyle(QStyleFactory::create(u"Fusion"_s));
    QApplication::setPalette(paletteOf(colours));
    qApp->setStyleSheet(styleSheet(colours));
    Q_EMIT changed();
}

}  // namespace sg::ui
