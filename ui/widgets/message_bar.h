#pragma once

#include <QFrame>

#include <functional>

class QLabel;
class QPushButton;
class QToolButton;

namespace sg::ui {

/// One line above a page's contents that says what went wrong (or what happened), with one action and a close button.
/// Never a dialog: the user goes on working.
class MessageBar final : public QFrame {
    Q_OBJECT
public:
    explicit MessageBar(QWidget *parent = nullptr);

    void showError(const QString &text);
    void showInfo(const QString &text);
    /// A button at the message; gone with the next message.
    void setAction(const QString &text, std::function<void()> action);
    QString text() const;

private:
    void display(const QString &text, bool error);

    QLabel *m_icon;
    QLabel *m_text;
    QPushButton *m_action;
    QToolButton *m_close;
    std::function<void()> m_run;
};

}  // namespace sg::ui
