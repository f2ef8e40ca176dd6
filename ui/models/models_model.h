#pragma once

#include "ui/client/api_types.h"

#include <QAbstractTableModel>

#include <array>
#include <vector>

namespace sg::ui {

/// The rows of the Models page. A new list is merged: rows that stay keep their place, so selection and scroll position
/// stay too.
class ModelsModel final : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { Name, Type, Size, Hash, Family, Status, Folder, ColumnCount };
    enum Role { SortRole = Qt::UserRole, TypeRole, PathRole, SearchRole };

    using QAbstractTableModel::QAbstractTableModel;

    void merge(std::vector<ModelInfo> models);
    const ModelInfo *at(int row) const;

    int rowCount(const QModelIndex &parent = {}) const override;
    int columnCount(const QModelIndex &parent = {}) const override;
    QVariant data(const QModelIndex &index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

    static QString typeText(const QString &type);
    /// A checkpoint's variant in the window's language.
    static QString variantText(const QString &variant);

private:
    struct Row {
        ModelInfo info;
        std::array<QString, ColumnCount> texts;  ///< made once: sorting asks for them tens of thousands of times
        QString sortName;
        QString search;
    };
    static Row makeRow(ModelInfo info);
    static QString text(const ModelInfo &model, int column);
    void tellChanged(const std::vector<int> &rows);
    static QString statusText(const ModelInfo &model);
    void removeMissing(const std::vector<bool> &kept);

    std::vector<Row> m_rows;
};

}  // namespace sg::ui
