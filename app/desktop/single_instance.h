#pragma once

#include <QLocalServer>
#include <QObject>
#include <QString>

namespace sg::desktop {

/// One window per data folder: a second start tells the first to come to the front. That only one process uses the
/// folder is guarded by the services' lock; this is the way to reach it.
class SingleInstance final : public QObject {
    Q_OBJECT
public:
    explicit SingleInstance(const QString &dataDir, QObject *parent = nullptr);

    /// True when another process has the window of this folder and was told to show it.
    bool raiseOther() const;
    /// From now on this process is the one.
    void listen();

Q_SIGNALS:
    void raiseRequested();

private:
    QString m_name;
    QLocalServer m_server;
};

}  // namespace sg::desktop
