#include "ui/generate/param_binder.h"

#include "ui/generate/model_chooser.h"
#include "ui/generate/param_texts.h"
#include "ui/generate/picture_field.h"
#include "ui/generate/prompt_edit.h"
#include "ui/widgets/long_spin_box.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QEvent>
#include <QLineEdit>
#include <QSignalBlocker>
#include <QSpinBox>

#include <cmath>
#include <limits>

namespace sg::ui {
namespace {

using namespace Qt::Literals::StringLiterals;

/// Lets the wheel scroll the form instead of changing a value that nobody has clicked.
class WheelGuard final : public QObject {
public:
    using QObject::QObject;

protected:
    bool eventFilter(QObject *watched, QEvent *event) override
    {
        if (event->type() != QEvent::Wheel || static_cast<QWidget *>(watched)->hasFocus()) return false;
        event->ignore();
        return true;
    }
};

/// Calls `refresh` now and whenever `key` changes in the model.
template <class Refresh>
void follow(ParamModel *model, QWidget *editor, const std::string &key, Refresh refresh)
{
    QObject::connect(model, &ParamModel::changed, editor,
                     [key = QString::fromStdString(key), refresh](const QString &changed) {
                         if (changed == key) refresh();
                     });
    refresh();
}

int decimalsOf(double step)
{
    for (int decimals = 0; decimals < 6; ++decimals) {
        const double scaled = step * std::pow(10, decimals);
        if (std::abs(scaled - std::round(scaled)) < 1e-9) return decimals;
    }
    return 6;
}

}  // namespace

QWidget *ParamBinder::makeEditor(const ParamSpec &spec, QWidget *parent) const
{
    QWidget *editor = nullptr;
    switch (spec.type) {
    case ParamType::Flag:
        editor = makeFlag(spec, parent);
        break;
    case ParamType::Integer:
        if (!spec.choices.empty())
            editor = makeNamed(spec, parent);
        else
            editor =
                spec.maximum > std::numeric_limits<int>::max() ? makeLong(spec, parent) : makeInteger(spec, parent);
        break;
    case ParamType::Number:
        editor = makeNumber(spec, parent);
        break;
    case ParamType::Text:
        editor = spec.group == ParamGroup::Prompt ? makePrompt(spec, parent) : makeText(spec, parent);
        break;
    case ParamType::Choice:
        editor = makeChoice(spec, parent);
        break;
    case ParamType::Picture:
    case ParamType::Pictures:
        editor = new PictureField(*m_model, spec, parent);
        break;
    }
    editor->setObjectName(QString::fromStdString(spec.key));
    editor->setAccessibleName(labelOf(spec));
    editor->setAccessibleDescription(helpOf(spec));
    editor->setToolTip(helpOf(spec));
    editor->setFocusPolicy(Qt::StrongFocus);
    if (spec.group != ParamGroup::Prompt) editor->installEventFilter(new WheelGuard(editor));
    return editor;
}

QWidget *ParamBinder::makeFlag(const ParamSpec &spec, QWidget *parent) const
{
    auto *box = new QCheckBox(labelOf(spec), parent);
    QObject::connect(box, &QCheckBox::toggled, m_model,
                     [model = m_model, key = spec.key](bool on) { model->set(key, on); });
    follow(m_model, box, spec.key, [model = m_model, box, key = spec.key] {
        const QSignalBlocker quiet(box);
        box->setChecked(model->get<bool>(key));
    });
    return box;
}

QWidget *ParamBinder::makeInteger(const ParamSpec &spec, QWidget *parent) const
{
    auto *box = new QSpinBox(parent);
    box->setRange(static_cast<int>(spec.minimum), static_cast<int>(spec.maximum));
    box->setSingleStep(static_cast<int>(spec.step));
    box->setSuffix(unitOf(spec));
    box->setAccelerated(true);
    const int multiple = static_cast<int>(spec.multipleOf);
    QObject::connect(box, &QSpinBox::valueChanged, m_model,
                     [model = m_model, key = spec.key](int value) { model->set(key, std::int64_t{value}); });
    QObject::connect(box, &QSpinBox::editingFinished, box, [box, multiple] {
        if (multiple > 1) box->setValue((box->value() + multiple / 2) / multiple * multiple);
    });
    follow(m_model, box, spec.key, [model = m_model, box, key = spec.key] {
        const QSignalBlocker quiet(box);
        box->setValue(static_cast<int>(model->get<std::int64_t>(key)));
    });
    return box;
}

/// Numbers that have names are chosen by name.
QWidget *ParamBinder::makeNamed(const ParamSpec &spec, QWidget *parent) const
{
    auto *box = new QComboBox(parent);
    box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    box->setMinimumContentsLength(8);
    for (const std::string &choice : spec.choices)
        box->addItem(choiceText(choice));
    const auto first = static_cast<std::int64_t>(spec.minimum);
    QObject::connect(box, &QComboBox::currentIndexChanged, m_model,
                     [model = m_model, key = spec.key, first](int index) { model->set(key, first + index); });
    follow(m_model, box, spec.key, [model = m_model, box, key = spec.key, first] {
        const QSignalBlocker quiet(box);
        box->setCurrentIndex(static_cast<int>(model->get<std::int64_t>(key) - first));
    });
    return box;
}

QWidget *ParamBinder::makeLong(const ParamSpec &spec, QWidget *parent) const
{
    auto *box = new LongSpinBox(parent);
    box->setRange(static_cast<std::int64_t>(spec.minimum), static_cast<std::int64_t>(spec.maximum));
    QObject::connect(box, &LongSpinBox::valueChanged, m_model,
                     [model = m_model, key = spec.key](qint64 value) { model->set(key, std::int64_t{value}); });
    follow(m_model, box, spec.key, [model = m_model, box, key = spec.key] {
        const QSignalBlocker quiet(box);
        box->setValue(model->get<std::int64_t>(key));
    });
    return box;
}

QWidget *ParamBinder::makeNumber(const ParamSpec &spec, QWidget *parent) const
{
    auto *box = new QDoubleSpinBox(parent);
    box->setDecimals(std::max(decimalsOf(spec.step), 1));
    box->setRange(spec.minimum, spec.maximum);
    box->setSingleStep(spec.step);
    box->setSuffix(unitOf(spec));
    QObject::connect(box, &QDoubleSpinBox::valueChanged, m_model,
                     [model = m_model, key = spec.key](double value) { model->set(key, value); });
    follow(m_model, box, spec.key, [model = m_model, box, key = spec.key] {
        const QSignalBlocker quiet(box);
        box->setValue(model->get<double>(key));
    });
    return box;
}

QWidget *ParamBinder::makeText(const ParamSpec &spec, QWidget *parent) const
{
    auto *edit = new QLineEdit(parent);
    QObject::connect(edit, &QLineEdit::textEdited, m_model,
                     [model = m_model, key = spec.key](const QString &text) { model->set(key, text.toStdString()); });
    follow(m_model, edit, spec.key, [model = m_model, edit, key = spec.key] {
        const QString text = QString::fromStdString(model->get<std::string>(key));
        if (edit->text() != text) edit->setText(text);
    });
    return edit;
}

QWidget *ParamBinder::makePrompt(const ParamSpec &spec, QWidget *parent) const
{
    auto *edit = new PromptEdit(parent);
    QObject::connect(edit, &QPlainTextEdit::textChanged, m_model,
                     [model = m_model, edit, key = spec.key] { model->set(key, edit->toPlainText().toStdString()); });
    follow(m_model, edit, spec.key, [model = m_model, edit, key = spec.key] {
        edit->replaceText(QString::fromStdString(model->get<std::string>(key)));
    });
    edit->document()->clearUndoRedoStacks();
    return edit;
}

QWidget *ParamBinder::makeChoice(const ParamSpec &spec, QWidget *parent) const
{
    if (spec.choices.empty()) return new ModelChooser(*m_model, spec.key, parent);
    auto *box = new QComboBox(parent);
    box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    box->setMinimumContentsLength(8);
    for (const std::string &choice : spec.choices)
        box->addItem(choiceText(choice), QString::fromStdString(choice));
    QObject::connect(box, &QComboBox::currentIndexChanged, m_model, [model = m_model, box, key = spec.key](int index) {
        model->set(key, box->itemData(index).toString().toStdString());
    });
    follow(m_model, box, spec.key, [model = m_model, box, key = spec.key] {
        const QSignalBlocker quiet(box);
        box->setCurrentIndex(box->findData(QString::fromStdString(model->get<std::string>(key))));
    });
    return box;
}

}  // namespace sg::ui
