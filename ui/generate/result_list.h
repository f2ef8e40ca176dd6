#pragma once

#include "ui/client/api_types.h"

#include <QAbstractListModel>

#include <deque>

namespace sg::ui {

/// The pictures of this session, newest first; what the strip shows. Bounded: the oldest leave (their files stay in the
/// store).
class ResultList final : public QAbstractListModel {
    Q_OBJECT
public:
    struct Entry {
        QString task;
        Picture picture;
    };

    using QAbstractListModel::QAbstractListModel;

    void add(const QString &task, const Picture &picture);
    const Entry *at(const QModelIndex &index) const;

    int rowCount(const QModelIndex &parent = {}) const override;
    QVariant data(const QModelIndex &index, int role) const override;

private:
    std::deque<Entry> m_entries;
};

}  // namespace sg::ui
