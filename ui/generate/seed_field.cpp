#include "ui/generate/seed_field.h"

#include "ui/generate/param_model.h"
#include "ui/widgets/icons.h"

#include <QHBoxLayout>
#include <QRandomGenerator>
#include <QSignalBlocker>
#include <QToolButton>

namespace sg::ui {
namespace {

using namespace Qt::Literals::StringLiterals;

std::int64_t randomSeed()
{
    return std::int64_t{QRandomGenerator::system()->generate()};
}

QToolButton *toolButton(const QString &iconName, const QString &name, const QString &help, QWidget *parent)
{
    auto *button = new QToolButton(parent);
    button->setIcon(icon(iconName));
    button->setProperty("role", u"tool"_s);
    button->setAccessibleName(name);
    button->setToolTip(help);
    button->setFocusPolicy(Qt::StrongFocus);
    return button;
}

}  // namespace

SeedField::SeedField(ParamModel &model, QWidget *editor, QWidget *parent)
    : QWidget(parent), m_model(model), m_lock(toolButton(u"unlock"_s, tr("Keep the seed"), {}, this)),
      m_dice(toolButton(u"dice"_s, tr("Another seed"), tr("Takes another random seed and keeps it."), this)),
      m_reuse(toolButton(u"reuse"_s, tr("Seed of the picture shown"), tr("Takes the seed of the picture shown."), this))
{
    auto *row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(4);
    editor->setParent(this);
    row->addWidget(editor, 1);
    row->addWidget(m_lock);
    row->addWidget(m_dice);
    row->addWidget(m_reuse);
    setTabOrder(editor, m_lock);
    setTabOrder(m_lock, m_dice);
    setTabOrder(m_dice, m_reuse);
    m_lock->setCheckable(true);
    connect(m_lock, &QToolButton::toggled, this, [this](bool locked) {
        if (!locked)
            m_model.set("seed", std::int64_t{-1});
        else if (m_model.get<std::int64_t>("seed") < 0)
            m_model.set("seed", m_last.value_or(randomSeed()));
    });
    connect(m_dice, &QToolButton::clicked, this, [this] { m_model.set("seed", randomSeed()); });
    connect(m_reuse, &QToolButton::clicked, this, [this] {
        if (m_last) m_model.set("seed", *m_last);
    });
    connect(&m_model, &ParamModel::changed, this, [this](const QString &key) {
        if (key == u"seed"_s) refresh();
    });
    setLastSeed({});
    refresh();
}

void SeedField::setLastSeed(std::optional<std::int64_t> seed)
{
    m_last = seed;
    m_reuse->setEnabled(seed.has_value());
}

void SeedField::refresh()
{
    const QSignalBlocker quiet(m_lock);
    const bool locked = m_model.get<std::int64_t>("seed") >= 0;
    m_lock->setChecked(locked);
    m_lock->setIcon(icon(locked ? u"lock"_s : u"unlock"_s));
    m_lock->setToolTip(locked ? tr("The seed is kept. Open the lock for a new one with each picture.")
                              : tr("Each picture takes a new seed. Close the lock to keep one."));
}

}  // namespace sg::ui
