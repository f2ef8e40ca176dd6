#include "ui/widgets/icons.h"

#include <QFile>
#include <QGuiApplication>
#include <QHash>
#include <QIconEngine>
#include <QPainter>
#include <QPalette>
#include <QPixmap>
#include <QSvgRenderer>

namespace sg::ui {
namespace {

using namespace Qt::Literals::StringLiterals;

/// Renders one SVG in the colour that the state asks for, and keeps the pixmaps.
class PaletteIconEngine final : public QIconEngine {
public:
    explicit PaletteIconEngine(QString name) : m_name(std::move(name))
    {
        QFile file(u":/icons/%1.svg"_s.arg(m_name));
        if (file.open(QIODevice::ReadOnly)) m_svg = file.readAll();
    }
    QIconEngine *clone() const override { return new PaletteIconEngine(m_name); }
    QString key() const override { return u"serigraph"_s; }

    void paint(QPainter *painter, const QRect &rect, QIcon::Mode mode, QIcon::State state) override
    {
        const qreal ratio = painter->device()->devicePixelRatioF();
        painter->drawPixmap(rect, scaledPixmap(rect.size() * ratio, mode, state, ratio));
    }
    QPixmap pixmap(const QSize &size, QIcon::Mode mode, QIcon::State state) override
    {
        return scaledPixmap(size, mode, state, 1);
    }
    QPixmap scaledPixmap(const QSize &size, QIcon::Mode mode, QIcon::State state, qreal) override
    {
        const QColor colour = colourOf(mode, state);
        const QString key = u"%1|%2|%3"_s.arg(colour.name(QColor::HexArgb)).arg(size.width()).arg(size.height());
        const auto known = m_pixmaps.constFind(key);
        if (known != m_pixmaps.constEnd()) return *known;
        QByteArray svg = m_svg;
        svg.replace("#000000", colour.name().toLatin1());
        QPixmap pixmap(size);
        pixmap.fill(Qt::transparent);
        QPainter painter(&pixmap);
        painter.setOpacity(colour.alphaF());
        QSvgRenderer(svg).render(&painter);
        m_pixmaps.insert(key, pixmap);
        return pixmap;
    }

private:
    static QColor colourOf(QIcon::Mode mode, QIcon::State state)
    {
        const QPalette palette = QGuiApplication::palette();
        if (mode == QIcon::Disabled) return palette.color(QPalette::Disabled, QPalette::WindowText);
        if (mode == QIcon::Selected) return palette.color(QPalette::HighlightedText);
        if (state == QIcon::On) return palette.color(QPalette::Link);
        return palette.color(QPalette::WindowText);
    }

    QString m_name;
    QByteArray m_svg;
    QHash<QString, QPixmap> m_pixmaps;
};

}  // namespace

QIcon icon(const QString &name)
{
    static QHash<QString, QIcon> icons;
    const auto known = icons.constFind(name);
    if (known != icons.constEnd()) return *known;
    return *icons.insert(name, QIcon(new PaletteIconEngine(name)));
}

QIcon programIcon()
{
    return QIcon(u":/icons/serigraph.svg"_s);
}

}  // namespace sg::ui
