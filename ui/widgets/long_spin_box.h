#pragma once

#include <QAbstractSpinBox>

#include <cstdint>

namespace sg::ui {

/// A spin box for 64-bit whole numbers (seeds), as QSpinBox ends at 2^31.
class LongSpinBox final : public QAbstractSpinBox {
    Q_OBJECT
public:
    explicit LongSpinBox(QWidget *parent = nullptr);

    void setRange(std::int64_t minimum, std::int64_t maximum);
    std::int64_t value() const { return m_value; }
    void setValue(std::int64_t value);

    void stepBy(int steps) override;
    QValidator::State validate(QString &text, int &position) const override;
    QSize sizeHint() const override;

Q_SIGNALS:
    void valueChanged(qint64 value);

protected:
    StepEnabled stepEnabled() const override;

private:
    void readText();

    std::int64_t m_minimum = 0;
    std::int64_t m_maximum = 99;
    std::int64_t m_value = 0;
};

}  // namespace sg::ui
