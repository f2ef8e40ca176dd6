#include "tests/integration/agent/service_fixture.h"

#include <cerrno>
#include <dlfcn.h>

using namespace sg;
using sg::test::ServiceFixture;

/// The order in which a task becomes durable, and what happens when a step of it fails. Needs LD_PRELOAD=fsync_shim
/// (ctest sets it).
class FsyncTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void orderOfATask();
    void aFailedStep_data();
    void aFailedStep();
    void aFailedCommitOfTheResultIsRepeated();
    void aTaskThatWasNotStoredIsRefused();
    void everySyncFailsOnce_data();
    void everySyncFailsOnce();
};

namespace {

template <class Function>
Function shim(const char *name)
{
    return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

void reset()
{
    shim<void (*)()>("sg_shim_reset")();
}
void mark(const std::string &text)
{
    shim<void (*)(const char *)>("sg_shim_mark")(text.c_str());
}
void failNext(const char *operation, const char *path, int after, int times, int error)
{
    shim<void (*)(const char *, const char *, int, int, int)>("sg_shim_fail")(operation, path, after, times, error);
}
int pendingFailures()
{
    return shim<int (*)()>("sg_shim_pending")();
}

std::vector<std::string> entries()
{
    std::vector<std::string> all;
    for (int i = 0; const char *entry = shim<const char *(*)(int)>("sg_shim_entry")(i); ++i)
        all.emplace_back(entry);
    return all;
}

bool isWalSync(const std::string &entry)
{
    return (entry.starts_with("fsync ") || entry.starts_with("fdatasync ")) && entry.ends_with("serigraph.db-wal");
}

/// Index of the first entry from `from` on that `fits`; -1 when there is none.
template <class Fits>
int next(const std::vector<std::string> &all, int from, Fits fits)
{
    for (std::size_t i = static_cast<std::size_t>(std::max(from, 0)); i < all.size(); ++i)
        if (fits(all[i])) return static_cast<int>(i);
    return -1;
}

auto containing(std::string part, std::string start)
{
    return [=](const std::string &entry) { return entry.starts_with(start) && entry.find(part) != std::string::npos; };
}

bool hasTemporaryFile(const ServiceFixture &fixture)
{
    for (const auto &entry : std::filesystem::recursive_directory_iterator(fixture.data()))
        if (entry.path().extension() == ".tmp") return true;
    return false;
}

}  // namespace

void FsyncTest::initTestCase()
{
    QVERIFY2(dlsym(RTLD_DEFAULT, "sg_shim_entry"), "run with LD_PRELOAD=libsg_fsync_shim.so, as ctest does");
}

void FsyncTest::orderOfATask()
{
    ServiceFixture fixture(0);
    // Folders exist and the hash is known from here on: what follows belongs to the second task alone.
    QVERIFY(fixture.submit(ServiceFixture::task("first")).has_value());
    QCOMPARE(fixture.ended("first")->state, TaskState::Succeeded);
    QTest::qWait(300);
    QObject::connect(
        &fixture.service(), &TaskService::taskChanged, &fixture.service(),
        [](const QString &id, int state) { mark(id.toStdString() + " is " + std::to_string(state)); },
        Qt::DirectConnection);
    reset();
    QVERIFY(fixture.submit(ServiceFixture::task("second")).has_value());
    QCOMPARE(fixture.ended("second")->state, TaskState::Succeeded);
    const std::vector<std::string> all = entries();
    const int submitted = next(all, 0, isWalSync);
    const int waiting = next(all, 0, containing("second is 0", "mark"));
    const int claimed = next(all, waiting, isWalSync);
    const int running = next(all, 0, containing("second is 1", "mark"));
    const int opened = next(all, 0, containing("second_1.png.", "open"));
    const int written = next(all, opened, containing("second_1.png.", "write"));
    const int synced = next(all, written, containing("second_1.png.", "fsync"));
    const int renamed = next(all, synced, containing("/second_1.png", "rename"));
    const int folder = next(all, renamed, [](const std::string &entry) {
        return entry.starts_with("fsync ") && entry.ends_with("images/default");
    });
    const int committed = next(all, folder, isWalSync);
    const int told = next(all, 0, containing("second is 2", "mark"));
    const std::vector<int> order{submitted, waiting, claimed, running,   opened, written,
                                 synced,    renamed, folder,  committed, told};
    QString shown;
    for (const std::string &entry : all)
        shown += QString::fromStdString(entry) + QLatin1Char('\n');
    QVERIFY2(order.front() >= 0 && std::is_sorted(order.begin(), order.end()) &&
                 std::adjacent_find(order.begin(), order.end()) == order.end(),
             qPrintable(shown));
}

void FsyncTest::aFailedStep_data()
{
    QTest::addColumn<QByteArray>("operation");
    QTest::addColumn<QByteArray>("path");
    QTest::addColumn<int>("error");
    QTest::addColumn<QByteArray>("code");
    for (const auto &[error, code] : {std::pair{ENOSPC, "disk_full"}, std::pair{EIO, "internal"}}) {
        for (const char *operation : {"open", "write", "fsync", "rename"})
            QTest::addRow("%s %s", operation, code)
                << QByteArray(operation) << QByteArray("broken_2.png") << error << QByteArray(code);
        QTest::addRow("fsync of the folder %s", code)
            << QByteArray("fsync") << QByteArray("images/default") << error << QByteArray(code);
    }
}

void FsyncTest::aFailedStep()
{
    QFETCH(QByteArray, operation);
    QFETCH(QByteArray, path);
    QFETCH(int, error);
    QFETCH(QByteArray, code);
    ServiceFixture fixture(0);
    QVERIFY(fixture.submit(ServiceFixture::task("before")).has_value());
    QCOMPARE(fixture.ended("before")->state, TaskState::Succeeded);
    failNext(operation.constData(), path.constData(), 1, 1, error);
    QVERIFY(fixture.submit(ServiceFixture::task("broken", 2, 3)).has_value());
    const Expected<TaskRecord> ended = fixture.ended("broken");
    QCOMPARE(pendingFailures(), 0);
    QCOMPARE(ended->state, TaskState::Failed);
    QCOMPARE(errorName(ended->error.code), std::string_view(code.constData()));
    QVERIFY2(ended->error.message.find("could not be stored") != std::string::npos, ended->error.message.c_str());
    QCOMPARE(fixture.files(), (std::vector<std::string>{"images/default/before_1.png"}));
    QVERIFY(fixture.submit(ServiceFixture::task("after", 2, 3)).has_value());
    QCOMPARE(fixture.ended("after")->state, TaskState::Succeeded);
    QCOMPARE(fixture.files().size(), 4u);
    QVERIFY(!hasTemporaryFile(fixture));
}

void FsyncTest::aFailedCommitOfTheResultIsRepeated()
{
    ServiceFixture fixture(50);
    QVERIFY(fixture.submit(ServiceFixture::task("kept", 20)).has_value());
    QVERIFY(fixture.running("kept"));
    failNext("sync", "serigraph.db-wal", 1, 1, EIO);
    const Expected<TaskRecord> ended = fixture.ended("kept");
    QCOMPARE(pendingFailures(), 0);
    QCOMPARE(ended->state, TaskState::Succeeded);
    QCOMPARE(fixture.files(), ended->images);
}

void FsyncTest::aTaskThatWasNotStoredIsRefused()
{
    ServiceFixture fixture(0);
    QVERIFY(fixture.submit(ServiceFixture::task("before")).has_value());
    QCOMPARE(fixture.ended("before")->state, TaskState::Succeeded);
    QTest::qWait(300);
    failNext("sync", "serigraph.db-wal", 1, 1, EIO);
    const Expected<TaskRecord> refused = fixture.submit(ServiceFixture::task("again"));
    QCOMPARE(pendingFailures(), 0);
    QVERIFY(!refused.has_value());
    QCOMPARE(fixture.find("again").error().code, ErrorCode::NotFound);
    QVERIFY(fixture.submit(ServiceFixture::task("again")).has_value());
    QCOMPARE(fixture.ended("again")->state, TaskState::Succeeded);
}

void FsyncTest::everySyncFailsOnce_data()
{
    QTest::addColumn<int>("nth");
    for (int nth = 1; nth <= 8; ++nth)
        QTest::addRow("sync %d", nth) << nth;
}

void FsyncTest::everySyncFailsOnce()
{
    QFETCH(int, nth);
    ServiceFixture fixture(0);
    QTRY_VERIFY(!fixture.library().scanning());
    failNext("sync", "data", nth, 1, EIO);
    bool acknowledged = fixture.submit(ServiceFixture::task("task", 1, 2)).has_value();
    if (!acknowledged) QVERIFY(fixture.submit(ServiceFixture::task("task", 1, 2)).has_value());
    const Expected<TaskRecord> ended = fixture.ended("task");
    QVERIFY(ended && isFinal(ended->state));
    if (ended->state == TaskState::Succeeded)
        QCOMPARE(fixture.files(), ended->images);
    else
        QVERIFY(ended->state == TaskState::Failed && !ended->error.message.empty() && fixture.files().empty());
    failNext("sync", "data", 0, 0, 0);
    QVERIFY(fixture.submit(ServiceFixture::task("after")).has_value());
    QCOMPARE(fixture.ended("after")->state, TaskState::Succeeded);
    QVERIFY(!hasTemporaryFile(fixture));
}

QTEST_GUILESS_MAIN(FsyncTest)
#include "fsync_test.moc"
