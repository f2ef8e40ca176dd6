#pragma once

#include <QObject>
#include <QString>

class QDBusVariant;

namespace sg::ui {

/// Light and dark: Fusion with one of two palettes and a small style sheet. "System" follows the desktop portal's
/// colour scheme (org.freedesktop.appearance), and is light where no portal answers. Thread  main.
class Theme final : public QObject {
    Q_OBJECT
public:
    enum class Choice { System, Light, Dark };
    Q_ENUM(Choice)

    explicit Theme(QObject *parent = nullptr);

    void choose(Choice choice);
    Choice choice() const { return m_choice; }
    bool dark() const;

    static QString name(Choice choice);
    static Choice fromName(const QString &name);

Q_SIGNALS:
    void changed();

private Q_SLOTS:
    void portalChanged(const QString &group, const QString &key, const QDBusVariant &value);

private:
    void askPortal();
    void apply();

    Choice m_choice = Choice::System;
    bool m_systemDark = false;
    bool m_asked = false;
    int m_applied = -1;
};

}  // namespace sg::ui
