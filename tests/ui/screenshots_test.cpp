#include "tests/ui/desktop_fixture.h"
#include "ui/generate/generate_page.h"
#include "ui/generate/picture_panel.h"
#include "ui/shell/language.h"

#include <QDir>
#include <QFileInfo>
#include <QTest>

using namespace Qt::Literals::StringLiterals;
using namespace sg::ui;
using sg::test::DesktopFixture;

namespace {
constexpr int kPatience = 240'000;
}

/// A picture of each page, light and dark, and of Generate in Chinese, with what the starter model draws in it. They
/// land in $SG_SCREENSHOTS.
class ScreenshotsTest : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void initTestCase();
    void pages_data();
    void pages();
    void small();
    void chinese();

private:
    void draw();
    void grab(const QString &name);

    QString m_folder;
    DesktopFixture m_desktop{DesktopFixture::Engine::Real};
};

void ScreenshotsTest::initTestCase()
{
    m_folder = qEnvironmentVariable("SG_SCREENSHOTS", QDir::tempPath());
    QVERIFY(QDir().mkpath(m_folder));
    QVERIFY(installLanguage(*qApp, QLocale(QLocale::English)));
    const QString problem = m_desktop.start();
    QVERIFY2(problem.isEmpty(), qPrintable(problem));
    QVERIFY(m_desktop.openWindow());
    m_desktop.window().resize(1280, 800);
    draw();
}

void ScreenshotsTest::draw()
{
    GeneratePage &page = m_desktop.window().generatePage();
    page.parameters().set("seed", std::int64_t{20});
    page.generate();
    QTRY_VERIFY_WITH_TIMEOUT(page.pictures().current(), kPatience);
    QTRY_COMPARE_WITH_TIMEOUT(page.queue().pending(), 0, kPatience);
}

void ScreenshotsTest::grab(const QString &name)
{
    QTest::qWait(1500);  // what the page asks the server for has come
    const QString path = QDir(m_folder).filePath(name + u".png"_s);
    const QImage picture = m_desktop.window().grab().toImage().convertToFormat(QImage::Format_RGB32);
    QVERIFY(picture.save(path, "PNG", 0));
    QVERIFY(QFileInfo(path).size() > 5'000);
    QSet<QRgb> colours;
    for (int y = 0; y < picture.height(); y += 4)
        for (int x = 0; x < picture.width(); x += 4)
            colours.insert(picture.pixel(x, y));
    QVERIFY(colours.size() > 16);  // a window, not a blank
}

void ScreenshotsTest::pages_data()
{
    QTest::addColumn<int>("page");
    QTest::addColumn<bool>("dark");
    QTest::addColumn<QString>("name");
    const QStringList names{u"generate"_s, u"models"_s, u"server"_s, u"log"_s};
    for (const bool dark : {false, true})
        for (int page = 0; page < names.size(); ++page) {
            const QString name = dark ? names[page] + u"-dark"_s : names[page];
            QTest::newRow(qPrintable(name)) << page << dark << name;
        }
}

void ScreenshotsTest::pages()
{
    QFETCH(int, page);
    QFETCH(bool, dark);
    QFETCH(QString, name);
    m_desktop.theme().choose(dark ? Theme::Choice::Dark : Theme::Choice::Light);
    m_desktop.window().showPage(page);
    grab(name);
}

void ScreenshotsTest::small()
{
    m_desktop.theme().choose(Theme::Choice::Light);
    m_desktop.window().showPage(MainWindow::Generate);
    m_desktop.window().resize(900, 600);
    grab(u"generate-small"_s);
}

void ScreenshotsTest::chinese()
{
    m_desktop.closeWindow();
    QVERIFY(installLanguage(*qApp, QLocale(QLocale::Chinese, QLocale::China)));
    QVERIFY(m_desktop.openWindow());
    m_desktop.window().resize(1280, 800);
    m_desktop.window().showPage(MainWindow::Generate);
    draw();
    grab(u"generate-zh_CN"_s);
}

QTEST_MAIN(ScreenshotsTest)
#include "screenshots_test.moc"
