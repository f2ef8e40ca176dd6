#include "ui/generate/result_list.h"

#include <QIcon>
#include <QPixmap>

namespace sg::ui {

namespace {
constexpr int kMostEntries = 200;
}

void ResultList::add(const QString &task, const Picture &picture)
{
    beginInsertRows({}, 0, 0);
    m_entries.push_front({task, picture});
    endInsertRows();
    if (m_entries.size() <= kMostEntries) return;
    beginRemoveRows({}, kMostEntries, kMostEntries);
    m_entries.pop_back();
    endRemoveRows();
}

const ResultList::Entry *ResultList::at(const QModelIndex &index) const
{
    const auto row = static_cast<std::size_t>(index.row());
    return index.isValid() && row < m_entries.size() ? &m_entries[row] : nullptr;
}

int ResultList::rowCount(const QModelIndex &parent) const
{
    return parent.isValid() ? 0 : static_cast<int>(m_entries.size());
}

QVariant ResultList::data(const QModelIndex &index, int role) const
{
    const Entry *entry = at(index);
    if (!entry) return {};
    switch (role) {
    case Qt::DecorationRole:
        return QIcon(QPixmap::fromImage(entry->picture.thumbnail));
    case Qt::ToolTipRole:
        return entry->picture.infotext;
    case Qt::AccessibleTextRole:
        return tr("Picture %1: %2").arg(index.row() + 1).arg(entry->picture.infotext);
    default:
        return {};
    }
}

}  // namespace sg::ui
