#include "core/storage/schema.h"

#include <array>

namespace sg {
namespace {

constexpr std::array<std::string_view, 7> kFirst{
    R"(CREATE TABLE tasks (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        user TEXT NOT NULL,
        model TEXT NOT NULL,
        state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),
        params TEXT NOT NULL,
        body TEXT NOT NULL,
        body_hash TEXT NOT NULL,
        notes TEXT NOT NULL,
        image_count INTEGER NOT NULL,
        error_code TEXT NOT NULL DEFAULT '',
        error_message TEXT NOT NULL DEFAULT '',
        error_subject TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 0,
        created_ms INTEGER NOT NULL,
        started_ms INTEGER NOT NULL DEFAULT 0,
        ended_ms INTEGER NOT NULL DEFAULT 0))",
    "CREATE INDEX tasks_open ON tasks (state, seq) WHERE state < 2",
    R"(CREATE TABLE results (
        task INTEGER PRIMARY KEY REFERENCES tasks (seq) ON DELETE CASCADE,
        images TEXT NOT NULL))",
    R"(CREATE TABLE model_folders (
        path TEXT PRIMARY KEY,
        added_ms INTEGER NOT NULL))",
    R"(CREATE TABLE model_files (
        path TEXT PRIMARY KEY,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        reader INTEGER NOT NULL,
        record TEXT NOT NULL,
        sha256 TEXT NOT NULL DEFAULT '',
        registered_ms INTEGER NOT NULL))",
    "CREATE INDEX tasks_user ON tasks (user, seq)",
    "CREATE INDEX model_files_hash ON model_files (sha256)",
};

constexpr std::array<std::string_view, 1> kChoices{
    R"(CREATE TABLE model_choices (
        path TEXT PRIMARY KEY,
        choices TEXT NOT NULL))",
};

constexpr std::array<Migration, 2> kMigrations{{{1, kFirst}, {2, kChoices}}};

}  // namespace

std::span<const Migration> migrations()
{
    return kMigrations;
}

}  // namespace sg
