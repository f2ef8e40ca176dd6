#include "ui/generate/picture_actions.h"

#include <QFile>
#include <QMimeData>
#include <QRegularExpression>
#include <QSaveFile>
#include <QTemporaryDir>
#include <QUrl>

namespace sg::ui {

using namespace Qt::Literals::StringLiterals;

std::optional<std::int64_t> seedOf(const QString &infotext)
{
    static const QRegularExpression pattern(u"(?:^|, )Seed: (\\d+)"_s);
    const QString lastLine = infotext.section(u'\n', -1);
    const QRegularExpressionMatch match = pattern.match(lastLine);
    if (!match.hasMatch()) return {};
    bool ok = false;
    const qint64 seed = match.captured(1).toLongLong(&ok);
    return ok ? std::optional<std::int64_t>(seed) : std::nullopt;
}

QString suggestedName(const Picture &picture)
{
    const std::optional<std::int64_t> seed = seedOf(picture.infotext);
    return seed ? u"serigraph-%1.png"_s.arg(*seed) : u"serigraph.png"_s;
}

Expected<void> savePicture(const Picture &picture, const QString &path)
{
    QSaveFile file(path);
    if (!file.open(QIODevice::WriteOnly) || file.write(picture.png) != picture.png.size() || !file.commit())
        return fail(ErrorCode::DiskFull, file.errorString().toStdString(), path.toStdString());
    return {};
}

std::unique_ptr<QMimeData> pictureMimeData(const Picture &picture, const QTemporaryDir *folder)
{
    auto data = std::make_unique<QMimeData>();
    data->setImageData(picture.image);
    data->setData(u"image/png"_s, picture.png);
    if (!folder || !folder->isValid()) return data;
    QFile file(folder->filePath(suggestedName(picture)));
    if (file.open(QIODevice::WriteOnly) && file.write(picture.png) == picture.png.size())
        data->setUrls({QUrl::fromLocalFile(file.fileName())});
    return data;
}

}  // namespace sg::ui
