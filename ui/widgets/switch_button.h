#pragma once

#include <QAbstractButton>

namespace sg::ui {

/// An on/off switch: a check box drawn as a slider, with a visible focus and its text beside it.
class SwitchButton final : public QAbstractButton {
    Q_OBJECT
public:
    explicit SwitchButton(const QString &text, QWidget *parent = nullptr);
    QSize sizeHint() const override;

protected:
    void paintEvent(QPaintEvent *event) override;
};

}  // namespace sg::ui
