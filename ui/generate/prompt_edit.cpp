#include "ui/generate/prompt_edit.h"

#include "ui/client/background.h"
#include "ui/generate/prompt_weight.h"
#include "ui/generate/token_count.h"

#include <QKeyEvent>
#include <QLabel>
#include <QLocale>
#include <QMimeData>
#include <QStyle>
#include <QUrl>

#include <chrono>

namespace sg::ui {

using namespace Qt::Literals::StringLiterals;
using namespace std::chrono_literals;

PromptEdit::PromptEdit(QWidget *parent) : QPlainTextEdit(parent)
{
    setTabChangesFocus(true);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_countSoon.setSingleShot(true);
    m_countSoon.setInterval(120ms);
    connect(&m_countSoon, &QTimer::timeout, this, &PromptEdit::count);
    connect(this, &QPlainTextEdit::textChanged, &m_countSoon, qOverload<>(&QTimer::start));
}

void PromptEdit::setCounter(QLabel *counter)
{
    m_counter = counter;
    m_countSoon.start();
}

void PromptEdit::setVisibleLines(int lines)
{
    m_lines = lines;
    const int height = fontMetrics().lineSpacing() * lines + 18;
    setMinimumHeight(height);
    setMaximumHeight(height * 2);
    updateGeometry();
}

QSize PromptEdit::sizeHint() const
{
    return {280, fontMetrics().lineSpacing() * m_lines + 18};
}

void PromptEdit::replaceText(const QString &text)
{
    if (text == toPlainText()) return;
    QTextCursor cursor(document());
    cursor.select(QTextCursor::Document);
    cursor.insertText(text);
}

void PromptEdit::keyPressEvent(QKeyEvent *event)
{
    const bool control = event->modifiers() == Qt::ControlModifier;
    if (control && event->key() == Qt::Key_Up) return changeWeight(0.1);
    if (control && event->key() == Qt::Key_Down) return changeWeight(-0.1);
    QPlainTextEdit::keyPressEvent(event);
}

bool PromptEdit::canInsertFromMimeData(const QMimeData *source) const
{
    return source->hasUrls() || QPlainTextEdit::canInsertFromMimeData(source);
}

void PromptEdit::insertFromMimeData(const QMimeData *source)
{
    QStringList paths;
    for (const QUrl &url : source->urls())
        if (url.isLocalFile()) paths.append(url.toLocalFile());
    if (!paths.isEmpty())
        Q_EMIT filesDropped(paths);
    else
        QPlainTextEdit::insertFromMimeData(source);
}

void PromptEdit::changeWeight(double delta)
{
    QTextCursor cursor = textCursor();
    const PromptSelection before{toPlainText(), cursor.selectionStart(), cursor.selectionEnd()};
    const PromptSelection after = adjustWeight(before, delta);
    replaceText(after.text);
    cursor = textCursor();
    cursor.setPosition(static_cast<int>(after.begin));
    cursor.setPosition(static_cast<int>(after.end), QTextCursor::KeepAnchor);
    setTextCursor(cursor);
}

void PromptEdit::count()
{
    if (!m_counter) return;
    const quint64 version = ++m_version;
    inBackground(
        this, [text = toPlainText()] { return countPromptTokens(text); },
        [this, version](TokenCount count) {
            if (version != m_version || !m_counter) return;
            const QLocale locale;
            if (!count.problem.isEmpty()) {
                m_counter->setText(tr("This prompt cannot be read"));
                m_counter->setToolTip(count.problem);
                return;
            }
            m_counter->setText(tr("%1/%2 tokens").arg(locale.toString(count.tokens), locale.toString(count.capacity)));
            m_counter->setToolTip(count.capacity > 75 ? tr("The prompt is read in %n part(s) of 75 tokens each.",
                                                           nullptr, count.capacity / 75)
                                                      : tr("Words are cut into tokens; 75 are read together."));
        });
}

}  // namespace sg::ui
