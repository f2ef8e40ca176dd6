#pragma once

#include <QSortFilterProxyModel>

namespace sg::ui {

/// Text (every word must occur in name, path, title, family, variant or hash) and type.
class ModelsFilter final : public QSortFilterProxyModel {
    Q_OBJECT
public:
    using QSortFilterProxyModel::QSortFilterProxyModel;

    void setText(const QString &text);
    void setType(const QString &type);  ///< empty: all

protected:
    bool filterAcceptsRow(int row, const QModelIndex &parent) const override;
    bool lessThan(const QModelIndex &left, const QModelIndex &right) const override;

private:
    QStringList m_words;
    QString m_type;
};

}  // namespace sg::ui
