#pragma once

#include <QAbstractListModel>
#include <QImage>
#include <QString>

#include <deque>

namespace sg::ui {

/// The pictures of this session, newest first; what the strip shows. Bounded: the oldest leave (the server keeps them).
class ResultList final : public QAbstractListModel {
    Q_OBJECT
public:
    struct Entry {
        QString key;  ///< in the PictureStore
        QImage thumbnail;
        QString infotext;
    };

    using QAbstractListModel::QAbstractListModel;

    void add(Entry entry);
    const Entry *at(const QModelIndex &index) const;

    int rowCount(const QModelIndex &parent = {}) const override;
    QVariant data(const QModelIndex &index, int role) const override;

Q_SIGNALS:
    void left(const QString &key);  ///< the oldest, for which there was no more room

private:
    std::deque<Entry> m_entries;
};

}  // namespace sg::ui
