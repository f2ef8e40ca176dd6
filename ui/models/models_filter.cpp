#include "ui/models/models_filter.h"

#include "ui/models/models_model.h"

#include <algorithm>

namespace sg::ui {

void ModelsFilter::setText(const QString &text)
{
    m_words = text.toCaseFolded().split(QLatin1Char(' '), Qt::SkipEmptyParts);
    invalidateFilter();
}

void ModelsFilter::setType(const QString &type)
{
    m_type = type;
    invalidateFilter();
}

bool ModelsFilter::filterAcceptsRow(int row, const QModelIndex &parent) const
{
    const QModelIndex index = sourceModel()->index(row, 0, parent);
    if (!m_type.isEmpty() && index.data(ModelsModel::TypeRole).toString() != m_type) return false;
    if (m_words.isEmpty()) return true;
    const QString search = index.data(ModelsModel::SearchRole).toString();
    return std::all_of(m_words.begin(), m_words.end(), [&](const QString &word) { return search.contains(word); });
}

bool ModelsFilter::lessThan(const QModelIndex &left, const QModelIndex &right) const
{
    const QVariant a = left.data(ModelsModel::SortRole);
    const QVariant b = right.data(ModelsModel::SortRole);
    if (a.typeId() == QMetaType::LongLong) return a.toLongLong() < b.toLongLong();
    return a.toString() < b.toString();
}

}  // namespace sg::ui
