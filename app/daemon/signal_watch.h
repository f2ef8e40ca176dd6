#pragma once

#include <QObject>

namespace sg::daemon {

/// Turns SIGINT and SIGTERM into a Qt signal. One in a process.
/// Thread  main.
class SignalWatch final : public QObject {
    Q_OBJECT
public:
    explicit SignalWatch(QObject *parent = nullptr);
    ~SignalWatch() override;

Q_SIGNALS:
    void asked();

private:
    int m_pipe[2] = {-1, -1};
};

}  // namespace sg::daemon
