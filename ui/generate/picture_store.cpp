#include "ui/generate/picture_store.h"

#include "ui/client/background.h"
#include "ui/client/picture_decode.h"

#include <QFile>

#include <algorithm>
#include <utility>

namespace sg::ui {
namespace {

using namespace Qt::Literals::StringLiterals;

qint64 sizeOf(const Picture &picture)
{
    return picture.image.sizeInBytes() + picture.png.size();
}

/// Not synced to the disk: the file does not outlive the program.
bool writeFile(const QString &path, const QByteArray &bytes)
{
    QFile file(path);
    return file.open(QIODevice::WriteOnly) && file.write(bytes) == bytes.size() && file.flush();
}

Picture readFile(const QString &path)
{
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? readPicture(file.readAll()) : Picture();
}

}  // namespace

PictureStore::PictureStore(QObject *parent, qint64 mostBytes) : QObject(parent), m_most(mostBytes) {}

QString PictureStore::path(const QString &key) const
{
    return m_folder.filePath(key + u".png"_s);
}

QString PictureStore::add(const Picture &picture)
{
    const QString key = QString::number(++m_count);
    hold(key, picture);
    // Where there is no folder, or no room in it, the picture stays in memory.
    if (m_folder.isValid())
        inBackground(
            this, [png = picture.png, file = path(key)] { return writeFile(file, png); },
            [this, key](bool saved) {
                if (!isHeld(key)) return remove(key);  // removed meanwhile; now the file, too
                if (saved) m_written.insert(key);
                letGo();
            });
    return key;
}

void PictureStore::hold(const QString &key, const Picture &picture)
{
    m_held.push_front({key, picture});
    m_bytes += sizeOf(picture);
    letGo();
}

bool PictureStore::isHeld(const QString &key) const
{
    return std::any_of(m_held.begin(), m_held.end(), [&](const Held &held) { return held.key == key; });
}

/// The ones that were not used for longest leave, as far as their file has them.
void PictureStore::letGo()
{
    for (auto it = m_held.end(); m_bytes > m_most && it != m_held.begin();) {
        --it;
        if (it == m_held.begin() || !m_written.contains(it->key)) continue;
        m_bytes -= sizeOf(it->picture);
        it = m_held.erase(it);
    }
}

const Picture *PictureStore::find(const QString &key)
{
    const auto it = std::find_if(m_held.begin(), m_held.end(), [&](const Held &held) { return held.key == key; });
    if (it == m_held.end()) return nullptr;
    m_held.splice(m_held.begin(), m_held, it);
    return &m_held.front().picture;
}

void PictureStore::load(const QString &key)
{
    if (!m_written.contains(key) || m_loading.contains(key)) return;
    m_loading.insert(key);
    inBackground(
        this, [file = path(key)] { return readFile(file); },
        [this, key](const Picture &picture) {
            m_loading.remove(key);
            if (!m_written.contains(key) || find(key)) return;  // removed meanwhile
            if (picture.image.isNull()) {
                const std::string name = path(key).toStdString();
                Q_EMIT failed(key, {ErrorCode::UnusableFile, name + " cannot be read any more", name});
                return;
            }
            hold(key, picture);
            Q_EMIT loaded(key);
        });
}

void PictureStore::remove(const QString &key)
{
    const auto it = std::find_if(m_held.begin(), m_held.end(), [&](const Held &held) { return held.key == key; });
    if (it != m_held.end()) {
        m_bytes -= sizeOf(it->picture);
        m_held.erase(it);
    }
    m_written.remove(key);
    inBackground(
        this, [file = path(key)] { return QFile::remove(file); }, [](bool) {});
}

}  // namespace sg::ui
