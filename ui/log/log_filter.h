#pragma once

#include <QSortFilterProxyModel>

namespace sg::ui {

/// Lines of a level or above, with a text in category or message.
class LogFilter final : public QSortFilterProxyModel {
    Q_OBJECT
public:
    using QSortFilterProxyModel::QSortFilterProxyModel;

    void setLeast(int severity);
    void setText(const QString &text);

protected:
    bool filterAcceptsRow(int row, const QModelIndex &parent) const override;

private:
    int m_least = 0;
    QString m_text;
};

}  // namespace sg::ui
