#include "tests/responsive/loop_watch.h"
#include "tests/ui/desktop_fixture.h"
#include "ui/generate/generate_page.h"
#include "ui/generate/picture_panel.h"
#include "ui/models/models_page.h"

#include <QDir>
#include <QFile>
#include <QPushButton>
#include <QSignalSpy>
#include <QTableView>
#include <QTest>
#include <QThread>
#include <QTimer>

#include <algorithm>

using namespace Qt::Literals::StringLiterals;
using namespace sg::ui;
using sg::test::DesktopFixture;
using sg::test::LoopWatch;

namespace {

constexpr int kPatience = 300'000;
constexpr int kFiles = 2000;
constexpr std::int64_t kLimitNs = 100'000'000;

/// A small valid safetensors file: a LoRA of one layer; each has another content, so another hash.
QByteArray smallModel(int number)
{
    const QByteArray header =
        R"({"__metadata__":{"number":")" + QByteArray::number(number) +
        R"("},"lora_unet_mid_block_attentions_0_proj_in.alpha":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
        R"("lora_unet_mid_block_attentions_0_proj_in.lora_down.weight":{"dtype":"F32","shape":[1,4],"data_offsets":[4,20]},)"
        R"("lora_unet_mid_block_attentions_0_proj_in.lora_up.weight":{"dtype":"F32","shape":[4,1],"data_offsets":[20,36]}})";
    QByteArray file(8, '\0');
    for (int i = 0; i < 8; ++i)
        file[i] = static_cast<char>(static_cast<quint64>(header.size()) >> (8 * i));
    return file + header + QByteArray(36, static_cast<char>(number));
}

bool writeModels(const QString &folder)
{
    for (int i = 0; i < kFiles; ++i) {
        const QString below = u"%1/set%2"_s.arg(folder).arg(i % 40);
        if (i < 40 && !QDir().mkpath(below)) return false;
        QFile file(u"%1/model %2.safetensors"_s.arg(below).arg(i, 4, 10, QLatin1Char('0')));
        const QByteArray bytes = smallModel(i);
        if (!file.open(QIODevice::WriteOnly) || file.write(bytes) != bytes.size()) return false;
    }
    return true;
}

}  // namespace

class ResponsiveTest : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void theWatchSeesABlock();
    void generationWhileModelsScans();

private:
    DesktopFixture m_desktop{DesktopFixture::Engine::Real};
};

void ResponsiveTest::theWatchSeesABlock()
{
    LoopWatch watch;
    QTest::qWait(50);
    QVERIFY2(watch.longestNs() < kLimitNs, qPrintable(watch.report()));
    QTimer::singleShot(10, this, [] { QThread::msleep(150); });
    QTest::qWait(300);
    QVERIFY2(watch.longestNs() >= 150'000'000, qPrintable(watch.report()));
}

void ResponsiveTest::generationWhileModelsScans()
{
    QTemporaryDir models;
    QVERIFY(writeModels(models.path()));
    const QString problem = m_desktop.start();
    QVERIFY2(problem.isEmpty(), qPrintable(problem));
    QVERIFY(m_desktop.openWindow());
    MainWindow &window = m_desktop.window();
    window.resize(1280, 800);
    GeneratePage &page = window.generatePage();
    QTableView *table = window.modelsPage().table();
    QSignalSpy previews(&page.queue(), &GenerationQueue::previewed);
    page.parameters().set("steps", std::int64_t{30});

    LoopWatch watch;
    bool added = false;
    m_desktop.client().addFolder(models.path(), this,
                                 [&added](const sg::Expected<sg::Json> &reply) { added = reply.has_value(); });
    page.generate();
    for (int turn = 0; page.queue().pending() > 0 || !page.pictures().current(); ++turn) {
        window.showPage(turn % 3 == 2 ? MainWindow::Models : MainWindow::Generate);
        if (window.page() == MainWindow::Models) table->selectRow(turn % std::max(1, table->model()->rowCount()));
        QTest::qWait(400);
        QVERIFY2(turn * 400 < kPatience, "the generation does not end");
    }
    window.showPage(MainWindow::Models);
    QTRY_COMPARE_WITH_TIMEOUT(table->model()->rowCount(), kFiles + 1, kPatience);
    for (int column = 0; column < table->model()->columnCount(); ++column) {
        table->sortByColumn(column, Qt::DescendingOrder);
        QTest::qWait(50);
    }
    qInfo().noquote() << watch.report() << previews.count() << "previews";
    QVERIFY(added);
    QVERIFY(previews.count() >= 3);
    QVERIFY(watch.turns() > 100);
    QVERIFY2(watch.longestNs() <= kLimitNs, qPrintable(watch.report()));
}

QTEST_MAIN(ResponsiveTest)
#include "window_test.moc"
