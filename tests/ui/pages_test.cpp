#include "core/base/log.h"
#include "tests/ui/desktop_fixture.h"
#include "ui/generate/generate_page.h"
#include "ui/generate/param_form.h"
#include "ui/generate/picture_panel.h"
#include "ui/log/log_page.h"
#include "ui/models/models_page.h"
#include "ui/server/server_page.h"
#include "ui/widgets/message_bar.h"
#include "ui/widgets/switch_button.h"

#include <QAbstractButton>
#include <QAbstractItemView>
#include <QAbstractSpinBox>
#include <QAccessible>
#include <QApplication>
#include <QComboBox>
#include <QGraphicsView>
#include <QLabel>
#include <QLineEdit>
#include <QNetworkReply>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSettings>
#include <QSpinBox>
#include <QTableView>
#include <QTcpServer>
#include <QTest>
#include <QToolButton>

using namespace Qt::Literals::StringLiterals;
using namespace sg;
using namespace sg::ui;
using sg::test::DesktopFixture;

namespace {

constexpr int kPatience = 30'000;

/// What a user works with; a spin box's inner line edit and a scroll area's corner belong to their owners.
bool isControl(const QWidget *widget)
{
    if (!widget->isVisible() || !widget->isEnabled()) return false;
    if (widget->objectName().startsWith(u"qt_"_s)) return false;
    const QWidget *parent = widget->parentWidget();
    if (qobject_cast<const QAbstractSpinBox *>(parent) || qobject_cast<const QComboBox *>(parent) ||
        qobject_cast<const QLineEdit *>(parent) || qobject_cast<const QAbstractItemView *>(parent))
        return false;
    return qobject_cast<const QAbstractButton *>(widget) || qobject_cast<const QAbstractSpinBox *>(widget) ||
           qobject_cast<const QComboBox *>(widget) || qobject_cast<const QLineEdit *>(widget) ||
           qobject_cast<const QPlainTextEdit *>(widget) ||
           (qobject_cast<const QAbstractItemView *>(widget) && !widget->inherits("QHeaderView")) ||
           qobject_cast<const QGraphicsView *>(widget);
}

QByteArray nameOf(const QWidget *widget)
{
    return widget->metaObject()->className() + QByteArray(" ") + widget->objectName().toUtf8() + " " +
           widget->accessibleName().toUtf8();
}

}  // namespace

/// The pages around Generate, and what holds for all of them: keyboard and accessible names.
class PagesTest : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void initTestCase();
    void init();
    void cleanup() { m_desktop.closeWindow(); }

    void keysChangePages();
    void everyControlHasANameAndIsReachedByTab();
    void aResultBecomesTheStart();
    void serverIsSwitchedAndAnswersOthers();
    void aTakenPortIsSaid();
    void anOpenAddressIsWarnedOf();
    void modelsAreListedAndUsed();
    void logFollowsAndFilters();

private:
    void checkPage(int page);
    template <class T>
    T *find(QWidget &page, const char *name)
    {
        return page.findChild<T *>(QLatin1String(name));
    }

    DesktopFixture m_desktop{DesktopFixture::Engine::Null};
};

void PagesTest::initTestCase()
{
    const QString problem = m_desktop.start();
    QVERIFY2(problem.isEmpty(), qPrintable(problem));
}

void PagesTest::init()
{
    QVERIFY(m_desktop.openWindow());
}

void PagesTest::keysChangePages()
{
    for (int page = MainWindow::PageCount - 1; page >= 0; --page) {
        QTest::keyClick(&m_desktop.window(), Qt::Key(Qt::Key_1 + page), Qt::ControlModifier);
        QCOMPARE(m_desktop.window().page(), page);
    }
}

void PagesTest::checkPage(int page)
{
    MainWindow &window = m_desktop.window();
    window.showPage(page);
    QTest::qWait(100);
    QSet<QWidget *> expected;
    for (QWidget *widget : window.findChildren<QWidget *>()) {
        if (!isControl(widget)) continue;
        QAccessibleInterface *accessible = QAccessible::queryAccessibleInterface(widget);
        QVERIFY2(accessible && !accessible->text(QAccessible::Name).isEmpty(), nameOf(widget).constData());
        expected.insert(widget);
    }
    QVERIFY(expected.size() >= 8);
    window.findChild<QWidget *>(u"rail"_s)->findChild<QToolButton *>()->setFocus();
    for (int press = 0; press < 240 && !expected.isEmpty(); ++press) {
        expected.remove(QApplication::focusWidget());
        QTest::keyClick(QApplication::focusWidget(), Qt::Key_Tab);
    }
    for (QWidget *missed : expected)
        QFAIL((nameOf(missed) + " is not reached by Tab").constData());
}

void PagesTest::everyControlHasANameAndIsReachedByTab()
{
    GeneratePage &page = m_desktop.window().generatePage();
    page.generate();
    QTRY_VERIFY_WITH_TIMEOUT(page.pictures().current(), kPatience);
    for (QToolButton *button : page.findChildren<QToolButton *>())
        if (button->objectName().endsWith(u"Fold"_s)) button->setChecked(true);
    for (int number = 0; number < MainWindow::PageCount; ++number)
        checkPage(number);
}

void PagesTest::aResultBecomesTheStart()
{
    GeneratePage &page = m_desktop.window().generatePage();
    m_desktop.window().showPage(MainWindow::Generate);
    page.generate();
    QTRY_VERIFY_WITH_TIMEOUT(page.pictures().current(), kPatience);
    const QByteArray first = page.pictures().current()->png;
    QVERIFY(!page.pictures().current()->infotext.contains(u"Denoising strength"_s));
    QTest::keyClick(&m_desktop.window(), Qt::Key_I, Qt::ControlModifier | Qt::ShiftModifier);
    QTRY_VERIFY_WITH_TIMEOUT(page.parameters().picture(u"init_images"_s), kPatience);
    QVERIFY(page.form().editor(u"denoising_strength"_s)->isVisible());
    QVERIFY(page.parameters().set("denoising_strength", 0.25));
    QVERIFY(page.parameters().set("seed", std::int64_t{77}));
    page.generate();
    QTRY_VERIFY_WITH_TIMEOUT(page.pictures().current()->png != first, kPatience);
    const QString infotext = page.pictures().current()->infotext;
    QVERIFY2(infotext.contains(u"Denoising strength: 0.25"_s), qPrintable(infotext));
    page.parameters().setPicture(u"init_images"_s, std::nullopt);
}

void PagesTest::serverIsSwitchedAndAnswersOthers()
{
    m_desktop.window().showPage(MainWindow::Server);
    ServerPage &page = m_desktop.window().serverPage();
    auto *listen = find<SwitchButton>(page, "listen");
    QVERIFY(!listen->isChecked());
    QVERIFY(m_desktop.services().publicUrl().empty());
    QTest::mouseClick(listen, Qt::LeftButton, {}, QPoint(20, listen->height() / 2));
    QTRY_VERIFY_WITH_TIMEOUT(!m_desktop.services().publicUrl().empty(), kPatience);
    QTRY_VERIFY(listen->isChecked());
    const QUrl url(QString::fromStdString(m_desktop.services().publicUrl()) + u"/healthz"_s);
    QNetworkAccessManager other;
    QNetworkReply *reply = other.get(QNetworkRequest(url));
    QTRY_VERIFY_WITH_TIMEOUT(reply->isFinished(), kPatience);
    QCOMPARE(reply->attribute(QNetworkRequest::HttpStatusCodeAttribute).toInt(), 200);
    auto *requests = find<QLabel>(page, "requests");
    QTRY_VERIFY_WITH_TIMEOUT(requests->text().toInt() >= 1, kPatience);
    QTest::mouseClick(listen, Qt::LeftButton, {}, QPoint(20, listen->height() / 2));
    QTRY_VERIFY_WITH_TIMEOUT(m_desktop.services().publicUrl().empty(), kPatience);
    reply = other.get(QNetworkRequest(url));
    QTRY_VERIFY_WITH_TIMEOUT(reply->isFinished(), kPatience);
    QVERIFY(reply->error() != QNetworkReply::NoError);
    // What the next start of the program begins with.
    m_desktop.closeWindow();
    const QSettings remembered(m_desktop.dataDir() + u"/desktop.ini"_s, QSettings::IniFormat);
    QCOMPARE(remembered.value(u"server/listening"_s), QVariant(u"false"_s));
    QCOMPARE(remembered.value(u"server/address"_s).toString(), u"127.0.0.1"_s);
    QVERIFY(remembered.contains(u"server/port"_s));
}

void PagesTest::aTakenPortIsSaid()
{
    QTcpServer taken;
    QVERIFY(taken.listen(QHostAddress::LocalHost));
    m_desktop.window().showPage(MainWindow::Server);
    ServerPage &page = m_desktop.window().serverPage();
    find<QSpinBox>(page, "port")->setValue(taken.serverPort());
    auto *listen = find<SwitchButton>(page, "listen");
    QTest::mouseClick(listen, Qt::LeftButton, {}, QPoint(20, listen->height() / 2));
    QTRY_VERIFY_WITH_TIMEOUT(!page.messages().text().isEmpty(), kPatience);
    QTRY_VERIFY(!listen->isChecked());
    QVERIFY2(page.messages().text().contains(QString::number(taken.serverPort())), qPrintable(page.messages().text()));
}

void PagesTest::anOpenAddressIsWarnedOf()
{
    m_desktop.window().showPage(MainWindow::Server);
    ServerPage &page = m_desktop.window().serverPage();
    find<QComboBox>(page, "address")->setEditText(u"0.0.0.0"_s);
    find<QSpinBox>(page, "port")->setValue(0);
    auto *listen = find<SwitchButton>(page, "listen");
    QTest::mouseClick(listen, Qt::LeftButton, {}, QPoint(20, listen->height() / 2));
    QVERIFY(page.messages().text().contains(u"0.0.0.0"_s));
    QTest::qWait(300);
    QVERIFY(m_desktop.services().publicUrl().empty());  // nothing listens before the user agrees
    for (QPushButton *button : page.messages().findChildren<QPushButton *>())
        if (button->isVisible()) QTest::mouseClick(button, Qt::LeftButton);
    QTRY_VERIFY_WITH_TIMEOUT(!m_desktop.services().publicUrl().empty(), kPatience);
    QTest::mouseClick(listen, Qt::LeftButton, {}, QPoint(20, listen->height() / 2));
    QTRY_VERIFY_WITH_TIMEOUT(m_desktop.services().publicUrl().empty(), kPatience);
}

void PagesTest::modelsAreListedAndUsed()
{
    m_desktop.window().showPage(MainWindow::Models);
    QTableView *table = m_desktop.window().modelsPage().table();
    QTRY_VERIFY_WITH_TIMEOUT(table->model()->rowCount() == 1, kPatience);
    QCOMPARE(table->model()->index(0, 0).data().toString(), u"starter"_s);
    table->selectRow(0);
    table->setFocus();
    QTest::keyClick(table, Qt::Key_Return);
    QTRY_COMPARE(m_desktop.window().page(), int(MainWindow::Generate));
}

void PagesTest::logFollowsAndFilters()
{
    m_desktop.window().showPage(MainWindow::Log);
    LogPage &page = m_desktop.window().logPage();
    auto *table = page.findChild<QTableView *>();
    logWarning("test", "a line for the log page 4711");
    const auto lastLine = [table] {
        return table->model()->index(table->model()->rowCount() - 1, 3).data().toString();
    };
    QTRY_COMPARE_WITH_TIMEOUT(lastLine(), u"a line for the log page 4711"_s, kPatience);
    page.findChild<QLineEdit *>()->setText(u"page 4711"_s);
    QCOMPARE(table->model()->rowCount(), 1);
    page.findChild<QComboBox *>()->setCurrentIndex(3);
    QCOMPARE(table->model()->rowCount(), 0);
}

QTEST_MAIN(PagesTest)
#include "pages_test.moc"
