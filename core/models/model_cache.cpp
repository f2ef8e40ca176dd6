#include "core/models/model_cache.h"

#include "core/base/json.h"
#include "core/models/model_reader.h"

#include <QDateTime>

namespace sg {
namespace {

QString text(const std::string &value)
{
    return QString::fromStdString(value);
}

Json toJson(const ModelRecord &record)
{
    return {{"type", record.type},
            {"family", record.family},
            {"variant", record.variant},
            {"status", record.status},
            {"reason", record.reason},
            {"title", record.title},
            {"description", record.description},
            {"width", record.nativeWidth},
            {"height", record.nativeHeight},
            {"alias", record.alias},
            {"contentHash", record.contentHash},
            {"vectors", record.vectors},
            {"vectorWidth", record.vectorWidth},
            {"scale", record.scale}};
}

ModelRecord fromJson(const Json &json)
{
    ModelRecord record;
    const auto textOf = [&](const char *key) {
        const auto it = json.find(key);
        return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
    };
    const auto numberOf = [&](const char *key) {
        const auto it = json.find(key);
        return it != json.end() && it->is_number_integer() ? it->get<int>() : 0;
    };
    record.type = textOf("type");
    record.family = textOf("family");
    record.variant = textOf("variant");
    record.status = textOf("status");
    record.reason = textOf("reason");
    record.title = textOf("title");
    record.description = textOf("description");
    record.vectors = numberOf("vectors");
    record.vectorWidth = numberOf("vectorWidth");
    record.scale = numberOf("scale");
    record.alias = textOf("alias");
    record.contentHash = textOf("contentHash");
    record.nativeWidth = numberOf("width");
    record.nativeHeight = numberOf("height");
    return record;
}

}  // namespace

Expected<void> ModelCache::load()
{
    if (!m_database) return {};
    Expected<QSqlQuery> query =
        m_database->run("SELECT path, size, mtime_ns, device, inode, record, sha256, registered_ms FROM model_files "
                        "WHERE reader = ?",
                        {kModelReaderVersion});
    if (!query) return Unexpected{query.error()};
    while (query->next()) {
        const Expected<Json> json = parseJson(query->value(5).toString().toStdString());
        if (!json || !json->is_object()) continue;
        CachedModel model;
        model.identity.size = query->value(1).toULongLong();
        model.identity.modified = query->value(2).toLongLong();
        model.identity.device = query->value(3).toULongLong();
        model.identity.inode = query->value(4).toULongLong();
        model.record = fromJson(*json);
        model.record.path = query->value(0).toString().toStdString();
        model.record.sha256 = query->value(6).toString().toStdString();
        model.record.registeredMs = query->value(7).toLongLong();
        model.record.size = model.identity.size;
        model.record.modifiedMs = model.identity.modified / 1'000'000;
        m_models.insert_or_assign(model.record.path, std::move(model));
    }
    return loadChoices();
}

Expected<void> ModelCache::loadChoices()
{
    Expected<QSqlQuery> query = m_database->run("SELECT path, choices FROM model_choices");
    if (!query) return Unexpected{query.error()};
    while (query->next()) {
        const Expected<Json> json = parseJson(query->value(1).toString().toStdString());
        if (!json) continue;
        // A later version's choice that is not known here is none.
        if (Expected<ModelChoices> choices = parseModelChoices(*json))
            m_choices.insert_or_assign(query->value(0).toString().toStdString(), std::move(*choices));
    }
    return {};
}

ModelChoices ModelCache::choices(const std::string &path) const
{
    const auto it = m_choices.find(path);
    return it == m_choices.end() ? ModelChoices{} : it->second;
}

Expected<void> ModelCache::storeChoices(const std::string &path, const ModelChoices &choices)
{
    if (m_database) {
        const Expected<int> stored =
            choices.any() ? m_database->change("INSERT OR REPLACE INTO model_choices (path, choices) VALUES (?, ?)",
                                               {text(path), text(dumpJson(choicesJson(choices)))})
                          : m_database->change("DELETE FROM model_choices WHERE path = ?", {text(path)});
        if (!stored) return Unexpected{stored.error()};
    }
    m_choices.insert_or_assign(path, choices);
    return {};
}

const CachedModel *ModelCache::find(const std::string &path, const FileIdentity &identity) const
{
    const auto it = m_models.find(path);
    return it != m_models.end() && it->second.identity == identity ? &it->second : nullptr;
}

std::optional<std::int64_t> ModelCache::registeredMs(const std::string &path) const
{
    const auto it = m_models.find(path);
    if (it == m_models.end()) return std::nullopt;
    return it->second.record.registeredMs;
}

Expected<void> ModelCache::store(const std::vector<CachedModel> &models)
{
    for (const CachedModel &model : models)
        m_models.insert_or_assign(model.record.path, model);
    if (!m_database || models.empty()) return {};
    Expected<Transaction> transaction = Transaction::begin(*m_database);
    if (!transaction) return Unexpected{transaction.error()};
    for (const CachedModel &model : models) {
        const ModelRecord &record = model.record;
        // Device and inode are 64 bits without sign, SQLite's integers have one: the bits are what counts.
        const QVariantList row{text(record.path),
                               static_cast<qlonglong>(model.identity.size),
                               static_cast<qlonglong>(model.identity.modified),
                               static_cast<qlonglong>(model.identity.device),
                               static_cast<qlonglong>(model.identity.inode),
                               kModelReaderVersion,
                               text(dumpJson(toJson(record))),
                               text(record.sha256),
                               static_cast<qlonglong>(record.registeredMs)};
        Expected<int> stored = m_database->change(
            "INSERT OR REPLACE INTO model_files (path, size, mtime_ns, device, inode, reader, record, "
            "sha256, registered_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row);
        if (!stored) return Unexpected{stored.error()};
    }
    return transaction->commit();
}

Expected<void> ModelCache::storeHashes(const std::unordered_map<std::string, std::string> &hashes)
{
    for (const auto &[path, sha256] : hashes)
        if (const auto it = m_models.find(path); it != m_models.end()) it->second.record.sha256 = sha256;
    if (!m_database || hashes.empty()) return {};
    Expected<Transaction> transaction = Transaction::begin(*m_database);
    if (!transaction) return Unexpected{transaction.error()};
    for (const auto &[path, sha256] : hashes) {
        const Expected<int> stored =
            m_database->change("UPDATE model_files SET sha256 = ? WHERE path = ?", {text(sha256), text(path)});
        if (!stored) return Unexpected{stored.error()};
    }
    return transaction->commit();
}

Expected<std::vector<std::string>> ModelCache::folders()
{
    std::vector<std::string> paths;
    if (!m_database) return paths;
    Expected<QSqlQuery> query = m_database->run("SELECT path FROM model_folders ORDER BY added_ms, path");
    if (!query) return Unexpected{query.error()};
    while (query->next())
        paths.push_back(query->value(0).toString().toStdString());
    return paths;
}

Expected<void> ModelCache::addFolder(const std::string &path)
{
    if (!m_database) return fail(ErrorCode::Unavailable, "the library has no database to remember the folder in", path);
    const Expected<int> stored =
        m_database->change("INSERT OR IGNORE INTO model_folders (path, added_ms) VALUES (?, ?)",
                           {text(path), QDateTime::currentMSecsSinceEpoch()});
    if (!stored) return Unexpected{stored.error()};
    return {};
}

Expected<void> ModelCache::removeFolder(const std::string &path)
{
    if (!m_database) return {};
    const Expected<int> removed = m_database->change("DELETE FROM model_folders WHERE path = ?", {text(path)});
    if (!removed) return Unexpected{removed.error()};
    return {};
}

}  // namespace sg
