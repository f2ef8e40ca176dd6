#pragma once

#include <QTimer>
#include <QWidget>

class QCheckBox;
class QComboBox;
class QLineEdit;
class QTableView;

namespace sg::ui {

class ApiClient;
class LogFilter;
class LogModel;
class MessageBar;

/// The Log page: what server, library and engine say.
class LogPage final : public QWidget {
    Q_OBJECT
public:
    explicit LogPage(ApiClient &client, QWidget *parent = nullptr);

protected:
    void showEvent(QShowEvent *event) override;
    void hideEvent(QHideEvent *event) override;

private:
    QWidget *makeTools();
    void makeTable();
    void ask();
    QString shownText() const;
    void copy();
    void save();
    void writeTo(const QString &path);

    ApiClient &m_client;
    LogModel *m_model;
    LogFilter *m_filter;
    MessageBar *m_messages;
    QTableView *m_table;
    QCheckBox *m_follow = nullptr;
    QComboBox *m_level = nullptr;
    QLineEdit *m_search = nullptr;
    QTimer m_timer;
    bool m_asking = false;
    bool m_failed = false;  ///< the message on show is about asking
};

}  // namespace sg::ui
