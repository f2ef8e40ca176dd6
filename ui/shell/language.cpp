#include "ui/shell/language.h"

#include <QApplication>
#include <QFont>
#include <QLibraryInfo>
#include <QTranslator>

namespace sg::ui {

using namespace Qt::Literals::StringLiterals;

bool installLanguage(QCoreApplication &application, const QLocale &locale)
{
    auto *qt = new QTranslator(&application);
    if (qt->load(locale, u"qtbase"_s, u"_"_s, QLibraryInfo::path(QLibraryInfo::TranslationsPath)))
        application.installTranslator(qt);
    auto *plurals = new QTranslator(&application);  // English needs them too: "1 folder", "2 folders"
    if (plurals->load(u":/i18n/serigraph_en.qm"_s)) application.installTranslator(plurals);
    if (locale.language() == QLocale::English) return true;
    auto *own = new QTranslator(&application);
    const bool found = own->load(locale, u"serigraph"_s, u"_"_s, u":/i18n"_s);
    if (found) application.installTranslator(own);
    if (locale.language() == QLocale::Chinese && qobject_cast<QApplication *>(&application)) {
        // Fontconfig's own choice of a fallback for a Latin font is often a bold or a Japanese face.
        QFont font = QApplication::font();
        font.setFamilies({font.family(), u"Noto Sans CJK SC"_s, u"Noto Sans SC"_s, u"Source Han Sans SC"_s});
        QApplication::setFont(font);
    }
    return found;
}

}  // namespace sg::ui
