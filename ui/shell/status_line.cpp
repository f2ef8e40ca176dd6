#include "ui/shell/status_line.h"

#include "ui/widgets/format.h"

#include <QLabel>

namespace sg::ui {

using namespace Qt::Literals::StringLiterals;

StatusLine::StatusLine(QWidget *parent)
    : QStatusBar(parent), m_model(add(tr("Model"), 0)), m_engine(add(tr("Engine"), 0)), m_rate(add(tr("Rate"), 0)),
      m_queue(add(tr("Queue"), 0)), m_server(add(tr("Server"), 0))
{
    setSizeGripEnabled(false);
    setModel({});
    setEngine(false, false, {});
    setPending(0);
    setServer(false, {});
}

QLabel *StatusLine::add(const QString &name, int stretch)
{
    auto *label = new QLabel(this);
    label->setContentsMargins(8, 0, 8, 0);
    label->setToolTip(name);
    label->setTextFormat(Qt::PlainText);
    addPermanentWidget(label, stretch);
    return label;
}

void StatusLine::setModel(const QString &name)
{
    m_model->setText(name.isEmpty() ? tr("no model") : fontMetrics().elidedText(name, Qt::ElideMiddle, 260));
    m_model->setAccessibleName(tr("Model: %1").arg(m_model->text()));
}

void StatusLine::setEngine(bool reachable, bool ready, const QString &reason)
{
    const QString text = !reachable ? tr("no connection") : ready ? tr("engine ready") : tr("engine starting");
    m_engine->setText((ready && reachable ? u"● "_s : u"○ "_s) + text);
    m_engine->setToolTip(reason.isEmpty() ? tr("Engine") : reason);
}

void StatusLine::setRate(double stepsPerSecond)
{
    m_rate->setText(rateText(stepsPerSecond));
    m_rate->setVisible(stepsPerSecond > 0);
}

void StatusLine::setPending(int pending)
{
    m_queue->setText(pending == 0 ? tr("nothing queued") : tr("%n queued", nullptr, pending));
    if (pending == 0) setRate(0);
}

void StatusLine::setServer(bool listening, const QString &url)
{
    m_server->setText(listening ? u"● "_s + tr("server on") : u"○ "_s + tr("server off"));
    m_server->setToolTip(listening ? url : tr("Other programs cannot connect."));
}

void StatusLine::say(const QString &message)
{
    showMessage(message, 5000);
}

}  // namespace sg::ui
