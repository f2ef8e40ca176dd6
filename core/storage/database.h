#pragma once

#include "core/base/expected.h"

#include <QSqlQuery>
#include <QString>
#include <QVariant>

#include <filesystem>
#include <memory>

namespace sg {

/// One connection to the SQLite file (WAL, synchronous FULL, foreign keys on). What commit() confirmed survives a power
/// cut. Thread  used only by the thread that opened it; each thread opens its own. Errors  DiskFull; Unavailable for a
/// read-only or locked file; Internal with SQLite's own words.
class Database {
public:
    /// Opens or makes the file and brings its schema up to date. The first open of a file in a process checks it whole:
    /// a broken one is moved aside (never deleted) and a new one begun, which the log says.
    /// Errors  also Unavailable for a schema that is newer than this program.
    static Expected<std::unique_ptr<Database>> open(const std::filesystem::path &file);
    ~Database();
    Database(const Database &) = delete;
    Database &operator=(const Database &) = delete;

    /// Runs one statement with its values; the query stands before its first row.
    Expected<QSqlQuery> run(const char *sql, const QVariantList &values = {});
    /// The same, for the number of rows changed.
    Expected<int> change(const char *sql, const QVariantList &values = {});

    const std::filesystem::path &file() const { return m_file; }

private:
    friend class Transaction;
    Database(std::filesystem::path file, QString connection);
    static Expected<std::unique_ptr<Database>> connect(const std::filesystem::path &file);
    Expected<void> configure();
    Expected<void> check();
    Expected<void> migrate();

    std::filesystem::path m_file;
    QString m_connection;
};

/// Everything between begin() and commit() happens or nothing does; without a commit it is rolled back.
class Transaction {
public:
    static Expected<Transaction> begin(Database &database);
    Transaction(Transaction &&other) noexcept : m_database(std::exchange(other.m_database, nullptr)) {}
    Transaction &operator=(Transaction &&) = delete;
    ~Transaction();

    Expected<void> commit();

private:
    explicit Transaction(Database &database) : m_database(&database) {}
    Database *m_database;
};

}  // namespace sg
