#pragma once

#include <QStatusBar>

class QLabel;

namespace sg::ui {

/// The window's bottom line: model, engine, rate, queue, server.
class StatusLine final : public QStatusBar {
    Q_OBJECT
public:
    explicit StatusLine(QWidget *parent = nullptr);

    void setModel(const QString &name);
    void setEngine(bool reachable, bool ready, const QString &reason);
    void setRate(double stepsPerSecond);
    void setPending(int pending);
    void setServer(bool listening, const QString &url);
    /// For a few seconds, in the middle.
    void say(const QString &message);

private:
    QLabel *add(const QString &name, int stretch);

    QLabel *m_model;
    QLabel *m_engine;
    QLabel *m_rate;
    QLabel *m_queue;
    QLabel *m_server;
};

}  // namespace sg::ui
