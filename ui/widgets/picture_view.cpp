#include "ui/widgets/picture_view.h"

#include <QApplication>
#include <QGraphicsPixmapItem>
#include <QKeyEvent>
#include <QScrollBar>
#include <QWheelEvent>

#include <algorithm>
#include <cmath>

namespace sg::ui {
namespace {

constexpr double kStep = 1.25;
constexpr double kSmallest = 0.02;
constexpr double kLargest = 64;
constexpr double kPixelsShow = 8;  // from here on a pixel is drawn as a square
constexpr int kMargin = 12;

}  // namespace

PictureView::PictureView(QWidget *parent) : QGraphicsView(parent), m_item(new QGraphicsPixmapItem)
{
    setScene(new QGraphicsScene(this));
    scene()->addItem(m_item);
    setTransformationAnchor(AnchorUnderMouse);
    setResizeAnchor(AnchorViewCenter);
    setDragMode(ScrollHandDrag);
    setFrameShape(NoFrame);
    setBackgroundRole(QPalette::Base);
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Picture"));
    m_item->setTransformationMode(Qt::SmoothTransformation);
}

void PictureView::setPicture(const QImage &picture)
{
    const bool sameSize = picture.size() == m_picture.size();
    m_picture = picture;
    m_item->setPixmap(QPixmap::fromImage(picture));
    scene()->setSceneRect(m_item->boundingRect());
    if (!sameSize) m_fitted = true;
    if (m_fitted) refit();
    viewport()->setCursor(whollyVisible() ? Qt::ArrowCursor : Qt::OpenHandCursor);
}

void PictureView::zoomBy(double factor)
{
    m_fitted = false;
    setZoom(zoom() * factor);
}

void PictureView::fit()
{
    m_fitted = true;
    refit();
}

void PictureView::oneToOne()
{
    m_fitted = false;
    setZoom(1 / devicePixelRatioF());
}

void PictureView::setZoom(double wanted)
{
    wanted = std::clamp(wanted, kSmallest, kLargest);
    m_item->setTransformationMode(wanted >= kPixelsShow ? Qt::FastTransformation : Qt::SmoothTransformation);
    const double factor = wanted / zoom();
    if (std::abs(factor - 1) > 1e-9) scale(factor, factor);
    Q_EMIT zoomChanged(zoom());
}

void PictureView::refit()
{
    if (m_picture.isNull()) return;
    const QSizeF room = QSizeF(maximumViewportSize()) - QSizeF(2 * kMargin, 2 * kMargin);
    const double wanted = std::min(room.width() / m_picture.width(), room.height() / m_picture.height());
    setZoom(std::max(wanted, kSmallest));
    centerOn(m_item);
}

bool PictureView::whollyVisible() const
{
    return horizontalScrollBar()->maximum() == horizontalScrollBar()->minimum() &&
           verticalScrollBar()->maximum() == verticalScrollBar()->minimum();
}

void PictureView::wheelEvent(QWheelEvent *event)
{
    if (event->angleDelta().y() == 0) return QGraphicsView::wheelEvent(event);
    zoomBy(std::pow(kStep, event->angleDelta().y() / 120.0));
    event->accept();
}

void PictureView::keyPressEvent(QKeyEvent *event)
{
    switch (event->key()) {
    case Qt::Key_Plus:
    case Qt::Key_Equal:
        return zoomBy(kStep);
    case Qt::Key_Minus:
        return zoomBy(1 / kStep);
    case Qt::Key_0:
        return fit();
    case Qt::Key_1:
        return oneToOne();
    default:
        QGraphicsView::keyPressEvent(event);
    }
}

void PictureView::resizeEvent(QResizeEvent *event)
{
    QGraphicsView::resizeEvent(event);
    if (m_fitted) refit();
}

void PictureView::mousePressEvent(QMouseEvent *event)
{
    m_pressed = event->pos();
    QGraphicsView::mousePressEvent(event);
}

void PictureView::mouseMoveEvent(QMouseEvent *event)
{
    const bool far = (event->pos() - m_pressed).manhattanLength() > QApplication::startDragDistance();
    if (far && (event->buttons() & Qt::LeftButton) && !m_picture.isNull() && whollyVisible())
        return void(Q_EMIT dragOutRequested());
    QGraphicsView::mouseMoveEvent(event);
}

}  // namespace sg::ui
