#pragma once

#include <QLocale>

class QCoreApplication;

namespace sg::ui {

/// Installs the window's translation for `locale`, and Qt's own; English where there is none. Call once, before the
/// first widget. True when a translation of ours was found.
bool installLanguage(QCoreApplication &application, const QLocale &locale);

}  // namespace sg::ui
