#include "ui/log/log_filter.h"

#include "ui/log/log_model.h"

namespace sg::ui {

void LogFilter::setLeast(int severity)
{
    m_least = severity;
    invalidateFilter();
}

void LogFilter::setText(const QString &text)
{
    m_text = text.trimmed();
    invalidateFilter();
}

bool LogFilter::filterAcceptsRow(int row, const QModelIndex &parent) const
{
    const QModelIndex index = sourceModel()->index(row, 0, parent);
    if (index.data(LogModel::LevelRole).toInt() < m_least) return false;
    return m_text.isEmpty() || index.data(LogModel::SearchRole).toString().contains(m_text, Qt::CaseInsensitive);
}

}  // namespace sg::ui
