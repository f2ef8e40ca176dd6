#include "ui/log/log_model.h"

#include <QApplication>
#include <QDateTime>
#include <QFontDatabase>
#include <QPalette>

#include <algorithm>

namespace sg::ui {
namespace {

using namespace Qt::Literals::StringLiterals;

constexpr std::size_t kMostLines = 5000;

}  // namespace

int LogModel::severity(const QString &level)
{
    if (level == u"debug"_s) return 0;
    if (level == u"info"_s) return 1;
    return level == u"warning"_s ? 2 : 3;
}

QString LogModel::levelText(const QString &level)
{
    switch (severity(level)) {
    case 0:
        return tr("Debug");
    case 1:
        return tr("Info");
    case 2:
        return tr("Warning");
    default:
        return tr("Error");
    }
}

void LogModel::append(const std::vector<LogEntry> &lines)
{
    std::vector<LogEntry> fresh;
    for (const LogEntry &line : lines)
        if (line.number > m_last) fresh.push_back(line);
    if (fresh.empty()) return;
    m_last = fresh.back().number;
    if (fresh.size() > kMostLines) fresh.erase(fresh.begin(), fresh.end() - kMostLines);
    const std::size_t total = m_lines.size() + fresh.size();
    if (total > kMostLines) {
        const auto leave = static_cast<std::ptrdiff_t>(total - kMostLines);
        beginRemoveRows({}, 0, static_cast<int>(leave) - 1);
        m_lines.erase(m_lines.begin(), m_lines.begin() + leave);
        endRemoveRows();
    }
    const int first = rowCount();
    beginInsertRows({}, first, first + static_cast<int>(fresh.size()) - 1);
    m_lines.insert(m_lines.end(), fresh.begin(), fresh.end());
    endInsertRows();
}

QString LogModel::asText(const LogEntry &line)
{
    return u"%1 %2 %3 %4"_s.arg(QDateTime::fromMSecsSinceEpoch(line.milliseconds, Qt::UTC).toString(Qt::ISODateWithMs),
                                line.level, line.category, line.message);
}

int LogModel::rowCount(const QModelIndex &parent) const
{
    return parent.isValid() ? 0 : static_cast<int>(m_lines.size());
}

int LogModel::columnCount(const QModelIndex &parent) const
{
    return parent.isValid() ? 0 : ColumnCount;
}

QVariant LogModel::data(const QModelIndex &index, int role) const
{
    if (!index.isValid() || index.row() >= rowCount()) return {};
    const LogEntry &line = at(index.row());
    switch (role) {
    case Qt::DisplayRole:
        switch (index.column()) {
        case Time:
            return QDateTime::fromMSecsSinceEpoch(line.milliseconds).toString(u"HH:mm:ss.zzz"_s);
        case Level:
            return levelText(line.level);
        case Category:
            return line.category;
        default:
            return line.message;
        }
    case Qt::ToolTipRole:
        return index.column() == Message ? line.message : QVariant();
    case Qt::ForegroundRole:
        if (severity(line.level) >= 3) return QApplication::palette().brush(QPalette::BrightText);
        if (index.column() != Message || severity(line.level) == 0)
            return QApplication::palette().brush(QPalette::PlaceholderText);
        return {};
    case LevelRole:
        return severity(line.level);
    case SearchRole:
        return QString(line.category + u' ' + line.message);
    default:
        return {};
    }
}

QVariant LogModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
    switch (section) {
    case Time:
        return tr("Time");
    case Level:
        return tr("Level");
    case Category:
        return tr("Part");
    default:
        return tr("Message");
    }
}

}  // namespace sg::ui
