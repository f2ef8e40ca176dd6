#include "core/storage/courier.h"
#include "core/storage/data_dir_lock.h"
#include "core/storage/database.h"
#include "core/storage/object_store.h"
#include "core/storage/signed_links.h"

#include "core/base/log.h"

#include <QProcess>
#include <QSysInfo>
#include <QTemporaryDir>
#include <QTest>
#include <QThread>

#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace sg;
namespace fs = std::filesystem;

class StorageTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void databaseKeepsWhatWasCommitted();
    void transactionWithoutCommitIsUndone();
    void databaseIsDurableAndChecked();
    void brokenDatabaseIsMovedAside_data();
    void brokenDatabaseIsMovedAside();
    void newerSchemaIsRefused();
    void unwritableDatabaseSaysSo();
    void twoThreadsOpenOneFile();
    void objectsComeBack();
    void objectNames_data();
    void objectNames();
    void objectStoreFollowsNoLinks();
    void leftoversAreRemoved();
    void linksVerify();
    void linksRefuseWhatWasChanged();
    void linksKeepTheirKey();
    void lockIsSharedInOneProcess();
    void lockKeepsOthersOut();
    void lockOfADeadProcessIsTaken();
    void lockFileOfAnotherContainerIsTaken();
    void replyComesInTheAskersThread();
    void replyToTheDeadIsDropped();

private:
    fs::path folder() const { return fs::path(m_dir.path().toStdString()) / QTest::currentTestFunction(); }
    QTemporaryDir m_dir;
};

void StorageTest::databaseKeepsWhatWasCommitted()
{
    fs::create_directories(folder());
    {
        auto database = Database::open(folder() / "a.db");
        QVERIFY2(database.has_value(), database ? "" : database.error().message.c_str());
        QCOMPARE(*(*database)->change("INSERT INTO model_folders VALUES (?, ?)", {QStringLiteral("/models/é"), 5}), 1);
    }
    auto database = Database::open(folder() / "a.db");
    auto query = (*database)->run("SELECT path, added_ms FROM model_folders");
    QVERIFY(query && query->next());
    QCOMPARE(query->value(0).toString(), QStringLiteral("/models/é"));
    QCOMPARE(query->value(1).toInt(), 5);
    QCOMPARE((*database)->run("SELECT nothing FROM nowhere").error().code, ErrorCode::Internal);
}

void StorageTest::transactionWithoutCommitIsUndone()
{
    fs::create_directories(folder());
    auto database = Database::open(folder() / "a.db");
    {
        auto transaction = Transaction::begin(**database);
        QVERIFY((*database)->change("INSERT INTO model_folders VALUES ('x', 1)").has_value());
    }
    auto query = (*database)->run("SELECT COUNT(*) FROM model_folders");
    QVERIFY(query->next());
    QCOMPARE(query->value(0).toInt(), 0);
    query->finish();
    auto transaction = Transaction::begin(**database);
    QVERIFY((*database)->change("INSERT INTO model_folders VALUES ('x', 1)").has_value());
    QVERIFY(transaction->commit().has_value());
}

void StorageTest::databaseIsDurableAndChecked()
{
    fs::create_directories(folder());
    auto database = Database::open(folder() / "a.db");
    const auto pragma = [&](const char *sql) {
        auto query = (*database)->run(sql);
        return query && query->next() ? query->value(0).toString() : QString();
    };
    QCOMPARE(pragma("PRAGMA journal_mode"), QStringLiteral("wal"));
    QCOMPARE(pragma("PRAGMA synchronous"), QStringLiteral("2"));
    QCOMPARE(pragma("PRAGMA foreign_keys"), QStringLiteral("1"));
    QCOMPARE(pragma("PRAGMA busy_timeout"), QStringLiteral("10000"));
    QVERIFY(!(*database)->change("INSERT INTO results VALUES (77, '[]')").has_value());
}

void StorageTest::brokenDatabaseIsMovedAside_data()
{
    QTest::addColumn<int>("kind");
    QTest::newRow("text") << 0;
    QTest::newRow("first page overwritten") << 1;
    QTest::newRow("later page overwritten") << 2;
    QTest::newRow("cut in the middle") << 3;
}

void StorageTest::brokenDatabaseIsMovedAside()
{
    QFETCH(int, kind);
    const fs::path at = folder() / std::to_string(kind);
    fs::create_directories(at);
    // Made under another name: a file that this process has opened is not checked again.
    {
        auto database = Database::open(at / "made.db");
        auto transaction = Transaction::begin(**database);
        for (int i = 0; i < 3000; ++i)
            QVERIFY((*database)
                        ->change("INSERT INTO model_folders VALUES (?, 1)", {QStringLiteral("/folder/%1").arg(i)})
                        .has_value());
        QVERIFY(transaction->commit().has_value());
    }
    fs::copy_file(at / "made.db", at / "a.db");
    const auto size = static_cast<std::int64_t>(fs::file_size(at / "a.db"));
    QVERIFY(size > 40'000);
    {
        std::fstream file(at / "a.db", std::ios::in | std::ios::out | std::ios::binary);
        const std::string junk(kind == 2 ? 20'000 : 4096, kind == 0 ? 'x' : '\xfe');
        file.seekp(kind == 2 ? size - 24'000 : 0);
        if (kind < 3) file << junk;
    }
    if (kind == 3) fs::resize_file(at / "a.db", static_cast<std::uintmax_t>(size / 2));
    const std::string broken = [&] {
        std::ifstream file(at / "a.db", std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(file), {});
    }();
    const std::uint64_t before =
        Log::instance().linesAfter(0, 100'000).empty() ? 0 : Log::instance().linesAfter(0, 100'000).back().number;
    auto database = Database::open(at / "a.db");
    QVERIFY2(database.has_value(), database ? "" : database.error().message.c_str());
    auto query = (*database)->run("SELECT COUNT(*) FROM model_folders");
    QVERIFY(query && query->next());
    QCOMPARE(query->value(0).toInt(), 0);
    bool kept = false;
    for (const auto &entry : fs::directory_iterator(at)) {
        if (entry.path().string().find("a.db.broken-") == std::string::npos || entry.path().string().ends_with("-wal"))
            continue;
        std::ifstream file(entry.path(), std::ios::binary);
        kept = kept || std::string(std::istreambuf_iterator<char>(file), {}) == broken;
    }
    QVERIFY(kept);
    const auto lines = Log::instance().linesAfter(before);
    QVERIFY(!lines.empty() && lines.back().message.find("is broken") != std::string::npos);
}

void StorageTest::newerSchemaIsRefused()
{
    fs::create_directories(folder());
    {
        auto database = Database::open(folder() / "a.db");
        QVERIFY((*database)->change("INSERT INTO schema_versions VALUES (999, '9.9', 0)").has_value());
    }
    const auto database = Database::open(folder() / "a.db");
    QCOMPARE(database.error().code, ErrorCode::Unavailable);
    QVERIFY(database.error().message.find("schema 999") != std::string::npos);
    QVERIFY(fs::exists(folder() / "a.db"));
}

void StorageTest::unwritableDatabaseSaysSo()
{
    fs::create_directories(folder() / "a.db");
    const auto database = Database::open(folder() / "a.db");
    QCOMPARE(database.error().code, ErrorCode::Unavailable);
    QVERIFY(database.error().message.find((folder() / "a.db").string()) != std::string::npos);
}

void StorageTest::twoThreadsOpenOneFile()
{
    fs::create_directories(folder());
    std::atomic<int> stored{0};
    std::vector<std::unique_ptr<QThread>> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back(QThread::create([&, t] {
            auto database = Database::open(folder() / "a.db");
            for (int i = 0; database && i < 10; ++i)
                stored +=
                    (*database)
                        ->change("INSERT INTO model_folders VALUES (?, 1)", {QStringLiteral("%1/%2").arg(t).arg(i)})
                        .has_value();
        }));
        threads.back()->start();
    }
    for (const auto &thread : threads)
        QVERIFY(thread->wait(30'000));
    QCOMPARE(stored.load(), 40);
}

void StorageTest::objectsComeBack()
{
    auto store = ObjectStore::open(folder());
    QVERIFY(store.has_value());
    std::string bytes(300'000, 'x');
    bytes[7] = '\0';
    QVERIFY(store->write("images/田中/a_1.png", bytes).has_value());
    QCOMPARE(*store->read("images/田中/a_1.png"), bytes);
    QVERIFY(store->write("images/田中/a_1.png", "new").has_value());
    QCOMPARE(*store->read("images/田中/a_1.png"), std::string("new"));
    QVERIFY(store->remove("images/田中/a_1.png").has_value());
    QVERIFY(store->remove("images/田中/a_1.png").has_value());
    QVERIFY(store->remove("images/nobody/a_1.png").has_value());
    QCOMPARE(store->read("images/田中/a_1.png").error().code, ErrorCode::NotFound);
    QVERIFY(store->write("images/a/empty.png", "").has_value());
    QCOMPARE(*store->read("images/a/empty.png"), std::string());
}

void StorageTest::objectNames_data()
{
    QTest::addColumn<QByteArray>("name");
    QTest::addColumn<bool>("good");
    for (const char *good : {"a", "a/b.png", "images/default/Ab3_1.png", "images/ü ñ/x_1.png", "~x"})
        QTest::newRow(good) << QByteArray(good) << true;
    for (const char *bad : {"",
                            "/",
                            "/a",
                            "a/",
                            "a//b",
                            "..",
                            "../a",
                            "a/../b",
                            "a/..",
                            ".",
                            ".hidden",
                            "a/.x",
                            "a\\b",
                            "..\\a",
                            "C:\\a",
                            "C:a",
                            "//host/x",
                            "a\nb",
                            "a\x7f"
                            "b",
                            "a\xc2\x85"
                            "b",
                            "\xff",
                            "a\xc0\xaf"
                            "b",
                            "a\xe2\x88\x95"
                            "b",
                            "a.",
                            " a",
                            "a ",
                            "x.tmp",
                            "a..b"})
        QTest::newRow(bad) << QByteArray(bad) << false;
    QTest::newRow("nul") << QByteArray("a\0b", 3) << false;
    QTest::newRow("long part") << QByteArray(201, 'a') << false;
    QTest::newRow("long name") << QByteArray("a/").repeated(600) + "a" << false;
}

void StorageTest::objectNames()
{
    QFETCH(QByteArray, name);
    QFETCH(bool, good);
    auto store = ObjectStore::open(folder());
    const std::string text = name.toStdString();
    QCOMPARE(ObjectStore::checkName(text).has_value(), good);
    QCOMPARE(store->write(text, "x").has_value(), good);
    if (good)
        QVERIFY(store->remove(text).has_value());
    else
        QCOMPARE(store->read(text).error().code, ErrorCode::InvalidArgument);
}

void StorageTest::objectStoreFollowsNoLinks()
{
    auto store = ObjectStore::open(folder() / "objects");
    QVERIFY(store->write("images/a/b.png", "x").has_value());
    const fs::path images = folder() / "objects" / "images";
    std::ofstream(folder() / "secret.png") << "secret";
    fs::create_symlink(folder() / "secret.png", images / "a" / "link.png");
    fs::create_directory_symlink(folder(), images / "out");
    QVERIFY(::mkfifo((images / "a" / "fifo.png").c_str(), 0600) == 0);
    fs::create_directory(images / "a" / "folder.png");
    for (const char *name : {"images/a/link.png", "images/out/secret.png", "images/a/fifo.png", "images/a/folder.png",
                             "images/a/b.png/x.png"})
        QCOMPARE(store->read(name).error().code, ErrorCode::NotFound);
    QVERIFY(!store->write("images/out/new.png", "x").has_value());
    QVERIFY(!fs::exists(folder() / "new.png"));
    // Writing onto a link replaces the link, not what it leads to.
    QVERIFY(store->write("images/a/link.png", "x").has_value());
    QVERIFY(!fs::is_symlink(images / "a" / "link.png"));
    QCOMPARE(fs::file_size(folder() / "secret.png"), 6u);
}

void StorageTest::leftoversAreRemoved()
{
    QVERIFY(ObjectStore::open(folder())->write("images/a/b.png", "x").has_value());
    std::ofstream(folder() / "images/a/b.png.AbCdEf0123.tmp") << "half";
    std::ofstream(folder() / "c.tmp") << "half";
    auto store = ObjectStore::open(folder());
    QVERIFY(!fs::exists(folder() / "images/a/b.png.AbCdEf0123.tmp") && !fs::exists(folder() / "c.tmp"));
    QCOMPARE(*store->read("images/a/b.png"), std::string("x"));
}

void StorageTest::linksVerify()
{
    fs::create_directories(folder());
    const auto links = SignedLinks::open(folder() / "links.key");
    QVERIFY(links.has_value());
    const std::string link = links->link("images/ü/a b_1.png", 1000, 60);
    QVERIFY(link.starts_with("/files/images/%C3%BC/a%20b_1.png?expires=1060&signature="));
    const std::string signature = link.substr(link.rfind('=') + 1);
    QCOMPARE(signature.size(), 64u);
    QVERIFY(links->verify("images/ü/a b_1.png", "1060", signature, 1059).has_value());
    QCOMPARE(links->verify("images/ü/a b_1.png", "1060", signature, 1060).error().code, ErrorCode::Expired);
}

void StorageTest::linksRefuseWhatWasChanged()
{
    fs::create_directories(folder());
    const auto links = SignedLinks::open(folder() / "links.key");
    const std::string link = links->link("images/u/a_1.png", 1000, 60);
    const std::string signature = link.substr(link.rfind('=') + 1);
    const auto code = [&](std::string_view object, std::string_view expires, std::string_view given) {
        const auto checked = links->verify(object, expires, given, 1001);
        return checked ? ErrorCode::Internal : checked.error().code;
    };
    QCOMPARE(code("images/u/a_2.png", "1060", signature), ErrorCode::Forbidden);
    for (const char *expires : {"1061", "99999999999", "", "x", "01060", " 1060", "1060 ", "+1060"})
        QCOMPARE(code("images/u/a_1.png", expires, signature), ErrorCode::Forbidden);
    for (std::size_t i = 0; i < signature.size(); ++i) {
        std::string other = signature;
        other[i] = other[i] == '0' ? '1' : '0';
        QCOMPARE(code("images/u/a_1.png", "1060", other), ErrorCode::Forbidden);
    }
    QCOMPARE(code("images/u/a_1.png", "1060", ""), ErrorCode::Forbidden);
    QCOMPARE(code("images/u/a_1.png", "1060", signature + "0"), ErrorCode::Forbidden);
    const auto others = SignedLinks::open(folder() / "other.key");
    QVERIFY(!others->verify("images/u/a_1.png", "1060", signature, 1001).has_value());
}

void StorageTest::linksKeepTheirKey()
{
    fs::create_directories(folder());
    const std::string link = SignedLinks::open(folder() / "links.key")->link("a", 0);
    QCOMPARE(SignedLinks::open(folder() / "links.key")->link("a", 0), link);
    struct stat status {};
    QVERIFY(::stat((folder() / "links.key").c_str(), &status) == 0);
    QCOMPARE(status.st_mode & 0777, 0600u);
    QCOMPARE(status.st_size, 32);
    std::ofstream(folder() / "short.key") << "short";
    QCOMPARE(SignedLinks::open(folder() / "short.key").error().code, ErrorCode::Internal);
    std::size_t files = 0;
    for (const auto &entry : fs::directory_iterator(folder()))
        files += entry.exists();
    QCOMPARE(files, 2u);
}

void StorageTest::lockIsSharedInOneProcess()
{
    auto first = DataDirLock::acquire(folder());
    auto second = DataDirLock::acquire(folder() / ".");
    QVERIFY(first && second);
    QCOMPARE(first->get(), second->get());
    first->reset();
    QVERIFY(fs::exists(folder() / "serigraph.lock"));
    second->reset();
    QVERIFY(!fs::exists(folder() / "serigraph.lock"));
}

/// This program again, as another process: takes the lock, says so, and waits to be killed.
static QStringList holderArguments(const fs::path &folder)
{
    return {QStringLiteral("--hold-lock"), QString::fromStdString(folder.string())};
}

void StorageTest::lockKeepsOthersOut()
{
    auto held = DataDirLock::acquire(folder());
    QVERIFY(held.has_value());
    QProcess other;
    other.start(QCoreApplication::applicationFilePath(), holderArguments(folder()));
    QVERIFY(other.waitForFinished(20'000));
    const QString said = QString::fromUtf8(other.readAllStandardOutput());
    QVERIFY2(said.contains(QStringLiteral("process %1").arg(QCoreApplication::applicationPid())), qPrintable(said));
    QCOMPARE(other.exitCode(), 1);
}

void StorageTest::lockOfADeadProcessIsTaken()
{
    QProcess other;
    other.start(QCoreApplication::applicationFilePath(), holderArguments(folder()));
    QVERIFY(other.waitForReadyRead(20'000));
    QCOMPARE(other.readAllStandardOutput().trimmed(), QByteArray("held"));
    QCOMPARE(DataDirLock::acquire(folder()).error().code, ErrorCode::Conflict);
    other.kill();
    QVERIFY(other.waitForFinished(20'000));
    QVERIFY(fs::exists(folder() / "serigraph.lock"));
    QVERIFY(DataDirLock::acquire(folder()).has_value());
}

/// After a container's crash the file stays, and its PID is that of a living process in the next container.
void StorageTest::lockFileOfAnotherContainerIsTaken()
{
    fs::create_directories(folder());
    std::ofstream(folder() / "serigraph.lock") << ::getppid() << "\nserigraphd\n"
                                               << QSysInfo::machineHostName().toStdString() << "\n";
    const auto lock = DataDirLock::acquire(folder());
    QVERIFY2(lock.has_value(), lock ? "" : lock.error().message.c_str());
}

void StorageTest::replyComesInTheAskersThread()
{
    QObject context;
    QThread *where = nullptr;
    int value = 0;
    const PendingReply<int> reply(&context, [&](Expected<int> answer) {
        where = QThread::currentThread();
        value = *answer;
    });
    std::unique_ptr<QThread> worker(QThread::create([&] { reply(42); }));
    worker->start();
    QVERIFY(worker->wait(10'000));
    QCOMPARE(value, 0);
    QTRY_COMPARE(value, 42);
    QCOMPARE(where, QThread::currentThread());
}

void StorageTest::replyToTheDeadIsDropped()
{
    bool called = false;
    for (int i = 0; i < 500; ++i) {
        auto context = std::make_unique<QObject>();
        const PendingReply<int> reply(context.get(), [&](const auto &) { called = true; });
        std::unique_ptr<QThread> worker(QThread::create([&] { reply(1); }));
        worker->start();
        context.reset();
        QVERIFY(worker->wait(10'000));
    }
    QTest::qWait(20);
    QVERIFY(!called);
}

int main(int count, char **words)
{
    QCoreApplication application(count, words);
    if (count == 3 && std::string(words[1]) == "--hold-lock") {
        const auto lock = DataDirLock::acquire(words[2]);
        std::printf("%s\n", lock ? "held" : lock.error().message.c_str());
        std::fflush(stdout);
        if (!lock) return 1;
        ::pause();
    }
    StorageTest test;
    return QTest::qExec(&test, count, words);
}
#include "storage_test.moc"
