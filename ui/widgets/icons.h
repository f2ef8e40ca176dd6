#pragma once

#include <QIcon>
#include <QString>

namespace sg::ui {

/// An icon of resources/icons by its file's name, drawn in the palette's text colour of the moment: a change of theme
/// recolours it. Thread  main.
QIcon icon(const QString &name);

/// The program's own icon.
QIcon programIcon();

}  // namespace sg::ui
