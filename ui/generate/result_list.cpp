#include "ui/generate/result_list.h"

#include <QIcon>
#include <QPixmap>

#include <utility>

namespace sg::ui {

namespace {
constexpr int kMostEntries = 200;
}

void ResultList::add(Entry entry)
{
    beginInsertRows({}, 0, 0);
    m_entries.push_front(std::move(entry));
    endInsertRows();
    if (m_entries.size() <= kMostEntries) return;
    beginRemoveRows({}, kMostEntries, kMostEntries);
    const QString key = m_entries.back().key;
    m_entries.pop_back();
    endRemoveRows();
    Q_EMIT left(key);
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
        return QIcon(QPixmap::fromImage(entry->thumbnail));
    case Qt::ToolTipRole:
        return entry->infotext;
    case Qt::AccessibleTextRole:
        return tr("Picture %1: %2").arg(index.row() + 1).arg(entry->infotext);
    default:
        return {};
    }
}

}  // namespace sg::ui
