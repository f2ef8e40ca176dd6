#include "ui/generate/picture_field.h"

#include "core/base/base64.h"
#include "ui/client/background.h"
#include "ui/client/picture_decode.h"
#include "ui/generate/param_texts.h"
#include "ui/widgets/icons.h"

#include <QBuffer>
#include <QClipboard>
#include <QDragEnterEvent>
#include <QFile>
#include <QFileDialog>
#include <QFileInfo>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QMimeData>
#include <QToolButton>
#include <QUrl>

namespace sg::ui {
namespace {

using namespace Qt::Literals::StringLiterals;

constexpr int kThumbnail = 56;
constexpr qint64 kMostBytes = 48 * 1024 * 1024;  // with base64 around it, what a request may hold

bool holdsPicture(const QMimeData *data)
{
    return data && (data->hasFormat(u"image/png"_s) || data->hasImage() ||
                    (data->hasUrls() && data->urls().front().isLocalFile()));
}

/// What the background work makes of a file.
struct Taken {
    std::string base64;
    QImage thumbnail;
    QSize size;
};

Taken taken(const QByteArray &file)
{
    const QImage image = decodePicture(file);
    if (image.isNull()) return {};
    const QImage small = image.scaled(kThumbnail, kThumbnail, Qt::KeepAspectRatio, Qt::SmoothTransformation);
    return {encodeBase64({file.constData(), static_cast<std::size_t>(file.size())}), small, image.size()};
}

}  // namespace

PictureField::PictureField(ParamModel &model, const ParamSpec &spec, QWidget *parent)
    : QWidget(parent), m_model(model), m_key(QString::fromStdString(spec.key)), m_choose(new QToolButton(this)),
      m_name(new QLabel(this)), m_remove(new QToolButton(this))
{
    auto *row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(8);
    m_choose->setIconSize({kThumbnail, kThumbnail});
    m_choose->setFocusPolicy(Qt::StrongFocus);
    m_choose->setAccessibleName(tr("Choose: %1").arg(labelOf(spec)));
    m_choose->setToolTip(tr("Choose a file, drop a picture here, or paste one"));
    m_name->setProperty("role", u"muted"_s);
    m_name->setWordWrap(true);
    m_remove->setIcon(icon(u"close"_s));
    m_remove->setProperty("role", u"tool"_s);
    m_remove->setFocusPolicy(Qt::StrongFocus);
    m_remove->setAccessibleName(tr("Remove: %1").arg(labelOf(spec)));
    m_remove->setToolTip(tr("Remove the picture"));
    row->addWidget(m_choose);
    row->addWidget(m_name, 1);
    row->addWidget(m_remove);
    setFocusProxy(m_choose);
    setAcceptDrops(true);
    connect(m_choose, &QToolButton::clicked, this, &PictureField::choose);
    connect(m_remove, &QToolButton::clicked, this, &PictureField::clear);
    connect(&m_model, &ParamModel::changed, this, [this](const QString &key) {
        if (key == m_key) refresh();
    });
    refresh();
}

void PictureField::refresh()
{
    const ParamModel::StartPicture *picture = m_model.picture(m_key);
    m_choose->setIcon(picture ? QIcon(QPixmap::fromImage(picture->thumbnail)) : icon(u"file-add"_s));
    m_name->setText(
        picture ? tr("%1\n%2 × %3 pixels").arg(picture->name).arg(picture->size.width()).arg(picture->size.height())
                : tr("None: choose, drop or paste one"));
    m_remove->setEnabled(picture != nullptr);
}

void PictureField::take(const QByteArray &file, const QString &name)
{
    const int asked = ++m_asked;
    inBackground(
        this, [file] { return taken(file); },
        [this, name, asked](Taken made) {
            if (asked != m_asked) return;
            if (made.thumbnail.isNull()) {
                Q_EMIT failed({ErrorCode::UnusableFile,
                               tr("%1 is not a PNG, JPEG or WebP picture.").arg(name).toStdString(),
                               {}});
                return;
            }
            m_model.setPicture(m_key,
                               ParamModel::StartPicture{name, std::move(made.base64), made.thumbnail, made.size});
        });
}

void PictureField::choose()
{
    auto *dialog = new QFileDialog(window(), tr("Choose a picture"), {}, tr("Pictures (*.png *.jpg *.jpeg *.webp)"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(QFileDialog::ExistingFile);
    connect(dialog, &QFileDialog::fileSelected, this, &PictureField::readFile);
    dialog->open();
}

void PictureField::readFile(const QString &path)
{
    const QString name = QFileInfo(path).fileName();
    inBackground(
        this,
        [path] {
            QFile file(path);
            return file.size() <= kMostBytes && file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
        },
        [this, name](const QByteArray &bytes) { take(bytes, name); });
}

void PictureField::paste()
{
    const QMimeData *data = QGuiApplication::clipboard()->mimeData();
    if (!holdsPicture(data)) return;
    if (data->hasUrls() && data->urls().front().isLocalFile()) return readFile(data->urls().front().toLocalFile());
    if (data->hasFormat(u"image/png"_s)) return take(data->data(u"image/png"_s), tr("Pasted picture"));
    const QImage image = qvariant_cast<QImage>(data->imageData());
    inBackground(
        this,
        [image] {
            QByteArray bytes;
            QBuffer buffer(&bytes);
            image.save(&buffer, "PNG");
            return bytes;
        },
        [this](const QByteArray &bytes) { take(bytes, tr("Pasted picture")); });
}

void PictureField::clear()
{
    ++m_asked;
    m_model.setPicture(m_key, std::nullopt);
    m_choose->setFocus();
}

void PictureField::dragEnterEvent(QDragEnterEvent *event)
{
    if (holdsPicture(event->mimeData())) event->acceptProposedAction();
}

void PictureField::dropEvent(QDropEvent *event)
{
    const QMimeData *data = event->mimeData();
    if (data->hasFormat(u"image/png"_s))
        take(data->data(u"image/png"_s), tr("Dropped picture"));
    else if (data->hasUrls())
        readFile(data->urls().front().toLocalFile());
    event->acceptProposedAction();
}

void PictureField::keyPressEvent(QKeyEvent *event)
{
    if (event->matches(QKeySequence::Paste))
        paste();
    else if (event->key() == Qt::Key_Delete && m_model.picture(m_key))
        clear();
    else
        QWidget::keyPressEvent(event);
}

}  // namespace sg::ui
