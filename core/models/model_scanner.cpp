#include "core/models/model_scanner.h"

#include "core/base/log.h"
#include "core/modelfile/model_file.h"
#include "core/models/model_reader.h"

#include <QDateTime>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sg {
namespace {

constexpr int kChangedMs = 250;
constexpr int kProgressMs = 100;
constexpr std::size_t kChunk = 4u << 20;
constexpr int kNiceness = 10;
constexpr int kFlushMs = 1000;
constexpr int kBusyMs = 200;

/// The file itself, or a folder's files that weights are read from, by name.
template <class Part>
std::deque<Part> partsOf(const std::string &path, bool folder, const FileIdentity &identity)
{
    if (!folder) return {{path, {}, identity}};
    std::deque<Part> parts;
    const Expected<TensorIndex> index = readModelFile(path);
    if (!index) return parts;
    for (const SourceFile &file : index->files())
        parts.push_back(
            {file.path, std::filesystem::path(file.path).lexically_relative(path).generic_string(), file.identity});
    std::sort(parts.begin(), parts.end(), [](const Part &a, const Part &b) { return a.name < b.name; });
    return parts;
}

}  // namespace

ModelScanner::ModelScanner(std::filesystem::path databaseFile, LibraryState &state)
    : m_databaseFile(std::move(databaseFile)), m_state(state), m_hashTimer(this), m_changedTimer(this)
{
    m_changedTimer.setSingleShot(true);
    connect(&m_changedTimer, &QTimer::timeout, this, [this] {
        m_sinceChanged.start();
        Q_EMIT changed();
    });
    connect(&m_hashTimer, &QTimer::timeout, this, &ModelScanner::hashStep);
}

void ModelScanner::open()
{
    // Hashing is for idle time: the engine and the window come first.
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kNiceness);
    Expected<std::shared_ptr<DataDirLock>> lock = DataDirLock::acquire(m_databaseFile.parent_path());
    Expected<std::unique_ptr<Database>> database = lock ? Database::open(m_databaseFile) : Unexpected{lock.error()};
    if (lock) m_lock = std::move(*lock);
    if (database)
        m_database = std::move(*database);
    else
        logError("library", "models and folders are not remembered: " + database.error().message);
    m_cache = std::make_unique<ModelCache>(m_database.get());
    if (Expected<void> loaded = m_cache->load(); !loaded) logError("library", loaded.error().message);
    const Expected<std::vector<std::string>> folders = m_cache->folders();
    if (!folders) logError("library", folders.error().message);
    if (folders) {
        const std::lock_guard guard(m_state.mutex);
        m_state.folders = *folders;
    }
    scan();
}

void ModelScanner::note(const std::string &text)
{
    if (m_noted.insert(text).second) logWarning("library", text);
}

/// The record of a file, from memory when it has not changed.
ListedModel ModelScanner::describe(const FoundFile &file, std::vector<CachedModel> &fresh)
{
    ListedModel listed;
    listed.root = file.root;
    if (const CachedModel *known = m_cache->find(file.path, file.identity)) {
        listed.record = known->record;
    } else {
        ++m_state.headersRead;
        CachedModel model{file.identity, readModelRecord(file.path)};
        model.record.size = file.identity.size;
        model.record.modifiedMs = file.identity.modified / 1'000'000;
        model.record.registeredMs = m_cache->registeredMs(file.path).value_or(QDateTime::currentMSecsSinceEpoch());
        listed.record = model.record;
        // What changed while it was read is read again by the next scan.
        if (fileIdentity(file.path) == file.identity) fresh.push_back(std::move(model));
    }
    listed.record.name = file.name;
    listed.record.choices = m_cache->choices(file.path);
    if (m_loaded.contains(file.path) && listed.record.status == "unloaded") listed.record.status = "loaded";
    return listed;
}

void ModelScanner::scan()
{
    std::vector<std::string> folders;
    {
        const std::lock_guard guard(m_state.mutex);
        folders = m_state.folders;
    }
    flushHashes();
    const WalkResult found = walkModelFiles(folders, [this] { return m_state.stopped.load(); });
    for (const std::string &text : found.notes)
        note(text);
    m_state.headersRead = 0;
    std::vector<ListedModel> listed;
    std::vector<CachedModel> fresh;
    std::unordered_map<std::string, FileIdentity> identities;
    QElapsedTimer sinceProgress;
    sinceProgress.start();
    const int total = static_cast<int>(found.files.size());
    for (const FoundFile &file : found.files) {
        if (m_state.stopped) return;
        // The same file below two entries of the list is one model.
        if (!identities.emplace(file.path, file.identity).second) continue;
        ListedModel one = describe(file, fresh);
        if (one.record.type != kNoModel) listed.push_back(std::move(one));
        if (sinceProgress.elapsed() < kProgressMs) continue;
        sinceProgress.start();
        Q_EMIT scanProgress(static_cast<int>(listed.size()), total);
    }
    if (Expected<void> stored = m_cache->store(fresh); !stored) logError("library", stored.error().message);
    m_identities = std::move(identities);
    m_state.filesListed = static_cast<int>(listed.size());
    std::vector<ModelRecord> models = settleNames(std::move(listed));
    keepLoadedOnes(models);
    publish(std::move(models));
    --m_state.pendingScans;
    Q_EMIT scanProgress(total, total);
    queueHashes();
}

/// A file that is gone while an engine holds it stays in sight.
void ModelScanner::keepLoadedOnes(std::vector<ModelRecord> &models)
{
    const std::shared_ptr<const std::vector<ModelRecord>> before = m_state.models;
    for (const ModelRecord &record : *before) {
        if (!m_loaded.contains(record.path) || m_identities.contains(record.path)) continue;
        models.push_back(record);
        models.back().status = "deleted";
    }
}

void ModelScanner::publish(std::vector<ModelRecord> models)
{
    auto snapshot = std::make_shared<const std::vector<ModelRecord>>(std::move(models));
    {
        const std::lock_guard guard(m_state.mutex);
        if (*m_state.models == *snapshot) return;
        m_state.models = std::move(snapshot);
    }
    announce();
}

void ModelScanner::announce()
{
    if (m_changedTimer.isActive()) return;
    const qint64 since = m_sinceChanged.isValid() ? m_sinceChanged.elapsed() : kChangedMs;
    m_changedTimer.start(static_cast<int>(std::max<qint64>(0, kChangedMs - since)));
}

Expected<void> ModelScanner::addPath(const std::string &path, bool remember)
{
    std::error_code error;
    // A path of the command line means the folder that the program was started in; one that stays must mean the same
    // tomorrow.
    const std::filesystem::path given = remember ? std::filesystem::path(path) : std::filesystem::absolute(path, error);
    if (!given.is_absolute())
        return fail(ErrorCode::InvalidArgument, "the path of a model folder must be absolute: " + path, "path");
    const std::string clean = std::filesystem::weakly_canonical(given, error).string();
    const std::filesystem::file_status status = std::filesystem::status(given, error);
    if (error || !std::filesystem::exists(status))
        return fail(ErrorCode::NotFound, "no such file or folder: " + path, "path");
    if (!std::filesystem::is_directory(status) && !std::filesystem::is_regular_file(status))
        return fail(ErrorCode::InvalidArgument, "neither a folder nor a file: " + path, "path");
    if (remember)
        if (Expected<void> stored = m_cache->addFolder(clean); !stored) return stored;
    const std::lock_guard guard(m_state.mutex);
    if (std::find(m_state.folders.begin(), m_state.folders.end(), clean) == m_state.folders.end())
        m_state.folders.push_back(clean);
    return {};
}

Expected<void> ModelScanner::removeFolder(const std::string &path)
{
    std::error_code error;
    const std::string clean = std::filesystem::weakly_canonical(path, error).string();
    {
        const std::lock_guard guard(m_state.mutex);
        const auto isIt = [&](const std::string &folder) { return folder == path || folder == clean; };
        if (std::erase_if(m_state.folders, isIt) == 0)
            return fail(ErrorCode::NotFound, "not one of the model folders: " + path, "path");
    }
    for (const std::string &either : {path, clean})
        if (Expected<void> removed = m_cache->removeFolder(either); !removed) return removed;
    return {};
}

void ModelScanner::setLoaded(const std::string &path, bool loaded)
{
    if (loaded)
        m_loaded.insert(path);
    else
        m_loaded.erase(path);
    std::vector<ModelRecord> models = *m_state.models;
    std::erase_if(models, [&](const ModelRecord &record) {
        return !loaded && record.path == path && record.status == "deleted";
    });
    for (ModelRecord &record : models)
        if (record.path == path && (record.status == "loaded" || record.status == "unloaded"))
            record.status = loaded ? "loaded" : "unloaded";
    publish(std::move(models));
}

Expected<ModelRecord> ModelScanner::choose(const std::string &path, const ModelChoices &choices)
{
    std::vector<ModelRecord> models = *m_state.models;
    const auto it = std::find_if(models.begin(), models.end(), [&](const auto &record) { return record.path == path; });
    if (it == models.end()) return fail(ErrorCode::NotFound, "no such model", "name");
    if (Expected<void> stored = m_cache->storeChoices(path, choices); !stored) return Unexpected{stored.error()};
    it->choices = choices;
    ModelRecord made = *it;
    publish(std::move(models));
    return made;
}

void ModelScanner::queueHashes()
{
    m_toHash.clear();
    for (const ModelRecord &record : *m_state.models) {
        if (!record.sha256.empty() || record.status == "unusable" || record.status == "deleted") continue;
        if (m_hashing && m_hashing->path == record.path) continue;
        if (record.path == m_urgent)
            m_toHash.push_front(record.path);
        else
            m_toHash.push_back(record.path);
    }
    if (!m_toHash.empty() || m_hashing) m_hashTimer.start(0);
}

void ModelScanner::hashSoon(const std::string &path)
{
    if (m_hashing && m_hashing->path == path) {
        m_urgent = path;
        m_hashTimer.start(0);
        return;
    }
    const auto it = std::find(m_toHash.begin(), m_toHash.end(), path);
    if (it == m_toHash.end()) return;
    m_toHash.erase(it);
    if (m_hashing) m_toHash.push_front(m_hashing->path);
    m_hashing.reset();
    m_toHash.push_front(path);
    m_urgent = path;
    m_hashTimer.start(0);
}

bool ModelScanner::openForHashing()
{
    const std::string path = m_toHash.front();
    m_toHash.pop_front();
    const auto known = m_identities.find(path);
    if (known == m_identities.end()) {
        if (m_urgent == path) m_urgent.clear();
        return false;
    }
    m_hashing = std::make_unique<Hashing>();
    m_hashing->path = path;
    m_hashing->identity = known->second;
    m_hashing->folder = isModelFolder(path);
    m_hashing->parts = partsOf<Hashing::Part>(path, m_hashing->folder, m_hashing->identity);
    if (m_hashing->openPart()) return true;
    giveUpHash();
    return false;
}

/// False when there is none, or it is not what it was.
bool ModelScanner::Hashing::openPart()
{
    if (parts.empty()) return false;
    fd = UniqueFd(::open(parts.front().path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    struct stat status {};
    return fd && ::fstat(fd.get(), &status) == 0 && FileIdentity::from(status) == parts.front().identity;
}

/// What sha256sum makes of the sorted files' sha256sum: docs/decisions/hashes-of-folders.md.
void ModelScanner::Hashing::endPart()
{
    if (folder) {
        sums += hash.result().toHex().toStdString() + "  " + parts.front().name + "\n";
        hash.reset();
    }
    parts.pop_front();
    if (folder && parts.empty()) hash.addData(QByteArrayView(sums.data(), static_cast<qsizetype>(sums.size())));
}

void ModelScanner::giveUpHash()
{
    if (m_urgent == m_hashing->path) m_urgent.clear();
    m_hashing.reset();
}

/// One chunk: between two of them the thread is free for scans and wishes.
void ModelScanner::hashStep()
{
    if (!m_hashing && m_toHash.empty()) {
        flushHashes();
        m_hashTimer.stop();
        return;
    }
    m_hashTimer.setInterval(m_state.busy && m_urgent.empty() ? kBusyMs : 0);
    if (m_state.busy && m_urgent.empty()) return;
    if (!m_hashing && !openForHashing()) return;
    m_buffer.resize(kChunk);
    const ssize_t got = ::read(m_hashing->fd.get(), m_buffer.data(), m_buffer.size());
    if (got < 0 && errno == EINTR) return;
    if (got < 0) {
        note(m_hashing->path + " cannot be hashed: " + systemError("read", m_hashing->path).value().message);
        giveUpHash();
        return;
    }
    if (got > 0) {
        m_hashing->hash.addData(QByteArrayView(m_buffer.data(), static_cast<qsizetype>(got)));
        return;
    }
    m_hashing->endPart();
    if (m_hashing->parts.empty())
        hashDone();
    else if (!m_hashing->openPart())
        giveUpHash();
}

void ModelScanner::hashDone()
{
    const std::unique_ptr<Hashing> done = std::move(m_hashing);
    const bool urgent = done->path == m_urgent;
    if (urgent) m_urgent.clear();
    if (fileIdentity(done->path) != done->identity) return;
    m_hashed.insert_or_assign(done->path, done->hash.result().toHex().toStdString());
    if (urgent || !m_sinceFlush.isValid() || m_sinceFlush.elapsed() >= kFlushMs) flushHashes();
}

/// Many small files share one commit and one new list.
void ModelScanner::flushHashes()
{
    if (m_hashed.empty()) return;
    m_sinceFlush.start();
    const auto hashed = std::exchange(m_hashed, {});
    if (Expected<void> stored = m_cache->storeHashes(hashed); !stored) logError("library", stored.error().message);
    std::vector<ModelRecord> models = *m_state.models;
    for (ModelRecord &record : models)
        if (const auto it = hashed.find(record.path); it != hashed.end()) record.sha256 = it->second;
    publish(std::move(models));
}

}  // namespace sg
