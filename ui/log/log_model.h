#pragma once

#include "ui/client/api_types.h"

#include <QAbstractTableModel>

#include <deque>

namespace sg::ui {

/// The last lines of the server's log; bounded.
class LogModel final : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { Time, Level, Category, Message, ColumnCount };
    enum Role { LevelRole = Qt::UserRole, SearchRole };

    using QAbstractTableModel::QAbstractTableModel;

    void append(const std::vector<LogEntry> &lines);
    std::uint64_t last() const { return m_last; }

    int rowCount(const QModelIndex &parent = {}) const override;
    int columnCount(const QModelIndex &parent = {}) const override;
    QVariant data(const QModelIndex &index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

    /// A line as it is copied and saved: "2026-11-22T20:00:00.000Z warning engine message".
    static QString asText(const LogEntry &line);
    const LogEntry &at(int row) const { return m_lines[static_cast<std::size_t>(row)]; }
    /// 0 debug … 3 error.
    static int severity(const QString &level);

private:
    static QString levelText(const QString &level);

    std::deque<LogEntry> m_lines;
    std::uint64_t m_last = 0;
};

}  // namespace sg::ui
