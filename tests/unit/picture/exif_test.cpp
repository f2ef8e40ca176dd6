#include "core/picture/exif.h"

#include "core/base/utf8.h"
#include "core/picture/infotext.h"
#include "core/picture/picture.h"

#include <QTest>

#include <fstream>
#include <iterator>

using namespace sg;

namespace {

const std::string kComment =
    "a red star \u661f \U0001f31f\nNegative prompt: blue\nSteps: 4, Sampler: Euler, Seed: 7, Size: 64x64, RNG: CPU, "
    "Version: v1.10.1";

std::string fileBytes(const std::string &name)
{
    std::ifstream file(std::string(SG_PICTURES) + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

class ExifTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    // The wanted pictures are those of Pillow's ImageOps.exif_transpose.
    void picturesAreTurnedAsTheyAreLookedAt()
    {
        for (int orientation = 1; orientation <= 8; ++orientation) {
            const std::string name = "exif_" + std::to_string(orientation), bytes = fileBytes(name + ".png");
            const Expected<DecodedPicture> picture = decodePicture(bytes);
            const Expected<DecodedPicture> wanted = decodePicture(fileBytes(name + "_upright.png"));
            QVERIFY2(picture && wanted, name.c_str());
            QVERIFY2(picture->image == wanted->image, name.c_str());
            const Expected<PictureHeader> header = readPictureHeader(bytes);
            QVERIFY(header && header->width == wanted->image.width && header->height == wanted->image.height);
            QCOMPARE(readExif(bytes).orientation, orientation);
        }
    }

    void lyingJpegIsTurned()
    {
        const std::string bytes = fileBytes("exif_comment.jpg");
        const Expected<DecodedPicture> picture = decodePicture(bytes);
        QVERIFY(picture.has_value());
        QCOMPARE(picture->image.width, 16);
        QCOMPARE(picture->image.height, 24);
        // The red corner of the left end comes to the top right.
        const std::uint8_t *corner = picture->image.row(0) + 3 * 15;
        QVERIFY(corner[0] > 150 && corner[1] < 100 && corner[2] < 100);
    }

    void commentsAreInfotexts()
    {
        for (const char *name : {"exif_comment.jpg", "exif_comment.webp"}) {
            const std::string bytes = fileBytes(name);
            QCOMPARE(QString::fromStdString(infotextIn(bytes)), QString::fromStdString(kComment));
            const Expected<ParsedInfotext> parsed = parseInfotext(infotextIn(bytes));
            QVERIFY2(parsed && parsed->value("Seed") == "7", name);
        }
        QCOMPARE(readExif(fileBytes("exif_ascii.jpg")).comment, "plain text");
        QCOMPARE(infotextIn(fileBytes("rgb.jpg")), "");
    }

    // Wherever it is cut or changed: nothing is read beyond it, and what is said is a text.
    void damagedBlocksSayNothingWrong()
    {
        for (const char *name : {"exif_comment.jpg", "exif_comment.webp", "exif_8.png"}) {
            const std::string whole = fileBytes(name);
            for (std::size_t size = 0; size < whole.size(); ++size)
                QVERIFY(isUtf8(readExif(whole.substr(0, size)).comment));
            for (std::size_t at = 0; at < std::min<std::size_t>(whole.size(), 400); ++at)
                for (const char value : {'\0', '\x7f', '\xff'}) {
                    std::string changed = whole;
                    changed[at] = value;
                    const Exif exif = readExif(changed);
                    QVERIFY(isUtf8(exif.comment) && exif.orientation >= 1 && exif.orientation <= 8);
                }
        }
    }
};

}  // namespace

QTEST_APPLESS_MAIN(ExifTest)
#include "exif_test.moc"
