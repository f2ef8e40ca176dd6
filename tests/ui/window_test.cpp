#include "core/picture/infotext.h"
#include "core/picture/png_text.h"
#include "tests/ui/desktop_fixture.h"
#include "ui/generate/generate_page.h"
#include "ui/generate/model_chooser.h"
#include "ui/generate/param_form.h"
#include "ui/generate/picture_panel.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/message_bar.h"
#include "ui/widgets/picture_view.h"

#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QDir>
#include <QDragEnterEvent>
#include <QDropEvent>
#include <QGuiApplication>
#include <QLabel>
#include <QMimeData>
#include <QProgressBar>
#include <QPushButton>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTest>

#include <map>

using namespace Qt::Literals::StringLiterals;
using namespace sg;
using namespace sg::ui;
using sg::test::DesktopFixture;

namespace {
constexpr int kPatience = 30'000;
}

/// The Generate page as a user meets it: real services, null engine, keys and clicks.
class WindowTest : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void initTestCase();
    void init();
    void cleanup();

    void firstStart();
    void ctrlEnterGivesAPictureThatIsSavedAsItIs();
    void escInterrupts();
    void severalWaitInLine();
    void progressIsShown();
    void errorNamesItsField();
    void upscalerFilesAreListed();
    void sizeComesFromTheModelUntilTheUserSetsIt();
    void aModelThatIsMissingForAMomentIsKept();
    void theProgressBarIsThereWhileSomethingRuns();
    void parametersAreRemembered();
    void aDroppedPictureBringsItsParameters();
    void zoomKeys();

private:
    GeneratePage &page() { return m_desktop.window().generatePage(); }
    QWidget *editor(const char *key) { return page().form().editor(QLatin1String(key)); }
    QByteArray storedPicture(const QString &task);

    DesktopFixture m_desktop{DesktopFixture::Engine::Null};
};

void WindowTest::initTestCase()
{
    const QString upscalers = m_desktop.dataDir() + u"/upscalers"_s;
    QVERIFY(QDir().mkpath(upscalers));
    QVERIFY(QFile::copy(QStringLiteral(SG_SOURCE_DIR "/tests/parity/networks/upscaler_compact2.pth"),
                        upscalers + u"/2x-Soft.pth"_s));
    m_desktop.config().modelFolders.push_back(upscalers.toStdString());
    const QString problem = m_desktop.start();
    QVERIFY2(problem.isEmpty(), qPrintable(problem));
}

void WindowTest::init()
{
    QVERIFY(m_desktop.openWindow());
}

void WindowTest::cleanup()
{
    page().interruptAll();
    QTRY_COMPARE_WITH_TIMEOUT(page().queue().pending(), 0, kPatience);
    m_desktop.closeWindow();
}

void WindowTest::firstStart()
{
    const ParamModel &model = page().parameters();
    QCOMPARE(model.get<std::string>("stable_diffusion_model"), "starter");
    QCOMPARE(model.get<std::string>("prompt"), "a red star on a blue background");
    QCOMPARE(model.get<std::int64_t>("width"), std::int64_t{128});
    QCOMPARE(model.get<std::int64_t>("height"), std::int64_t{128});
    QCOMPARE(model.get<std::int64_t>("steps"), std::int64_t{20});
    QCOMPARE(model.get<double>("cfg_scale"), 5.0);
    auto *generate = page().findChild<QPushButton *>(u"generate"_s);
    QVERIFY(generate->isEnabled());
    QTest::mouseClick(generate, Qt::LeftButton);
    QTRY_VERIFY_WITH_TIMEOUT(page().pictures().current(), kPatience);
    QCOMPARE(page().pictures().current()->image.size(), QSize(128, 128));
}

QByteArray WindowTest::storedPicture(const QString &task)
{
    QFile file(m_desktop.dataDir() + u"/objects/images/default/%1_1.png"_s.arg(task));
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

void WindowTest::ctrlEnterGivesAPictureThatIsSavedAsItIs()
{
    QSignalSpy pictures(&page().queue(), &GenerationQueue::pictureReady);
    editor("prompt")->setFocus();
    QTest::keyClick(editor("prompt"), Qt::Key_Return, Qt::ControlModifier);
    QTRY_COMPARE_WITH_TIMEOUT(pictures.count(), 1, kPatience);
    const QByteArray stored = storedPicture(pictures.front().front().toString());
    QVERIFY(!stored.isEmpty());
    const QString target = m_desktop.dataDir() + u"/saved.png"_s;
    QSignalSpy happened(&page().pictures(), &PicturePanel::happened);
    page().pictures().saveTo(target);
    QTRY_COMPARE(happened.count(), 1);
    QFile saved(target);
    QVERIFY(saved.open(QIODevice::ReadOnly));
    QCOMPARE(saved.readAll(), stored);

    page().pictures().copyParameters();
    const auto texts = readPngTexts({stored.constData(), static_cast<std::size_t>(stored.size())});
    QVERIFY(texts && !texts->empty());
    QCOMPARE(texts->front().keyword, std::string(kInfotextKeyword));
    QCOMPARE(QGuiApplication::clipboard()->text(), QString::fromStdString(texts->front().text));
    QVERIFY(QGuiApplication::clipboard()->text().startsWith(u"a red star"_s));
    page().pictures().copyPicture();
    QCOMPARE(QGuiApplication::clipboard()->image().size(), QSize(128, 128));
}

void WindowTest::escInterrupts()
{
    QSignalSpy ended(&page().queue(), &GenerationQueue::ended);
    QSignalSpy progressed(&page().queue(), &GenerationQueue::progressed);
    page().parameters().set("steps", std::int64_t{150});
    page().parameters().set("n_iter", std::int64_t{50});
    editor("prompt")->setFocus();
    QTest::keyClick(editor("prompt"), Qt::Key_Return, Qt::ControlModifier);
    QTRY_VERIFY_WITH_TIMEOUT(progressed.count() > 2, kPatience);
    QTest::keyClick(editor("prompt"), Qt::Key_Escape);
    QTRY_COMPARE_WITH_TIMEOUT(ended.count(), 1, kPatience);
    QCOMPARE(ended.front().at(1).toString(), u"cancelled"_s);
    page().parameters().set("n_iter", std::int64_t{1});
    page().parameters().set("steps", std::int64_t{20});
}

void WindowTest::severalWaitInLine()
{
    QSignalSpy pictures(&page().queue(), &GenerationQueue::pictureReady);
    for (int i = 0; i < 3; ++i)
        QTest::keyClick(editor("steps"), Qt::Key_Return, Qt::ControlModifier);
    QCOMPARE(page().queue().pending(), 3);
    QVERIFY(page().findChild<QPushButton *>(u"generate"_s)->text().contains(u'2'));
    QTRY_COMPARE_WITH_TIMEOUT(pictures.count(), 3, kPatience);
    QCOMPARE(page().queue().pending(), 0);
}

void WindowTest::progressIsShown()
{
    page().parameters().set("steps", std::int64_t{100});
    page().generate();
    auto *text = page().findChild<QLabel *>(u"progressText"_s);
    QTRY_VERIFY_WITH_TIMEOUT(text->text().contains(u"of 100"_s) && text->text().contains(u"it/s"_s), kPatience);
    page().interrupt();
    QTRY_COMPARE_WITH_TIMEOUT(page().queue().pending(), 0, kPatience);
    page().parameters().set("steps", std::int64_t{20});
}

void WindowTest::errorNamesItsField()
{
    ParamModel &model = page().parameters();
    model.set("width", std::int64_t{2048});
    model.set("height", std::int64_t{2048});
    model.set("batch_size", std::int64_t{16});
    model.set("n_iter", std::int64_t{100});  // each is allowed, together they are too many pixels
    page().generate();
    QTRY_VERIFY_WITH_TIMEOUT(!page().messages().text().isEmpty(), kPatience);
    QVERIFY(page().messages().text().contains(u"n_iter"_s));
    QVERIFY(editor("n_iter")->property("invalid").toBool());
    QCOMPARE(page().queue().pending(), 0);
    model.set("batch_size", std::int64_t{1});
    QVERIFY(!editor("n_iter")->property("invalid").toBool());
    model.set("n_iter", std::int64_t{1});
    model.set("width", std::int64_t{128});
    model.set("height", std::int64_t{128});
}

/// Those of the model folders; one that is not there is an error at its field.
void WindowTest::upscalerFilesAreListed()
{
    ParamModel &model = page().parameters();
    auto *box = qobject_cast<QComboBox *>(editor("hr_upscaler"));
    QVERIFY(box);
    QTRY_VERIFY_WITH_TIMEOUT(box->findText(u"2x-Soft"_s) >= 0, kPatience);
    model.set("enable_hr", true);
    box->setCurrentIndex(box->findText(u"2x-Soft"_s));
    QCOMPARE(model.get<std::string>("hr_upscaler"), "2x-Soft");
    page().generate();
    QTRY_VERIFY_WITH_TIMEOUT(page().pictures().current(), kPatience);
    const QByteArray &png = page().pictures().current()->png;
    const auto texts = readPngTexts({png.constData(), static_cast<std::size_t>(png.size())});
    QVERIFY(texts && texts->size() == 1);
    QVERIFY2(texts->front().text.find("Hires upscaler: 2x-Soft") != std::string::npos, texts->front().text.c_str());
    model.set("hr_upscaler", std::string("4x-Gone"));
    page().generate();
    QTRY_VERIFY_WITH_TIMEOUT(page().messages().text().contains(u"hr_upscaler"_s), kPatience);
    QVERIFY(editor("hr_upscaler")->property("invalid").toBool());
    model.set("hr_upscaler", std::string("Latent"));
    model.set("enable_hr", false);
}

void WindowTest::sizeComesFromTheModelUntilTheUserSetsIt()
{
    std::vector<ModelInfo> models(2);
    models[0].type = models[1].type = u"stableDiffusion"_s;
    models[0].name = u"wide"_s;
    models[0].width = 768;
    models[0].height = 512;
    models[1].name = u"broken"_s;
    models[1].status = u"unusable"_s;
    ParamModel model(ParamTable::textToImage());
    ModelChooser chooser(model, "stable_diffusion_model");
    chooser.setModels(models);
    QCOMPARE(chooser.count(), 1);
    QCOMPARE(model.get<std::int64_t>("width"), std::int64_t{768});
    model.set("width", std::int64_t{64});
    models[0].name = u"tall"_s;
    models[0].height = 1024;
    chooser.setModels(models);
    QCOMPARE(model.get<std::string>("stable_diffusion_model"), "tall");
    QCOMPARE(model.get<std::int64_t>("width"), std::int64_t{64});
    QCOMPARE(model.get<std::int64_t>("height"), std::int64_t{512});
}

void WindowTest::aModelThatIsMissingForAMomentIsKept()
{
    std::vector<ModelInfo> models(2);
    models[0].type = models[1].type = u"stableDiffusion"_s;
    models[0].name = u"disk/mine"_s;
    models[1].name = u"starter"_s;
    page().setModels(models);
    page().useModel(u"disk/mine"_s);
    auto *chooser = page().form().modelChooser();
    auto *generate = page().findChild<QPushButton *>(u"generate"_s);
    QVERIFY(generate->isEnabled());
    models[0].status = u"deleted"_s;
    page().setModels(models);
    QCOMPARE(page().parameters().get<std::string>("stable_diffusion_model"), "disk/mine");
    QVERIFY2(chooser->currentText().contains(u"disk/mine"_s) && chooser->currentText() != u"disk/mine"_s,
             qPrintable(chooser->currentText()));
    QVERIFY(!generate->isEnabled());
    QVERIFY(page().findChild<QLabel *>(u"progressText"_s)->text().contains(u"disk/mine"_s));
    models[0].status.clear();
    page().setModels(models);
    QCOMPARE(chooser->currentText(), u"disk/mine"_s);
    QVERIFY(generate->isEnabled());
    models.erase(models.begin());
    page().setModels(models);
    chooser->choose(u"starter"_s, ParamModel::By::User);
    QVERIFY(generate->isEnabled());
    QCOMPARE(chooser->currentText(), u"starter"_s);
}

void WindowTest::theProgressBarIsThereWhileSomethingRuns()
{
    auto *bar = page().findChild<QProgressBar *>();
    QVERIFY(!bar->isVisible());
    const int before = page().form().mapToGlobal(QPoint(0, page().form().height())).y();
    page().parameters().set("steps", std::int64_t{100});
    page().generate();
    QTRY_VERIFY_WITH_TIMEOUT(bar->isVisible() && bar->value() > 0, kPatience);
    QCOMPARE(page().form().mapToGlobal(QPoint(0, page().form().height())).y(), before);
    page().interrupt();
    QTRY_VERIFY_WITH_TIMEOUT(!bar->isVisible(), kPatience);
    page().parameters().set("steps", std::int64_t{20});
}

void WindowTest::parametersAreRemembered()
{
    qobject_cast<QSpinBox *>(editor("steps"))->setValue(33);
    page().parameters().set("prompt", std::string("a green square"));
    m_desktop.window().resize(1000, 700);
    m_desktop.window().showPage(MainWindow::Models);
    m_desktop.closeWindow();
    QVERIFY(m_desktop.openWindow());
    QCOMPARE(m_desktop.window().page(), int(MainWindow::Models));
    QCOMPARE(m_desktop.window().size(), QSize(1000, 700));
    QCOMPARE(qobject_cast<QSpinBox *>(editor("steps"))->value(), 33);
    QCOMPARE(page().parameters().get<std::string>("prompt"), "a green square");
    m_desktop.window().showPage(MainWindow::Generate);
    page().parameters().set("steps", std::int64_t{20});
}

void WindowTest::aDroppedPictureBringsItsParameters()
{
    page().parameters().set("prompt", std::string("a yellow triangle"));
    page().parameters().set("seed", std::int64_t{4711});
    page().parameters().set("steps", std::int64_t{7});
    page().generate();
    QTRY_VERIFY_WITH_TIMEOUT(page().pictures().current(), kPatience);
    const QString path = m_desktop.dataDir() + u"/dropped.png"_s;
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(page().pictures().current()->png);
    file.close();
    page().parameters().set("prompt", std::string("something else"));
    page().parameters().set("seed", std::int64_t{-1});
    page().parameters().set("steps", std::int64_t{20});
    // What the picture was not made with.
    const std::map<std::string, ParamValue> modes{{"loopback_loops", std::int64_t{3}},
                                                  {"enable_hr", true},
                                                  {"hr_resize_x", std::int64_t{512}},
                                                  {"hr_upscaler", std::string("Lanczos")},
                                                  {"subseed_strength", 0.5},
                                                  {"clip_skip", std::int64_t{2}},
                                                  {"negative_prompt", std::string("x")},
                                                  {"styles", std::string("sea")},
                                                  {"tiling", true},
                                                  {"inpaint_full_res", true},
                                                  {"mask_blur", std::int64_t{9}},
                                                  {"outpaint_left", std::int64_t{64}},
                                                  {"soft_inpainting", true},
                                                  {"alternative_noise", true}};
    std::map<std::string, ParamValue> before;
    for (const auto &[key, value] : modes) {
        before[key] = *page().parameters().values().find(key);
        QVERIFY2(before[key] != value && page().parameters().set(key, value), key.c_str());
    }
    page().parameters().set("n_iter", std::int64_t{2});
    QMimeData data;
    data.setUrls({QUrl::fromLocalFile(path)});
    QDragEnterEvent enter({5, 5}, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(&page(), &enter);
    QVERIFY(enter.isAccepted());
    QDropEvent drop({5, 5}, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(&page(), &drop);
    QTRY_COMPARE_WITH_TIMEOUT(page().parameters().get<std::string>("prompt"), "a yellow triangle", kPatience);
    QCOMPARE(page().parameters().get<std::int64_t>("seed"), std::int64_t{4711});
    QCOMPARE(page().parameters().get<std::int64_t>("steps"), std::int64_t{7});
    for (const auto &[key, value] : before)
        QVERIFY2(*page().parameters().values().find(key) == value, key.c_str());
    QCOMPARE(page().parameters().get<std::int64_t>("n_iter"), std::int64_t{2});
    QCOMPARE(page().parameters().get<std::string>("stable_diffusion_model"), "starter");
    page().parameters().set("n_iter", std::int64_t{1});
    page().parameters().set("seed", std::int64_t{-1});
    page().parameters().set("steps", std::int64_t{20});
}

void WindowTest::zoomKeys()
{
    page().generate();
    QTRY_VERIFY_WITH_TIMEOUT(page().pictures().current(), kPatience);
    PictureView *view = page().pictures().view();
    QTRY_VERIFY(view->isVisible());
    view->setFocus();
    QTest::keyClick(view, Qt::Key_1);
    QCOMPARE(view->zoom(), 1.0);
    QTest::keyClick(view, Qt::Key_Plus);
    QVERIFY(view->zoom() > 1.2);
    QTest::keyClick(view, Qt::Key_Minus);
    QVERIFY(qAbs(view->zoom() - 1.0) < 0.01);
    QTest::keyClick(view, Qt::Key_0);
    QVERIFY(view->fitted() && view->zoom() > 1.0);
}

QTEST_MAIN(WindowTest)
#include "window_test.moc"
