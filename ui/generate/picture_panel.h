#pragma once

#include "ui/client/api_types.h"
#include "ui/generate/picture_store.h"
#include "ui/generate/result_list.h"

#include <QTemporaryDir>
#include <QWidget>

class QLabel;
class QListView;
class QStackedWidget;
class QToolButton;

namespace sg::ui {

class EmptyState;
class PictureView;

/// The right half of the Generate page: the picture (or its preview), its actions, and the strip of this session's
/// pictures.
class PicturePanel final : public QWidget {
    Q_OBJECT
public:
    /// `mostBytes`: of pictures in memory, as PictureStore.
    explicit PicturePanel(QWidget *parent = nullptr, qint64 mostBytes = PictureStore::kMostBytes);

    void addPicture(const Picture &picture);
    void showPreview(const QImage &preview);
    /// Back from a preview to the chosen picture.
    void endPreview();
    /// The chosen picture; nothing while none is chosen, and until an older one has been read again.
    const Picture *current() const;

    PictureView *view() const { return m_view; }
    EmptyState *emptyState() const { return m_empty; }

    QString saveFolder() const { return m_saveFolder; }
    void setSaveFolder(const QString &folder) { m_saveFolder = folder; }
    void saveTo(const QString &path);

public Q_SLOTS:
    void save();
    void copyPicture();
    void copyParameters();
    void startFromPicture();

Q_SIGNALS:
    void startWanted(const sg::ui::Picture &picture);  ///< as the start of image-to-image
    void currentChanged();
    void saveFolderChanged(const QString &folder);
    void happened(const QString &message);
    void failed(const sg::Error &error);

protected:
    void resizeEvent(QResizeEvent *event) override;

private:
    const ResultList::Entry *currentEntry() const;
    void write(const Picture &picture, const QString &path);
    QWidget *makeToolbar();
    QToolButton *addTool(const QString &iconName, const QString &name, const QString &keys);
    void makeStrip();
    void showCurrent();
    void dragOut();

    QStackedWidget *m_stage;
    EmptyState *m_empty;
    PictureView *m_view;
    QListView *m_strip;
    ResultList *m_results;
    PictureStore *m_store;
    QLabel *m_zoom;
    QList<QToolButton *> m_tools;
    QList<QToolButton *> m_pictureTools;
    QTemporaryDir m_dragFolder;
    QString m_saveFolder;
    bool m_previewing = false;
};

}  // namespace sg::ui
