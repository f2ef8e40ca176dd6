#pragma once

#include <QHash>
#include <QObject>
#include <QTimer>
#include <QVariant>

namespace sg::ui {

/// What the window remembers: an INI file in the data folder, read once; written a moment after the last change, in the
/// thread pool, because a file that is synced to the disk would make the window wait. Thread  main.
class UiSettings final : public QObject {
    Q_OBJECT
public:
    /// Empty file: remembers nothing (a remote server's window without a data folder).
    explicit UiSettings(QString file, QObject *parent = nullptr);
    ~UiSettings() override;

    QVariant value(const QString &key) const { return m_values.value(key); }
    void setValue(const QString &key, const QVariant &value);
    /// Writes what is left, and waits.
    void flush();

private:
    void writeSoon();

    QString m_file;
    QHash<QString, QVariant> m_values;
    QHash<QString, QVariant> m_unwritten;
    QTimer m_timer;
    bool m_writing = false;
};

}  // namespace sg::ui
