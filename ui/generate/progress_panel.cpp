#include "ui/generate/progress_panel.h"

#include "ui/widgets/format.h"
#include "ui/widgets/icons.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QVBoxLayout>

namespace sg::ui {

using namespace Qt::Literals::StringLiterals;

ProgressPanel::ProgressPanel(QWidget *parent)
    : QWidget(parent), m_generate(new QPushButton(tr("Generate"), this)),
      m_interrupt(new QPushButton(tr("Interrupt"), this)), m_interruptAll(new QPushButton(tr("All"), this)),
      m_bar(new QProgressBar(this)), m_text(new QLabel(this))
{
    auto *column = new QVBoxLayout(this);
    column->setContentsMargins(2, 8, 8, 2);
    column->setSpacing(6);
    auto *row = new QHBoxLayout;
    row->setSpacing(6);
    row->addWidget(m_generate, 1);
    row->addWidget(m_interrupt);
    row->addWidget(m_interruptAll);
    column->addLayout(row);
    column->addWidget(m_bar);
    column->addWidget(m_text);
    m_generate->setProperty("role", u"primary"_s);
    m_generate->setObjectName(u"generate"_s);
    m_generate->setMinimumHeight(36);
    m_generate->setAccessibleName(tr("Generate"));
    m_generate->setToolTip(tr("Draws the picture (Ctrl+Enter). While one is drawn, the next one waits in line."));
    m_interrupt->setObjectName(u"interrupt"_s);
    m_interrupt->setMinimumHeight(36);
    m_interrupt->setIcon(icon(u"stop"_s));
    m_interrupt->setAccessibleName(tr("Interrupt"));
    m_interrupt->setToolTip(tr("Ends the picture that is drawn now (Esc)."));
    m_interruptAll->setMinimumHeight(36);
    m_interruptAll->setAccessibleName(tr("Interrupt all"));
    m_interruptAll->setToolTip(tr("Ends the picture that is drawn now and those that wait (Shift+Esc)."));
    m_bar->setTextVisible(false);
    // Without a task it would look like a scroll bar; its place stays, so that nothing jumps.
    QSizePolicy keepsItsPlace = m_bar->sizePolicy();
    keepsItsPlace.setRetainSizeWhenHidden(true);
    m_bar->setSizePolicy(keepsItsPlace);
    m_bar->setRange(0, 1000);
    m_bar->setAccessibleName(tr("Progress"));
    m_text->setProperty("role", u"muted"_s);
    m_text->setObjectName(u"progressText"_s);
    connect(m_generate, &QPushButton::clicked, this, &ProgressPanel::generateRequested);
    connect(m_interrupt, &QPushButton::clicked, this, &ProgressPanel::interruptRequested);
    connect(m_interruptAll, &QPushButton::clicked, this, &ProgressPanel::interruptAllRequested);
    setPending(0);
}

void ProgressPanel::setObstacle(const QString &reason)
{
    m_obstacle = reason;
    m_generate->setEnabled(reason.isEmpty());
    if (m_pending == 0) m_text->setText(reason);
}

void ProgressPanel::setPending(int pending)
{
    m_pending = pending;
    m_interrupt->setEnabled(pending > 0);
    m_interruptAll->setVisible(pending > 1);
    m_bar->setVisible(pending > 0);
    m_generate->setText(pending > 1 ? tr("Generate (%n waiting)", nullptr, pending - 1) : tr("Generate"));
    if (pending > 0) return;
    m_bar->setRange(0, 1000);
    m_bar->setValue(0);
    m_text->setText(m_obstacle);
}

void ProgressPanel::setProgress(const TaskProgressInfo &progress)
{
    if (progress.loading) {
        const int percent = static_cast<int>(*progress.loading * 100);
        m_bar->setValue(0);
        return m_text->setText(percent < 100 ? tr("Loading the model: %1 %").arg(percent) : tr("Making the networks…"));
    }
    if (progress.status == u"waiting"_s || progress.steps == 0) {
        m_text->setText(progress.position > 0 ? tr("Waiting: %n before it", nullptr, progress.position)
                                              : tr("Starting…"));
        return;
    }
    m_bar->setValue(qRound(progress.fraction * 1000));
    QStringList parts{tr("Step %1 of %2").arg(progress.step).arg(progress.steps)};
    if (progress.rate > 0) parts.append(rateText(progress.rate));
    if (progress.etaSeconds >= 0.5) parts.append(tr("%1 left").arg(durationText(progress.etaSeconds)));
    m_text->setText(parts.join(u"  ·  "_s));
}

}  // namespace sg::ui
