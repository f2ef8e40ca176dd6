#pragma once

#include "core/modelfile/file_identity.h"
#include "core/models/model_record.h"
#include "core/storage/database.h"

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace sg {

/// What was read from a file when it had this identity.
struct CachedModel {
    FileIdentity identity;
    ModelRecord record;  ///< without name
};

/// The library's memory across runs: files by path, and the remembered folders. Works without a database, for this run
/// only. Thread  the one that opened the database.
class ModelCache {
public:
    explicit ModelCache(Database *database) : m_database(database) {}

    /// Reads all rows; rows of older readers are left out.
    Expected<void> load();
    const CachedModel *find(const std::string &path, const FileIdentity &identity) const;
    /// The time at which a path was first listed.
    std::optional<std::int64_t> registeredMs(const std::string &path) const;

    /// In one commit; in memory also when that fails.
    Expected<void> store(const std::vector<CachedModel> &models);
    /// SHA-256 by path, in one commit.
    Expected<void> storeHashes(const std::unordered_map<std::string, std::string> &hashes);

    /// What the user says of the file at a path; nothing chosen for most.
    ModelChoices choices(const std::string &path) const;
    Expected<void> storeChoices(const std::string &path, const ModelChoices &choices);

    Expected<std::vector<std::string>> folders();
    Expected<void> addFolder(const std::string &path);
    Expected<void> removeFolder(const std::string &path);

private:
    Expected<void> loadChoices();

    Database *m_database;
    std::unordered_map<std::string, CachedModel> m_models;
    std::unordered_map<std::string, ModelChoices> m_choices;
};

}  // namespace sg
