#pragma once

#include "core/models/file_walk.h"
#include "core/models/model_cache.h"
#include "core/models/model_list.h"
#include "core/storage/data_dir_lock.h"
#include "core/storage/unique_fd.h"

#include <QCryptographicHash>
#include <QElapsedTimer>
#include <QObject>
#include <QTimer>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace sg {

/// What ModelLibrary answers from in any thread.
struct LibraryState {
    std::mutex mutex;
    std::shared_ptr<const std::vector<ModelRecord>> models = std::make_shared<std::vector<ModelRecord>>();
    std::vector<std::string> folders;
    std::atomic<int> pendingScans{0};
    std::atomic<bool> stopped{false};
    std::atomic<bool> busy{false};    ///< an engine computes: hashing waits
    std::atomic<int> filesListed{0};  ///< of the last scan
    std::atomic<int> headersRead{0};  ///< of the last scan
};

/// The working half of ModelLibrary: scans, hashes, remembers.
/// Thread  all of it in the library's thread.
class ModelScanner final : public QObject {
    Q_OBJECT
public:
    ModelScanner(std::filesystem::path databaseFile, LibraryState &state);

    /// Opens the database and makes the first scan.
    void open();
    void scan();
    Expected<void> addPath(const std::string &path, bool remember);
    Expected<void> removeFolder(const std::string &path);
    void setLoaded(const std::string &path, bool loaded);
    Expected<ModelRecord> choose(const std::string &path, const ModelChoices &choices);
    void hashSoon(const std::string &path);

Q_SIGNALS:
    void changed();
    void scanProgress(int done, int total);

private:
    /// A model on its way to a hash: a file, or the weight files of a folder, of which the first one's is open.
    struct Hashing {
        struct Part {
            std::string path;
            std::string name;  ///< below the folder
            FileIdentity identity;
        };
        std::string path;
        FileIdentity identity;
        bool folder = false;
        std::deque<Part> parts;
        UniqueFd fd;
        QCryptographicHash hash{QCryptographicHash::Sha256};
        std::string sums;  ///< of the folder's parts so far, a line each as sha256sum writes it

        bool openPart();
        void endPart();
    };

    ListedModel describe(const FoundFile &file, std::vector<CachedModel> &fresh);
    void publish(std::vector<ModelRecord> models);
    void keepLoadedOnes(std::vector<ModelRecord> &models);
    void queueHashes();
    void hashStep();
    bool openForHashing();
    void hashDone();
    void giveUpHash();
    void flushHashes();
    void announce();
    void note(const std::string &text);

    std::filesystem::path m_databaseFile;
    LibraryState &m_state;
    std::shared_ptr<DataDirLock> m_lock;
    std::unique_ptr<Database> m_database;
    std::unique_ptr<ModelCache> m_cache;
    std::unordered_map<std::string, FileIdentity> m_identities;
    std::set<std::string> m_loaded;
    std::set<std::string> m_noted;
    std::deque<std::string> m_toHash;
    std::unique_ptr<Hashing> m_hashing;
    std::string m_urgent;                                   ///< asked for by hashSoon(), not done yet
    std::unordered_map<std::string, std::string> m_hashed;  ///< SHA-256 by path, not stored yet
    QElapsedTimer m_sinceFlush;
    std::string m_buffer;
    QTimer m_hashTimer;
    QTimer m_changedTimer;
    QElapsedTimer m_sinceChanged;
};

}  // namespace sg
