#include "ui/widgets/switch_button.h"

#include <QPainter>

namespace sg::ui {
namespace {

constexpr int kWidth = 40;
constexpr int kHeight = 22;
constexpr int kGap = 10;

}  // namespace

SwitchButton::SwitchButton(const QString &text, QWidget *parent) : QAbstractButton(parent)
{
    setCheckable(true);
    setText(text);
    setAccessibleName(text);
    setFocusPolicy(Qt::StrongFocus);
    setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed);
}

QSize SwitchButton::sizeHint() const
{
    const QFontMetrics metrics = fontMetrics();
    return {kWidth + kGap + metrics.horizontalAdvance(text()) + 8, std::max(kHeight, metrics.height()) + 6};
}

void SwitchButton::paintEvent(QPaintEvent *)
{
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const QPalette &colours = palette();
    const QRectF track(3, (height() - kHeight) / 2.0, kWidth, kHeight);
    painter.setPen(Qt::NoPen);
    painter.setBrush(isChecked() ? colours.color(QPalette::Highlight) : colours.color(QPalette::Mid));
    painter.drawRoundedRect(track, kHeight / 2.0, kHeight / 2.0);
    const qreal knob = kHeight - 6;
    const qreal left =
        isChecked() != (layoutDirection() == Qt::RightToLeft) ? track.right() - knob - 3 : track.left() + 3;
    painter.setBrush(isChecked() ? colours.color(QPalette::HighlightedText) : colours.color(QPalette::Base));
    painter.drawEllipse(QRectF(left, track.top() + 3, knob, knob));
    if (hasFocus()) {
        painter.setPen(QPen(colours.color(QPalette::Link), 2));
        painter.setBrush(Qt::NoBrush);
        painter.drawRoundedRect(track.adjusted(-2, -2, 2, 2), kHeight / 2.0 + 2, kHeight / 2.0 + 2);
    }
    painter.setPen(colours.color(isEnabled() ? QPalette::Active : QPalette::Disabled, QPalette::WindowText));
    painter.drawText(rect().adjusted(kWidth + kGap, 0, 0, 0), Qt::AlignVCenter | Qt::AlignLeft, text());
}

}  // namespace sg::ui
