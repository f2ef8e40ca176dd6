#pragma once

#include "core/base/expected.h"
#include "core/models/model_record.h"

#include <QObject>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sg {

class Database;

/// The models of all folders: scans by content, hashes in idle time, remembers both in the database by (path, size,
/// mtime, inode). Thread  works in a thread of its own, which it starts; every function may be called from any thread.
/// models(), find() and folders() answer
///         from memory. Signals come from that thread.
class ModelLibrary final : public QObject {
    Q_OBJECT
public:
    explicit ModelLibrary(std::filesystem::path databaseFile, QObject *parent = nullptr);
    ~ModelLibrary() override;

    std::vector<ModelRecord> models() const;

    /// By name, name with extension, A1111 title "name.safetensors [hash]", short or full hash. Empty type: any.
    std::optional<ModelRecord> find(std::string_view id, std::string_view type = {}) const;

    std::vector<std::string> folders() const;
    /// True from the call that asks for a scan, the constructor among them, until the list shows what it found.
    bool scanning() const;

    /// Of the last scan: files listed, and of those the ones that had to be read because they were new or changed.
    struct ScanCounts {
        int files = 0;
        int headersRead = 0;
    };
    ScanCounts lastScan() const;

    /// Adds a folder (kept for the next start when `remember`) or a single file, then scans it. Callable from any
    /// thread; the reply comes in `context`'s thread.
    using Reply = std::function<void(Expected<void>)>;
    void addPath(const std::string &path, bool remember, QObject *context, Reply reply);
    void removeFolder(const std::string &path, QObject *context, Reply reply);
    void rescan();

    /// Remembers by path what the user says of a checkpoint, in the place of what was chosen before.
    /// Errors  NotFound, InvalidArgument for what is no checkpoint; those of the database.
    using RecordReply = std::function<void(Expected<ModelRecord>)>;
    void choose(const std::string &id, const ModelChoices &choices, QObject *context, RecordReply reply);

    /// Marks what the engines hold: "loaded" or "unloaded" (by path).
    void setLoaded(const std::string &path, bool loaded);

    /// While an engine computes, background hashing waits; hashSoon() does not.
    void setBusy(bool busy);

    /// Puts this file first in the queue of files to hash.
    void hashSoon(const std::string &path);

Q_SIGNALS:
    void changed();  ///< the list or a record; at most 4 a second
    void scanProgress(int done, int total);

private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace sg
