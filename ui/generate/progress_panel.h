#pragma once

#include "ui/client/api_types.h"

#include <QWidget>

class QLabel;
class QProgressBar;
class QPushButton;

namespace sg::ui {

/// Generate and Interrupt, and what runs: bar, step, rate, time left, how many wait.
class ProgressPanel final : public QWidget {
    Q_OBJECT
public:
    explicit ProgressPanel(QWidget *parent = nullptr);

    void setPending(int pending);
    void setProgress(const TaskProgressInfo &progress);
    /// Empty: Generate works. Else it is off, and this is why.
    void setObstacle(const QString &reason);

    QPushButton *generateButton() const { return m_generate; }
    QPushButton *interruptButton() const { return m_interrupt; }

Q_SIGNALS:
    void generateRequested();
    void interruptRequested();
    void interruptAllRequested();

private:
    QPushButton *m_generate;
    QPushButton *m_interrupt;
    QPushButton *m_interruptAll;
    QProgressBar *m_bar;
    QLabel *m_text;
    QString m_obstacle;
    int m_pending = 0;
};

}  // namespace sg::ui
