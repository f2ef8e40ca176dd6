#include "ui/shell/nav_rail.h"

#include "ui/widgets/icons.h"

#include <QToolButton>
#include <QVBoxLayout>

namespace sg::ui {

using namespace Qt::Literals::StringLiterals;

NavRail::NavRail(QWidget *parent) : QWidget(parent), m_column(new QVBoxLayout(this))
{
    setObjectName(u"rail"_s);
    setAttribute(Qt::WA_StyledBackground);
    setAccessibleName(tr("Pages"));
    m_column->setContentsMargins(6, 10, 6, 10);
    m_column->setSpacing(4);
    m_column->addStretch(1);
}

void NavRail::addPage(const QString &iconName, const QString &name, const QString &keys)
{
    auto *button = new QToolButton(this);
    button->setIcon(icon(iconName));
    button->setIconSize({24, 24});
    button->setText(name);
    button->setToolButtonStyle(Qt::ToolButtonTextUnderIcon);
    button->setCheckable(true);
    button->setFocusPolicy(Qt::StrongFocus);
    button->setAccessibleName(name);
    button->setToolTip(u"%1 (%2)"_s.arg(name, keys));
    button->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    button->setMinimumWidth(72);
    const int page = static_cast<int>(m_buttons.size());
    m_buttons.append(button);
    connect(button, &QToolButton::clicked, this, [this, page] { Q_EMIT chosen(page); });
    m_column->insertWidget(page, button);
}

void NavRail::setCurrent(int page)
{
    for (int i = 0; i < m_buttons.size(); ++i)
        m_buttons[i]->setChecked(i == page);
}

}  // namespace sg::ui
