#include "ui/widgets/empty_state.h"

#include "ui/widgets/icons.h"

#include <QEvent>
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>

namespace sg::ui {
namespace {

using namespace Qt::Literals::StringLiterals;

/// Draws the icon afresh, so that it follows the theme.
class IconLabel final : public QLabel {
public:
    IconLabel(const QString &name, QWidget *parent) : QLabel(parent), m_name(name) { refresh(); }

protected:
    void changeEvent(QEvent *event) override
    {
        if (event->type() == QEvent::PaletteChange) refresh();
        QLabel::changeEvent(event);
    }

private:
    void refresh() { setPixmap(icon(m_name).pixmap(QSize(48, 48), QIcon::Disabled)); }
    QString m_name;
};

}  // namespace

EmptyState::EmptyState(const QString &iconName, QWidget *parent)
    : QWidget(parent), m_title(new QLabel(this)), m_sentence(new QLabel(this)), m_button(new QPushButton(this))
{
    auto *column = new QVBoxLayout(this);
    column->addStretch(1);
    auto *picture = new IconLabel(iconName, this);
    picture->setAlignment(Qt::AlignCenter);
    column->addWidget(picture);
    m_title->setAlignment(Qt::AlignCenter);
    m_title->setProperty("role", u"title"_s);
    m_title->setWordWrap(true);
    column->addWidget(m_title);
    m_sentence->setAlignment(Qt::AlignCenter);
    m_sentence->setProperty("role", u"muted"_s);
    m_sentence->setWordWrap(true);
    column->addWidget(m_sentence);
    column->addSpacing(8);
    column->addWidget(m_button, 0, Qt::AlignHCenter);
    column->addStretch(1);
    m_button->hide();
    connect(m_button, &QPushButton::clicked, this, &EmptyState::actionTriggered);
}

void EmptyState::setText(const QString &title, const QString &sentence)
{
    m_title->setText(title);
    m_sentence->setText(sentence);
}

void EmptyState::setAction(const QString &text)
{
    m_button->setText(text);
    m_button->setAccessibleName(text);
    m_button->setVisible(!text.isEmpty());
}

}  // namespace sg::ui
