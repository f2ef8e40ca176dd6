#pragma once

#include "ui/client/api_types.h"

#include <QWidget>

class QComboBox;
class QFormLayout;
class QLabel;
class QLineEdit;
class QPlainTextEdit;
class QPushButton;
class QSpinBox;

namespace sg::ui {

class MessageBar;
class ServerStore;
class SwitchButton;

/// The Server page: the listener for other programs. The window's own connection is another one and always on.
class ServerPage final : public QWidget {
    Q_OBJECT
public:
    explicit ServerPage(ServerStore &store, QWidget *parent = nullptr);

    MessageBar &messages() { return *m_messages; }

protected:
    void showEvent(QShowEvent *event) override;
    void hideEvent(QHideEvent *event) override;

private:
    QWidget *makeCard();
    QWidget *makeExample();
    void addUrlRow(QFormLayout *form);
    void showState(const ServerState &state);
    void refreshWarning();
    void toggle(bool on);

    ServerStore &m_store;
    MessageBar *m_messages;
    SwitchButton *m_switch = nullptr;
    QLabel *m_stateText = nullptr;
    QComboBox *m_address = nullptr;
    QSpinBox *m_port = nullptr;
    QLabel *m_warning = nullptr;
    QLineEdit *m_url = nullptr;
    QPushButton *m_copyUrl = nullptr;
    QLabel *m_requests = nullptr;
    QPlainTextEdit *m_example = nullptr;
    QPushButton *m_copyExample = nullptr;
    QString m_shownError;
    bool m_edited = false;  ///< address or port differ from the server's because the user typed
};

}  // namespace sg::ui
