#include "ui/generate/picture_panel.h"

#include "core/base/error.h"
#include "ui/client/background.h"
#include "ui/generate/picture_actions.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/icons.h"
#include "ui/widgets/picture_view.h"

#include <QClipboard>
#include <QDir>
#include <QDrag>
#include <QFileDialog>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QItemSelectionModel>
#include <QLabel>
#include <QListView>
#include <QLocale>
#include <QMimeData>
#include <QStackedWidget>
#include <QStandardPaths>
#include <QToolButton>
#include <QVBoxLayout>

namespace sg::ui {
namespace {

using namespace Qt::Literals::StringLiterals;

constexpr int kStripIcon = 64;
constexpr int kRoomForTexts = 620;  // below it the buttons show their icons only

/// A list whose items are dragged out as pictures.
class StripView final : public QListView {
public:
    StripView(std::function<void()> drag, QWidget *parent) : QListView(parent), m_drag(std::move(drag)) {}

protected:
    void startDrag(Qt::DropActions) override { m_drag(); }

private:
    std::function<void()> m_drag;
};

}  // namespace

PicturePanel::PicturePanel(QWidget *parent, qint64 mostBytes)
    : QWidget(parent), m_stage(new QStackedWidget(this)), m_empty(new EmptyState(u"picture"_s, this)),
      m_view(new PictureView(this)), m_strip(new StripView([this] { dragOut(); }, this)),
      m_results(new ResultList(this)), m_store(new PictureStore(this, mostBytes)), m_zoom(new QLabel(this))
{
    auto *column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(8);
    m_stage->setObjectName(u"stage"_s);
    m_stage->addWidget(m_empty);
    m_stage->addWidget(m_view);
    m_stage->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
    column->addWidget(makeToolbar());
    column->addWidget(m_stage, 1);
    makeStrip();
    column->addWidget(m_strip);
    connect(m_view, &PictureView::zoomChanged, this, [this](double zoom) {
        m_zoom->setText(QLocale().toString(qRound(zoom * m_view->devicePixelRatioF() * 100)) + QLocale().percent());
    });
    connect(m_view, &PictureView::dragOutRequested, this, &PicturePanel::dragOut);
    connect(m_results, &ResultList::left, m_store, &PictureStore::remove);
    connect(m_store, &PictureStore::loaded, this, [this](const QString &key) {
        if (const ResultList::Entry *entry = currentEntry(); entry && entry->key == key) showCurrent();
    });
    connect(m_store, &PictureStore::failed, this,
            [this](const QString &, const Error &error) { Q_EMIT failed(error); });
    showCurrent();
}

QToolButton *PicturePanel::addTool(const QString &iconName, const QString &name, const QString &keys)
{
    auto *button = new QToolButton(this);
    button->setIcon(icon(iconName));
    button->setProperty("role", u"tool"_s);
    button->setAccessibleName(name);
    button->setToolTip(keys.isEmpty() ? name : u"%1 (%2)"_s.arg(name, keys));
    button->setFocusPolicy(Qt::StrongFocus);
    m_tools.append(button);
    return button;
}

QWidget *PicturePanel::makeToolbar()
{
    auto *bar = new QWidget(this);
    auto *row = new QHBoxLayout(bar);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(2);
    const auto add = [&](const QString &iconName, const QString &name, const QString &keys, auto run) {
        QToolButton *button = addTool(iconName, name, keys);
        connect(button, &QToolButton::clicked, this, run);
        row->addWidget(button);
        return button;
    };
    add(u"zoom-out"_s, tr("Zoom out"), u"-"_s, [this] { m_view->zoomBy(0.8); });
    m_zoom->setMinimumWidth(fontMetrics().horizontalAdvance(u"1000 %"_s));
    m_zoom->setAlignment(Qt::AlignCenter);
    m_zoom->setProperty("role", u"muted"_s);
    row->addWidget(m_zoom);
    add(u"zoom-in"_s, tr("Zoom in"), u"+"_s, [this] { m_view->zoomBy(1.25); });
    add(u"fit"_s, tr("Fit into the window"), u"0"_s, [this] { m_view->fit(); });
    add(u"one"_s, tr("One to one"), u"1"_s, [this] { m_view->oneToOne(); });
    row->addStretch(1);
    const auto addText = [&](const QString &iconName, const QString &text, const QString &keys, auto run) {
        QToolButton *button = add(iconName, text, keys, run);
        button->setText(text);
        m_pictureTools.append(button);
        return button;
    };
    addText(u"save"_s, tr("Save…"), u"Ctrl+S"_s, &PicturePanel::save)->setShortcut(QKeySequence(u"Ctrl+S"_s));
    addText(u"copy"_s, tr("Copy picture"), u"Ctrl+Shift+C"_s, &PicturePanel::copyPicture)
        ->setShortcut(QKeySequence(u"Ctrl+Shift+C"_s));
    addText(u"text"_s, tr("Copy parameters"), u"Ctrl+Shift+P"_s, &PicturePanel::copyParameters)
        ->setShortcut(QKeySequence(u"Ctrl+Shift+P"_s));
    addText(u"picture"_s, tr("To image to image"), u"Ctrl+Shift+I"_s, &PicturePanel::startFromPicture)
        ->setShortcut(QKeySequence(u"Ctrl+Shift+I"_s));
    return bar;
}

void PicturePanel::startFromPicture()
{
    if (const Picture *picture = current()) Q_EMIT startWanted(*picture);
}

void PicturePanel::makeStrip()
{
    m_strip->setModel(m_results);
    m_strip->setObjectName(u"strip"_s);
    m_strip->setAccessibleName(tr("Pictures of this session"));
    m_strip->setViewMode(QListView::IconMode);
    m_strip->setFlow(QListView::LeftToRight);
    m_strip->setWrapping(false);
    m_strip->setMovement(QListView::Static);
    m_strip->setUniformItemSizes(true);
    m_strip->setDragEnabled(true);
    m_strip->setIconSize({kStripIcon, kStripIcon});
    m_strip->setGridSize({kStripIcon + 12, kStripIcon + 12});
    m_strip->setFixedHeight(kStripIcon + 34);
    m_strip->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_strip->setSelectionMode(QAbstractItemView::SingleSelection);
    m_strip->hide();
    connect(m_strip->selectionModel(), &QItemSelectionModel::currentChanged, this, [this] {
        m_previewing = false;
        showCurrent();
    });
}

const ResultList::Entry *PicturePanel::currentEntry() const
{
    return m_results->at(m_strip->currentIndex());
}

const Picture *PicturePanel::current() const
{
    const ResultList::Entry *entry = currentEntry();
    return entry ? m_store->find(entry->key) : nullptr;
}

void PicturePanel::resizeEvent(QResizeEvent *event)
{
    const bool narrow = width() < kRoomForTexts;
    for (QToolButton *tool : m_pictureTools)
        tool->setToolButtonStyle(narrow ? Qt::ToolButtonIconOnly : Qt::ToolButtonTextBesideIcon);
    QWidget::resizeEvent(event);
}

void PicturePanel::addPicture(const Picture &picture)
{
    m_results->add({m_store->add(picture), picture.thumbnail, picture.infotext});
    m_strip->show();
    m_previewing = false;
    m_strip->setCurrentIndex(m_results->index(0));
    m_strip->scrollToTop();
    showCurrent();
}

void PicturePanel::showPreview(const QImage &preview)
{
    m_previewing = true;
    m_stage->setCurrentWidget(m_view);
    m_view->setPicture(preview);
}

void PicturePanel::endPreview()
{
    if (!m_previewing) return;
    m_previewing = false;
    showCurrent();
}

void PicturePanel::showCurrent()
{
    const ResultList::Entry *entry = currentEntry();
    const Picture *picture = current();
    if (entry && !picture) m_store->load(entry->key);
    m_stage->setCurrentWidget(entry ? static_cast<QWidget *>(m_view) : m_empty);
    // Until its file has been read, the thumbnail stands for the picture.
    if (!m_previewing) m_view->setPicture(picture ? picture->image : entry ? entry->thumbnail : QImage());
    for (QToolButton *tool : m_tools)
        tool->setEnabled(picture != nullptr);
    if (!picture) m_zoom->clear();
    Q_EMIT currentChanged();
}

void PicturePanel::save()
{
    const Picture *picture = current();
    if (!picture) return;
    const QString folder =
        m_saveFolder.isEmpty() ? QStandardPaths::writableLocation(QStandardPaths::PicturesLocation) : m_saveFolder;
    auto *dialog = new QFileDialog(this, tr("Save picture"), folder, tr("PNG pictures (*.png)"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setDefaultSuffix(u"png"_s);
    dialog->selectFile(suggestedName(*picture));
    // A queued picture may arrive while the name is being typed: what is saved is what was shown.
    connect(dialog, &QFileDialog::fileSelected, this,
            [this, held = *picture](const QString &path) { write(held, path); });
    dialog->open();
}

void PicturePanel::saveTo(const QString &path)
{
    if (const Picture *picture = current()) write(*picture, path);
}

void PicturePanel::write(const Picture &picture, const QString &path)
{
    m_saveFolder = QFileInfo(path).absolutePath();
    Q_EMIT saveFolderChanged(m_saveFolder);
    inBackground(
        this, [held = picture, path] { return savePicture(held, path); },
        [this, path](const Expected<void> &saved) {
            if (saved)
                Q_EMIT happened(tr("Saved as %1").arg(QDir::toNativeSeparators(path)));
            else
                Q_EMIT failed(saved.error());
        });
}

void PicturePanel::copyPicture()
{
    const Picture *picture = current();
    if (!picture) return;
    QGuiApplication::clipboard()->setMimeData(pictureMimeData(*picture, nullptr).release());
    Q_EMIT happened(tr("The picture was copied"));
}

void PicturePanel::copyParameters()
{
    const Picture *picture = current();
    if (!picture) return;
    QGuiApplication::clipboard()->setText(picture->infotext);
    Q_EMIT happened(tr("The parameters were copied"));
}

void PicturePanel::dragOut()
{
    const Picture *picture = current();
    if (!picture) return;
    auto *drag = new QDrag(this);
    drag->setMimeData(pictureMimeData(*picture, &m_dragFolder).release());
    drag->setPixmap(QPixmap::fromImage(picture->thumbnail));
    drag->exec(Qt::CopyAction);
}

}  // namespace sg::ui
