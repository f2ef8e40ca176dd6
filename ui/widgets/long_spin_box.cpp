#include "ui/widgets/long_spin_box.h"

#include <QLineEdit>

#include <algorithm>

namespace sg::ui {

LongSpinBox::LongSpinBox(QWidget *parent) : QAbstractSpinBox(parent)
{
    lineEdit()->setText(QString::number(m_value));
    connect(lineEdit(), &QLineEdit::textEdited, this, &LongSpinBox::readText);
    connect(this, &QAbstractSpinBox::editingFinished, this, [this] { setValue(m_value); });
}

void LongSpinBox::setRange(std::int64_t minimum, std::int64_t maximum)
{
    m_minimum = minimum;
    m_maximum = maximum;
    setValue(m_value);
}

void LongSpinBox::setValue(std::int64_t value)
{
    value = std::clamp(value, m_minimum, m_maximum);
    const bool changed = value != m_value;
    m_value = value;
    const QString text = QString::number(value);
    if (lineEdit()->text() != text) lineEdit()->setText(text);
    if (changed) Q_EMIT valueChanged(value);
}

void LongSpinBox::stepBy(int steps)
{
    setValue(m_value + steps);
    selectAll();
}

QValidator::State LongSpinBox::validate(QString &text, int &) const
{
    if (text.isEmpty() || text == QLatin1String("-")) return QValidator::Intermediate;
    bool ok = false;
    const qint64 value = text.toLongLong(&ok);
    return ok && value >= m_minimum && value <= m_maximum ? QValidator::Acceptable : QValidator::Invalid;
}

QSize LongSpinBox::sizeHint() const
{
    const QSize base = QAbstractSpinBox::sizeHint();
    return {fontMetrics().horizontalAdvance(QLatin1Char('0')) * 17 + 40, base.height()};
}

QAbstractSpinBox::StepEnabled LongSpinBox::stepEnabled() const
{
    StepEnabled steps = StepNone;
    if (m_value > m_minimum) steps |= StepDownEnabled;
    if (m_value < m_maximum) steps |= StepUpEnabled;
    return steps;
}

void LongSpinBox::readText()
{
    bool ok = false;
    const qint64 value = lineEdit()->text().toLongLong(&ok);
    if (!ok || value < m_minimum || value > m_maximum || value == m_value) return;
    m_value = value;
    Q_EMIT valueChanged(value);
}

}  // namespace sg::ui
