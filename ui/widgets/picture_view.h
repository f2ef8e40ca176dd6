#pragma once

#include <QGraphicsView>

class QGraphicsPixmapItem;

namespace sg::ui {

/// Shows one picture: wheel zooms at the cursor, dragging pans, keys + - 0 (fit) 1 (one to one). Fits until the user
/// zooms. A picture that is wholly visible is dragged out instead.
class PictureView final : public QGraphicsView {
    Q_OBJECT
public:
    explicit PictureView(QWidget *parent = nullptr);

    /// Null clears. The zoom is kept when the size is that of the picture before.
    void setPicture(const QImage &picture);
    QImage picture() const { return m_picture; }

    void zoomBy(double factor);
    void fit();
    void oneToOne();
    double zoom() const { return transform().m11(); }
    bool fitted() const { return m_fitted; }

Q_SIGNALS:
    void zoomChanged(double zoom);
    void dragOutRequested();

protected:
    void wheelEvent(QWheelEvent *event) override;
    void keyPressEvent(QKeyEvent *event) override;
    void resizeEvent(QResizeEvent *event) override;
    void mousePressEvent(QMouseEvent *event) override;
    void mouseMoveEvent(QMouseEvent *event) override;

private:
    void setZoom(double zoom);
    void refit();
    bool whollyVisible() const;

    QGraphicsPixmapItem *m_item;
    QImage m_picture;
    QPoint m_pressed;
    bool m_fitted = true;
};

}  // namespace sg::ui
