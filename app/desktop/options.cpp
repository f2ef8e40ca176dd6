#include "app/desktop/options.h"

#include "core/server/installation.h"

#include <QCommandLineParser>
#include <QCoreApplication>
#include <QDir>

namespace sg::desktop {

using namespace Qt::Literals::StringLiterals;

Options readOptions(const QCoreApplication &application)
{
    const QString defaultFolder = QString::fromStdString(defaultDataDir().string());
    const auto text = [](const char *english) { return QCoreApplication::translate("Options", english); };
    QCommandLineParser parser;
    parser.setApplicationDescription(
        text(QT_TRANSLATE_NOOP("Options", "Serigraph: Stable Diffusion on your own machine.")));
    parser.addHelpOption();
    parser.addVersionOption();
    const QCommandLineOption dataDir(u"data-dir"_s,
                                     text(QT_TRANSLATE_NOOP("Options", "Folder of database, pictures and settings.")),
                                     u"folder"_s, defaultFolder);
    const QCommandLineOption models(
        u"models"_s, text(QT_TRANSLATE_NOOP("Options", "A model folder for this run; may be repeated.")), u"folder"_s);
    const QCommandLineOption connectTo(
        u"connect"_s, text(QT_TRANSLATE_NOOP("Options", "Use the server at this URL instead of one in this program.")),
        u"url"_s);
    const QCommandLineOption token(u"token"_s, text(QT_TRANSLATE_NOOP("Options", "The token for --connect.")),
                                   u"token"_s);
    const QCommandLineOption page(
        u"page"_s, text(QT_TRANSLATE_NOOP("Options", "The first page: generate, models, server or log.")), u"page"_s);
    const QCommandLineOption screenshot(
        u"screenshot"_s, text(QT_TRANSLATE_NOOP("Options", "Write the window to this PNG file and quit.")), u"file"_s);
    const QCommandLineOption nullEngine(
        u"null-engine"_s, text(QT_TRANSLATE_NOOP("Options", "Plain colours instead of pictures, for tests.")));
    parser.addOptions({dataDir, models, connectTo, token, page, screenshot, nullEngine});
    parser.process(application);
    Options options;
    options.dataDir = QDir(parser.value(dataDir)).absolutePath();
    options.models = parser.values(models);
    options.connectTo = parser.value(connectTo);
    options.token = parser.value(token);
    options.page = parser.value(page);
    options.screenshot = parser.value(screenshot);
    options.nullEngine = parser.isSet(nullEngine);
    return options;
}

}  // namespace sg::desktop
