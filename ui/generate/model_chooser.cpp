#include "ui/generate/model_chooser.h"

#include <QCompleter>
#include <QLineEdit>
#include <QSignalBlocker>

#include <algorithm>
#include <utility>

namespace sg::ui {

using namespace Qt::Literals::StringLiterals;

ModelChooser::ModelChooser(ParamModel &model, std::string key, QWidget *parent)
    : QComboBox(parent), m_model(model), m_key(std::move(key))
{
    setEditable(true);
    setInsertPolicy(NoInsert);
    setSizeAdjustPolicy(AdjustToMinimumContentsLengthWithIcon);
    setMinimumContentsLength(12);
    setMaxVisibleItems(16);
    completer()->setFilterMode(Qt::MatchContains);
    completer()->setCompletionMode(QCompleter::PopupCompletion);
    lineEdit()->setPlaceholderText(tr("No model yet"));
    connect(this, &QComboBox::activated, this,
            [this](int index) { choose(itemData(index).toString(), ParamModel::By::User); });
    connect(&m_model, &ParamModel::changed, this, [this](const QString &changed) {
        if (changed == QString::fromStdString(m_key)) refresh();
    });
}

void ModelChooser::setModels(const std::vector<ModelInfo> &models)
{
    std::vector<ModelInfo> usable;
    for (const ModelInfo &model : models)
        if (model.isCheckpoint() && model.usable()) usable.push_back(model);
    std::sort(usable.begin(), usable.end(), [](const ModelInfo &a, const ModelInfo &b) { return a.name < b.name; });
    const auto sameNames = [](const ModelInfo &a, const ModelInfo &b) { return a.name == b.name; };
    const bool same = std::equal(usable.begin(), usable.end(), m_models.begin(), m_models.end(), sameNames);
    m_models = std::move(usable);
    if (!same) {
        const QSignalBlocker quiet(this);
        clear();
        for (const ModelInfo &model : m_models)
            addItem(model.name, model.name);
    }
    const QString chosen = QString::fromStdString(m_model.get<std::string>(m_key));
    if (findData(chosen) < 0 && !m_models.empty() && !m_model.touched(m_key)) {
        const auto starter = std::find_if(m_models.begin(), m_models.end(), [](const ModelInfo &model) {
            return model.name.section(u'/', -1) == u"starter"_s;
        });
        choose(starter == m_models.end() ? m_models.front().name : starter->name, ParamModel::By::Program);
    } else if (!same) {
        takeNativeSize(chosen);
    }
    refresh();
}

void ModelChooser::choose(const QString &name, ParamModel::By by)
{
    if (name.isEmpty()) return;
    m_model.set(m_key, name.toStdString(), by);
    takeNativeSize(name);
}

void ModelChooser::takeNativeSize(const QString &name)
{
    const auto it =
        std::find_if(m_models.begin(), m_models.end(), [&](const ModelInfo &model) { return model.name == name; });
    if (it == m_models.end() || it->width <= 0 || it->height <= 0) return;
    if (m_model.touched("width") || m_model.touched("height")) return;
    m_model.set("width", std::int64_t{it->width}, ParamModel::By::Program);
    m_model.set("height", std::int64_t{it->height}, ParamModel::By::Program);
}

QString ModelChooser::missing() const
{
    const QString chosen = QString::fromStdString(m_model.get<std::string>(m_key));
    return m_models.empty() || chosen.isEmpty() || findData(chosen) >= 0 ? QString() : chosen;
}

void ModelChooser::refresh()
{
    const QSignalBlocker quiet(this);
    const QString chosen = QString::fromStdString(m_model.get<std::string>(m_key));
    setCurrentIndex(findData(chosen));
    const QString gone = missing();
    if (currentIndex() < 0) setEditText(gone.isEmpty() ? chosen : tr("%1 (missing)").arg(gone));
    lineEdit()->setToolTip(gone.isEmpty()
                               ? QString()
                               : tr("%1 is not in the model folders now. It is used again when it is back.").arg(gone));
}

void ModelChooser::focusOutEvent(QFocusEvent *event)
{
    QComboBox::focusOutEvent(event);
    if (const int typed = findText(currentText(), Qt::MatchFixedString); typed >= 0)
        choose(itemData(typed).toString(), ParamModel::By::User);
    refresh();
}

}  // namespace sg::ui
