#pragma once

#include <QList>
#include <QWidget>

class QToolButton;
class QVBoxLayout;

namespace sg::ui {

/// The column of pages at the window's left edge: icons with their names.
class NavRail final : public QWidget {
    Q_OBJECT
public:
    explicit NavRail(QWidget *parent = nullptr);

    void addPage(const QString &iconName, const QString &name, const QString &keys);
    void setCurrent(int page);

Q_SIGNALS:
    void chosen(int page);

private:
    QVBoxLayout *m_column;
    QList<QToolButton *> m_buttons;  ///< no QButtonGroup: it takes all but one button out of the Tab order
};

}  // namespace sg::ui
