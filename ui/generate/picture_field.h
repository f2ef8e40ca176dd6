#pragma once

#include "ui/generate/param_model.h"

#include <QWidget>

class QLabel;
class QToolButton;

namespace sg::ui {

/// The editor of a picture row: thumbnail and name of the picture, chosen from a file, dropped or pasted; and a button
/// that takes it away. Keys  Enter or Space chooses, Ctrl+V pastes, Delete removes.
class PictureField final : public QWidget {
    Q_OBJECT
public:
    PictureField(ParamModel &model, const ParamSpec &spec, QWidget *parent = nullptr);

    /// Takes a picture file's bytes; decoded in the background first, and refused there when it is none.
    void take(const QByteArray &file, const QString &name);
    void choose();

Q_SIGNALS:
    void failed(const sg::Error &error);

protected:
    void dragEnterEvent(QDragEnterEvent *event) override;
    void dropEvent(QDropEvent *event) override;
    void keyPressEvent(QKeyEvent *event) override;

private:
    void readFile(const QString &path);
    void paste();
    void clear();
    void refresh();

    ParamModel &m_model;
    QString m_key;
    QToolButton *m_choose;
    QLabel *m_name;
    QToolButton *m_remove;
    int m_asked = 0;  // of the newest picture that is being decoded
};

}  // namespace sg::ui
