#include "ui/log/log_page.h"

#include "ui/client/api_client.h"
#include "ui/client/background.h"
#include "ui/client/error_text.h"
#include "ui/log/log_filter.h"
#include "ui/log/log_model.h"
#include "ui/widgets/icons.h"
#include "ui/widgets/list_tools.h"
#include "ui/widgets/message_bar.h"

#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QDir>
#include <QFileDialog>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QPushButton>
#include <QSaveFile>
#include <QTableView>
#include <QVBoxLayout>

#include <chrono>
#include <utility>

namespace sg::ui {

using namespace Qt::Literals::StringLiterals;
using namespace std::chrono_literals;

LogPage::LogPage(ApiClient &client, QWidget *parent)
    : QWidget(parent), m_client(client), m_model(new LogModel(this)), m_filter(new LogFilter(this)),
      m_messages(new MessageBar(this)), m_table(new QTableView(this))
{
    m_filter->setSourceModel(m_model);
    auto *column = new QVBoxLayout(this);
    column->setContentsMargins(12, 12, 12, 12);
    column->setSpacing(8);
    column->addWidget(m_messages);
    column->addWidget(makeTools());
    makeTable();
    column->addWidget(m_table, 1);
    m_filter->setLeast(m_level->currentData().toInt());
    m_timer.setInterval(700ms);
    connect(&m_timer, &QTimer::timeout, this, &LogPage::ask);
}

QWidget *LogPage::makeTools()
{
    auto *bar = new QWidget(this);
    auto *row = new QHBoxLayout(bar);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(6);
    m_search = makeSearchField(tr("Filter lines"), tr("Filter lines"), bar);
    m_level = new QComboBox(bar);
    m_level->setAccessibleName(tr("Least level"));
    m_level->addItem(tr("Everything"), 0);
    m_level->addItem(tr("Information and above"), 1);
    m_level->addItem(tr("Warnings and errors"), 2);
    m_level->addItem(tr("Errors only"), 3);
    m_level->setCurrentIndex(1);
    m_follow = new QCheckBox(tr("Follow"), bar);
    m_follow->setChecked(true);
    m_follow->setAccessibleName(tr("Follow"));
    m_follow->setToolTip(tr("Scrolls to each new line."));
    auto *copyButton = new QPushButton(icon(u"copy"_s), tr("Copy"), bar);
    copyButton->setAccessibleName(tr("Copy lines"));
    copyButton->setToolTip(tr("Copies the selected lines, or all that are shown."));
    auto *saveButton = new QPushButton(icon(u"save"_s), tr("Save…"), bar);
    saveButton->setAccessibleName(tr("Save lines"));
    row->addWidget(m_search, 1);
    for (QWidget *widget : std::initializer_list<QWidget *>{m_level, m_follow, copyButton, saveButton})
        row->addWidget(widget);
    connect(m_search, &QLineEdit::textChanged, m_filter, &LogFilter::setText);
    connect(m_level, &QComboBox::currentIndexChanged, this,
            [this] { m_filter->setLeast(m_level->currentData().toInt()); });
    connect(m_follow, &QCheckBox::toggled, this, [this](bool on) {
        if (on) m_table->scrollToBottom();
    });
    connect(copyButton, &QPushButton::clicked, this, &LogPage::copy);
    connect(saveButton, &QPushButton::clicked, this, &LogPage::save);
    return bar;
}

void LogPage::makeTable()
{
    m_table->setModel(m_filter);
    setUpTable(*m_table, tr("Log"), 6, {110, 90, 100});
}

void LogPage::ask()
{
    if (std::exchange(m_asking, true)) return;
    m_client.logs(m_model->last(), this, [this](const Expected<std::vector<LogEntry>> &lines) {
        m_asking = false;
        if (!lines) {
            m_failed = true;
            return m_messages->showError(errorText(lines.error()));
        }
        if (std::exchange(m_failed, false)) m_messages->hide();
        if (lines->empty()) return;
        m_model->append(*lines);
        if (m_follow->isChecked()) m_table->scrollToBottom();
    });
}

QString LogPage::shownText() const
{
    QModelIndexList rows = m_table->selectionModel()->selectedRows();
    if (rows.isEmpty())
        for (int row = 0; row < m_filter->rowCount(); ++row)
            rows.append(m_filter->index(row, 0));
    std::sort(rows.begin(), rows.end());
    QString text;
    for (const QModelIndex &row : rows)
        text += LogModel::asText(m_model->at(m_filter->mapToSource(row).row())) + u'\n';
    return text;
}

void LogPage::copy()
{
    QGuiApplication::clipboard()->setText(shownText());
}

void LogPage::save()
{
    auto *dialog = new QFileDialog(this, tr("Save log"), {}, tr("Text (*.log *.txt)"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->selectFile(u"serigraph.log"_s);
    connect(dialog, &QFileDialog::fileSelected, this, &LogPage::writeTo);
    dialog->open();
}

void LogPage::writeTo(const QString &path)
{
    inBackground(
        this,
        [bytes = shownText().toUtf8(), path] {
            QSaveFile file(path);
            return file.open(QIODevice::WriteOnly) && file.write(bytes) == bytes.size() && file.commit();
        },
        [this, path](bool saved) {
            const QString shown = QDir::toNativeSeparators(path);
            if (saved)
                m_messages->showInfo(tr("Saved as %1").arg(shown));
            else
                m_messages->showError(tr("%1 cannot be written.").arg(shown));
        });
}

void LogPage::showEvent(QShowEvent *event)
{
    ask();
    m_timer.start();
    QWidget::showEvent(event);
}

void LogPage::hideEvent(QHideEvent *event)
{
    m_timer.stop();
    QWidget::hideEvent(event);
}

}  // namespace sg::ui
