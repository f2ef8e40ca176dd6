#pragma once

#include <QWidget>

class QLabel;
class QPushButton;

namespace sg::ui {

/// What a page shows where there is nothing yet: an icon, a sentence, one action.
class EmptyState final : public QWidget {
    Q_OBJECT
public:
    explicit EmptyState(const QString &iconName, QWidget *parent = nullptr);

    void setText(const QString &title, const QString &sentence);
    /// Empty text: no button.
    void setAction(const QString &text);

Q_SIGNALS:
    void actionTriggered();

private:
    QLabel *m_title;
    QLabel *m_sentence;
    QPushButton *m_button;
};

}  // namespace sg::ui
