#pragma once

#include "core/base/error.h"
#include "ui/client/api_types.h"

#include <QHash>
#include <QObject>
#include <QSet>
#include <QTemporaryDir>

#include <list>

namespace sg::ui {

/// The pictures of this session: each as a file in a folder that goes with the program, and in memory only those looked
/// at last. Thread  main; files are written, read and decoded in the thread pool.
class PictureStore final : public QObject {
    Q_OBJECT
public:
    static constexpr qint64 kMostBytes = 128LL << 20;

    /// `mostBytes`: of pixels and files that stay in memory; the picture used last always does.
    explicit PictureStore(QObject *parent = nullptr, qint64 mostBytes = kMostBytes);

    /// Its key; find() has it at once.
    QString add(const Picture &picture);
    /// The picture when it is in memory; until the next call of add() or load().
    const Picture *find(const QString &key);
    /// Brings it into memory: loaded() or failed() comes later.
    void load(const QString &key);
    void remove(const QString &key);

    qint64 bytes() const { return m_bytes; }

Q_SIGNALS:
    void loaded(const QString &key);
    void failed(const QString &key, const sg::Error &error);

private:
    struct Held {
        QString key;
        Picture picture;
    };
    QString path(const QString &key) const;
    bool isHeld(const QString &key) const;
    void hold(const QString &key, const Picture &picture);
    void letGo();

    QTemporaryDir m_folder;
    qint64 m_most;
    qint64 m_bytes = 0;
    std::list<Held> m_held;   ///< the one used last first
    QSet<QString> m_written;  ///< those whose file is complete
    QSet<QString> m_loading;
    std::uint64_t m_count = 0;
};

}  // namespace sg::ui
