#include "core/picture/png_codec.h"
#include "ui/client/picture_decode.h"
#include "ui/generate/picture_panel.h"
#include "ui/generate/picture_store.h"
#include "ui/widgets/picture_view.h"

#include <QListView>
#include <QSignalSpy>
#include <QTest>

using namespace Qt::Literals::StringLiterals;
using namespace sg;
using namespace sg::ui;

namespace {

constexpr int kSide = 128;
constexpr qint64 kBytes = 4 * kSide * kSide;  // of the pixels

/// A picture that no other one looks like.
Picture picture(int number)
{
    Image image(kSide, kSide, 3);
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
        image.pixels[i] = static_cast<std::uint8_t>(number * (i % 3 + 1));
    const std::string text =
        "picture " + std::to_string(number) + "\nSteps: 1, Sampler: Euler, Seed: " + std::to_string(number);
    return readPicture(QByteArray::fromStdString(encodePng(image, {{"parameters", text}})));
}

}  // namespace

/// The session's pictures: many, with little memory.
class PicturesTest : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void memoryIsBounded();
    void aRemovedPictureIsGone();
    void theOldestPictureIsShownAgain();
};

void PicturesTest::memoryIsBounded()
{
    PictureStore store(nullptr, 5 * kBytes);
    QStringList keys;
    for (int number = 1; number <= 40; ++number) {
        keys.append(store.add(picture(number)));
        QVERIFY(store.find(keys.last()));
    }
    QTRY_VERIFY(store.bytes() <= 5 * kBytes);
    QVERIFY(store.bytes() >= 3 * kBytes);
    QVERIFY(!store.find(keys.first()));
    QSignalSpy loaded(&store, &PictureStore::loaded);
    store.load(keys.first());
    store.load(keys.first());
    QTRY_COMPARE(loaded.count(), 1);
    const Picture *again = store.find(keys.first());
    QVERIFY(again);
    const Picture wanted = picture(1);
    QCOMPARE(again->png, wanted.png);
    QCOMPARE(again->image, wanted.image);
    QCOMPARE(again->infotext, wanted.infotext);
    QVERIFY(store.bytes() <= 5 * kBytes);
}

void PicturesTest::aRemovedPictureIsGone()
{
    PictureStore store(nullptr, 1);  // nothing but the last one stays
    const QString first = store.add(picture(1));
    const QString second = store.add(picture(2));
    QTRY_VERIFY(store.bytes() < 2 * kBytes);
    QVERIFY(!store.find(first));
    QSignalSpy loaded(&store, &PictureStore::loaded);
    QSignalSpy failed(&store, &PictureStore::failed);
    store.load(first);
    store.remove(first);
    store.load(first);
    QTest::qWait(200);
    QCOMPARE(loaded.count() + failed.count(), 0);
    QVERIFY(store.find(second));
    store.remove(second);
    QCOMPARE(store.bytes(), 0);
}

void PicturesTest::theOldestPictureIsShownAgain()
{
    constexpr int kShown = 200;
    PicturePanel panel(nullptr, 10 * kBytes);
    panel.show();
    for (int number = 1; number <= kShown + 5; ++number)
        panel.addPicture(picture(number));
    auto *strip = panel.findChild<QListView *>(u"strip"_s);
    QCOMPARE(strip->model()->rowCount(), kShown);
    QVERIFY(panel.current() && panel.current()->infotext.startsWith(u"picture 205"_s));
    strip->setCurrentIndex(strip->model()->index(kShown - 1, 0));
    QTRY_VERIFY(panel.current());
    const Picture wanted = picture(6);
    QCOMPARE(panel.current()->png, wanted.png);
    QTRY_COMPARE(panel.view()->picture(), wanted.image);
}

QTEST_MAIN(PicturesTest)
#include "pictures_test.moc"
