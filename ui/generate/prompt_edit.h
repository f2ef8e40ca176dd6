#pragma once

#include <QPlainTextEdit>
#include <QTimer>

class QLabel;

namespace sg::ui {

/// A prompt's editor: Tab moves on, Ctrl+Up/Down change the weight of the selection, undo is Qt's own; counts its
/// tokens into a label.
class PromptEdit final : public QPlainTextEdit {
    Q_OBJECT
public:
    explicit PromptEdit(QWidget *parent = nullptr);

    /// "12/75", refreshed a moment after the text has changed.
    void setCounter(QLabel *counter);

    /// Replaces the text as one undoable step.
    void replaceText(const QString &text);

    QSize sizeHint() const override;
    void setVisibleLines(int lines);

Q_SIGNALS:
    void filesDropped(const QStringList &paths);

protected:
    void keyPressEvent(QKeyEvent *event) override;
    bool canInsertFromMimeData(const QMimeData *source) const override;
    void insertFromMimeData(const QMimeData *source) override;

private:
    void changeWeight(double delta);
    void count();

    QLabel *m_counter = nullptr;
    QTimer m_countSoon;
    int m_lines = 4;
    quint64 m_version = 0;
};

}  // namespace sg::ui
