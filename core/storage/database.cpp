#include "core/storage/database.h"

#include "core/base/log.h"
#include "core/base/version.h"
#include "core/storage/schema.h"

#include <QDateTime>
#include <QSqlDatabase>
#include <QSqlError>

#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <unistd.h>

namespace sg {
namespace {

enum SqliteCode { Busy = 5, Locked = 6, ReadOnly = 8, Corrupt = 11, Full = 13, CantOpen = 14, NotADatabase = 26 };

int sqliteCode(const QSqlError &error)
{
    return error.nativeErrorCode().toInt() & 0xff;
}

Error toError(const QSqlError &error, const std::string &file)
{
    const std::string text = "database " + file + ": " + error.databaseText().toStdString() + " (SQLite " +
                             error.nativeErrorCode().toStdString() + ")";
    switch (sqliteCode(error)) {
    case Full:
        return {ErrorCode::DiskFull, text, file};
    case Busy:
    case Locked:
    case ReadOnly:
    case CantOpen:
        return {ErrorCode::Unavailable, text, file};
    default:
        return {ErrorCode::Internal, text, file};
    }
}

/// Files that this process has checked; the mutex also keeps two threads from checking or moving the same file.
struct CheckedFiles {
    std::mutex mutex;
    std::set<std::filesystem::path> files;
};

CheckedFiles &checkedFiles()
{
    static CheckedFiles checked;
    return checked;
}

Expected<void> moveAside(const std::filesystem::path &file, const std::string &why)
{
    const std::string stamp =
        QDateTime::currentDateTimeUtc().toString(QStringLiteral("yyyyMMdd-HHmmss-zzz")).toStdString();
    const std::string aside = file.string() + ".broken-" + stamp;
    std::error_code error;
    std::filesystem::rename(file, aside, error);
    if (error)
        return fail(ErrorCode::Internal,
                    "cannot move the broken database " + file.string() + " aside: " + error.message(), file.string());
    for (const char *suffix : {"-wal", "-shm"})
        std::filesystem::rename(file.string() + suffix, aside + suffix, error);
    logError("storage", "the database " + file.string() + " is broken (" + why + "); it was moved to " + aside +
                            " and a new one begun: tasks and folders of before are not listed, pictures are untouched");
    return {};
}

}  // namespace

Database::Database(std::filesystem::path file, QString connection)
    : m_file(std::move(file)), m_connection(std::move(connection))
{
}

Database::~Database()
{
    QSqlDatabase::database(m_connection, false).close();
    QSqlDatabase::removeDatabase(m_connection);
}

Expected<QSqlQuery> Database::run(const char *sql, const QVariantList &values)
{
    QSqlQuery query(QSqlDatabase::database(m_connection, false));
    query.setForwardOnly(true);
    if (!query.prepare(QString::fromUtf8(sql))) return Unexpected{toError(query.lastError(), m_file.string())};
    for (const QVariant &value : values)
        query.addBindValue(value);
    if (!query.exec()) return Unexpected{toError(query.lastError(), m_file.string())};
    return query;
}

Expected<int> Database::change(const char *sql, const QVariantList &values)
{
    Expected<QSqlQuery> query = run(sql, values);
    if (!query) return Unexpected{query.error()};
    return query->numRowsAffected();
}

Expected<std::unique_ptr<Database>> Database::connect(const std::filesystem::path &file)
{
    static std::atomic<unsigned> counter{0};
    const QString name = QStringLiteral("serigraph-%1").arg(++counter);
    QSqlDatabase connection = QSqlDatabase::addDatabase(QStringLiteral("QSQLITE"), name);
    std::unique_ptr<Database> database(new Database(file, name));
    if (!connection.isValid())
        return fail(ErrorCode::Internal, "Qt's SQLite driver is missing: apt install libqt6sql6-sqlite", "QSQLITE");
    connection.setConnectOptions(QStringLiteral("QSQLITE_BUSY_TIMEOUT=10000"));
    connection.setDatabaseName(QString::fromStdString(file.string()));
    const bool opened = connection.open();
    const QSqlError error = connection.lastError();
    connection = QSqlDatabase();
    if (!opened) return Unexpected{toError(error, file.string())};
    return database;
}

Expected<void> Database::configure()
{
    for (const char *sql : {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON"}) {
        Expected<QSqlQuery> query = run(sql);
        if (!query) return Unexpected{query.error()};
    }
    return {};
}

Expected<void> Database::check()
{
    Expected<QSqlQuery> query = run("PRAGMA quick_check(1)");
    if (!query) return Unexpected{query.error()};
    const QString answer = query->next() ? query->value(0).toString() : QStringLiteral("no answer");
    if (answer != QStringLiteral("ok")) return fail(ErrorCode::UnusableFile, answer.toStdString(), m_file.string());
    return {};
}

Expected<void> Database::migrate()
{
    const int newest = migrations().back().version;
    Expected<Transaction> transaction = Transaction::begin(*this);
    if (!transaction) return Unexpected{transaction.error()};
    if (Expected<QSqlQuery> made =
            run("CREATE TABLE IF NOT EXISTS schema_versions "
                "(version INTEGER PRIMARY KEY, program TEXT NOT NULL, applied_ms INTEGER NOT NULL)");
        !made)
        return Unexpected{made.error()};
    int version = 0;
    {
        Expected<QSqlQuery> query = run("SELECT COALESCE(MAX(version), 0) FROM schema_versions");
        if (!query) return Unexpected{query.error()};
        if (query->next()) version = query->value(0).toInt();
    }
    if (version > newest)
        return fail(ErrorCode::Unavailable,
                    "the database " + m_file.string() + " has schema " + std::to_string(version) + "; this program (" +
                        std::string(sg::version()) + ") knows up to " + std::to_string(newest) +
                        ": use the newer program",
                    m_file.string());
    if (version == newest) return {};
    for (const Migration &step : migrations()) {
        if (step.version <= version) continue;
        for (const std::string_view statement : step.statements)
            if (Expected<QSqlQuery> done = run(std::string(statement).c_str()); !done) return Unexpected{done.error()};
        const QVariantList row{step.version, QString::fromStdString(std::string(sg::version())),
                               QDateTime::currentMSecsSinceEpoch()};
        if (Expected<int> noted = change("INSERT INTO schema_versions VALUES (?, ?, ?)", row); !noted)
            return Unexpected{noted.error()};
    }
    return transaction->commit();
}

Expected<std::unique_ptr<Database>> Database::open(const std::filesystem::path &file)
{
    const std::filesystem::path path = std::filesystem::absolute(file).lexically_normal();
    const std::lock_guard guard(checkedFiles().mutex);
    const bool known = checkedFiles().files.contains(path);
    const auto attempt = [&]() -> Expected<std::unique_ptr<Database>> {
        Expected<std::unique_ptr<Database>> database = connect(path);
        if (!database) return database;
        Expected<void> ready = known ? Expected<void>() : (*database)->check();
        if (ready) ready = (*database)->configure();
        if (ready) ready = (*database)->migrate();
        if (!ready) return Unexpected{ready.error()};
        return database;
    };
    Expected<std::unique_ptr<Database>> database = attempt();
    // Internal here is SQLite's "malformed" or "not a database", UnusableFile what quick_check found.
    const bool broken = !database && (database.error().code == ErrorCode::UnusableFile ||
                                      database.error().message.ends_with("(SQLite 11)") ||
                                      database.error().message.ends_with("(SQLite 26)"));
    if (broken && !known) {
        if (Expected<void> moved = moveAside(path, database.error().message); !moved) return Unexpected{moved.error()};
        database = attempt();
    }
    if (database) checkedFiles().files.insert(path);
    return database;
}

Expected<Transaction> Transaction::begin(Database &database)
{
    Expected<QSqlQuery> begun = database.run("BEGIN IMMEDIATE");
    if (!begun) return Unexpected{begun.error()};
    return Transaction(database);
}

Expected<void> Transaction::commit()
{
    Expected<QSqlQuery> done = m_database->run("COMMIT");
    // After a failed COMMIT the transaction may still be open: the destructor rolls it back.
    if (!done) return Unexpected{done.error()};
    m_database = nullptr;
    return {};
}

Transaction::~Transaction()
{
    if (m_database) (void)m_database->run("ROLLBACK");
}

}  // namespace sg
