#include "ui/models/choices_menu.h"

#include <QActionGroup>

namespace sg::ui {

using namespace Qt::Literals::StringLiterals;

ChoicesMenu::ChoicesMenu(QWidget *parent) : QMenu(parent) {}

void ChoicesMenu::show(const ModelInfo &model)
{
    clear();
    qDeleteAll(findChildren<QMenu *>(Qt::FindDirectChildrenOnly));  // clear() leaves the submenus
    m_model = model.name;
    m_choices = model.choices;
    const Entry automatic{tr("As the file says"), nullptr};
    addGroup(tr("Family"), "family",
             {automatic,
              {u"Stable Diffusion 1"_s, "sd1"},
              {u"Stable Diffusion 2"_s, "sd2"},
              {u"SDXL"_s, "sdxl"},
              {tr("SDXL refiner"), "sdxl-refiner"}});
    addGroup(tr("Prediction"), "prediction",
             {automatic, {tr("Noise (epsilon)"), "epsilon"}, {tr("Velocity (v)"), "v"}});
    addGroup(tr("Zero terminal SNR"), "zeroTerminalSnr", {automatic, {tr("On"), true}, {tr("Off"), false}});
    addGroup(tr("Weights"), "ema", {automatic, {tr("EMA weights, where the file has them"), true}});
}

void ChoicesMenu::addGroup(const QString &title, const char *key, const std::vector<Entry> &entries)
{
    QMenu *menu = addMenu(title);
    auto *group = new QActionGroup(menu);
    const auto held = m_choices.find(key);
    const Json now = held == m_choices.end() ? Json(nullptr) : *held;
    for (const Entry &entry : entries) {
        QAction *action = menu->addAction(entry.text);
        action->setCheckable(true);
        action->setChecked(entry.value == now);
        group->addAction(action);
        connect(action, &QAction::triggered, this, [this, key, value = entry.value] {
            if (value.is_null())
                m_choices.erase(key);
            else
                m_choices[key] = value;
            Q_EMIT chosen(m_model, m_choices);
        });
    }
}

}  // namespace sg::ui
