#include "ui/widgets/message_bar.h"

#include "ui/widgets/icons.h"

#include <QAccessible>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QStyle>
#include <QToolButton>

#include <utility>

namespace sg::ui {

using namespace Qt::Literals::StringLiterals;

MessageBar::MessageBar(QWidget *parent)
    : QFrame(parent), m_icon(new QLabel(this)), m_text(new QLabel(this)), m_action(new QPushButton(this)),
      m_close(new QToolButton(this))
{
    setObjectName(u"messageBar"_s);
    auto *row = new QHBoxLayout(this);
    row->setContentsMargins(10, 6, 6, 6);
    row->addWidget(m_icon);
    row->addWidget(m_text, 1);
    row->addWidget(m_action);
    row->addWidget(m_close);
    m_text->setWordWrap(true);
    m_text->setTextFormat(Qt::PlainText);
    m_text->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_text->setObjectName(u"messageText"_s);
    m_action->setProperty("role", u"link"_s);
    m_close->setIcon(icon(u"close"_s));
    m_close->setProperty("role", u"tool"_s);
    m_close->setAccessibleName(tr("Close message"));
    m_close->setToolTip(tr("Close message"));
    connect(m_close, &QToolButton::clicked, this, &QWidget::hide);
    connect(m_action, &QPushButton::clicked, this, [this] {
        if (m_run) m_run();
    });
    hide();
}

QString MessageBar::text() const
{
    return isHidden() ? QString() : m_text->text();
}

void MessageBar::showError(const QString &text)
{
    display(text, true);
}

void MessageBar::showInfo(const QString &text)
{
    display(text, false);
}

void MessageBar::setAction(const QString &text, std::function<void()> action)
{
    m_action->setText(text);
    m_action->setAccessibleName(text);
    m_run = std::move(action);
    m_action->show();
}

void MessageBar::display(const QString &text, bool error)
{
    m_action->hide();
    m_run = nullptr;
    m_text->setText(text);
    setAccessibleName(text);
    m_icon->setPixmap(icon(error ? u"warning"_s : u"info"_s).pixmap(18, 18));
    setProperty("kind", error ? u"error"_s : u"info"_s);
    style()->unpolish(this);
    style()->polish(this);
    show();
    QAccessibleEvent alert(this, QAccessible::Alert);
    QAccessible::updateAccessibility(&alert);
}

}  // namespace sg::ui
