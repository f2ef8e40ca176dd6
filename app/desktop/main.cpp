#include "app/desktop/options.h"
#include "app/desktop/single_instance.h"
#include "core/base/log.h"
#include "core/base/version.h"
#include "core/server/installation.h"
#include "core/server/services.h"
#include "ui/client/api_client.h"
#include "ui/shell/language.h"
#include "ui/shell/main_window.h"
#include "ui/shell/ui_settings.h"
#include "ui/widgets/icons.h"
#include "ui/widgets/theme.h"

#include <QApplication>
#include <QDir>
#include <QMessageBox>
#include <QPixmap>
#include <QSocketNotifier>
#include <QTimer>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>

#include <fcntl.h>
#include <unistd.h>

namespace {

using namespace Qt::Literals::StringLiterals;
using namespace std::chrono_literals;
using sg::desktop::Options;

constexpr int kNoDisplay = 2;
constexpr int kNoServices = 3;
constexpr std::uint16_t kUsualPort = 7860;  // A1111's, where clients look first

int g_stopPipe[2] = {-1, -1};

void onStopSignal(int)
{
    const char byte = 1;
    [[maybe_unused]] const auto written = ::write(g_stopPipe[1], &byte, 1);
}

/// SIGTERM and SIGINT close the window, so that tasks and settings are put away in order.
void closeOnSignals(QApplication &application)
{
    if (::pipe2(g_stopPipe, O_CLOEXEC) != 0) return;
    auto *notifier = new QSocketNotifier(g_stopPipe[0], QSocketNotifier::Read, &application);
    QObject::connect(notifier, &QSocketNotifier::activated, &application, [] {
        char byte = 0;
        [[maybe_unused]] const auto taken = ::read(g_stopPipe[0], &byte, 1);
        QApplication::closeAllWindows();
    });
    std::signal(SIGTERM, onStopSignal);
    std::signal(SIGINT, onStopSignal);
}

bool haveDisplay()
{
    for (const char *name : {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"})
        if (!qEnvironmentVariableIsEmpty(name)) return true;
    return false;
}

/// As the Server page was left, or as on the first start: on, so that README's curl works.
void takeListener(const sg::ui::UiSettings &settings, sg::ServicesConfig &config)
{
    const auto held = [&](const QString &key, const QVariant &otherwise) {
        const QVariant value = settings.value(u"server/"_s + key);
        return value.isValid() ? value : otherwise;
    };
    config.listenPublic = held(u"listening"_s, true).toBool();
    config.address = held(u"address"_s, QString::fromStdString(config.address)).toString().toStdString();
    const int port = held(u"port"_s, int{kUsualPort}).toInt();
    config.port = port >= 0 && port <= 65535 ? static_cast<std::uint16_t>(port) : kUsualPort;
}

sg::ServicesConfig servicesConfig(const Options &options, const sg::ui::UiSettings &settings)
{
    sg::ServicesConfig config;
    config.dataDir = options.dataDir.toStdString();
    config.modelFolders = sg::bundledModelFolders();
    for (const QString &folder : options.models)
        config.modelFolders.push_back(QDir(folder).absolutePath().toStdString());
    config.engineProgram = sg::engineProgram();
    if (options.nullEngine) config.engineArguments = {"--null"};
    takeListener(settings, config);
    config.publicIsOptional = true;  // another program may hold the port; the Server page says so
    config.allowRemote = true;       // the Server page asks before it listens to the outside
    return config;
}

void screenshotAndQuit(sg::ui::MainWindow &window, const QString &file)
{
    QTimer::singleShot(2500ms, &window, [&window, file] {
        if (!window.grab().save(file, "PNG"))
            std::fprintf(stderr, "serigraph: %s cannot be written\n", qPrintable(file));
        window.close();
    });
}

int runWindow(QApplication &application, const Options &options, sg::ui::UiSettings &settings, const QUrl &url,
              const QString &token, sg::desktop::SingleInstance &instance)
{
    sg::ui::Theme theme;
    theme.choose(sg::ui::Theme::fromName(settings.value(u"window/theme"_s).toString()));
    sg::ui::ApiClient client(url, token);
    sg::ui::MainWindow window(client, settings, theme, sg::ParamTable::standard());
    if (const int page = sg::ui::MainWindow::pageFromName(options.page); page >= 0) window.showPage(page);
    QObject::connect(&instance, &sg::desktop::SingleInstance::raiseRequested, &window,
                     &sg::ui::MainWindow::raiseWindow);
    window.show();
    if (!options.screenshot.isEmpty()) screenshotAndQuit(window, options.screenshot);
    return application.exec();
}

}  // namespace

int main(int argc, char **argv)
{
    if (!haveDisplay()) {
        std::fprintf(stderr, "serigraph: there is no display here (DISPLAY and WAYLAND_DISPLAY are empty).\n"
                             "The same server without a window: serigraphd serve --help\n");
        return kNoDisplay;
    }
    QApplication application(argc, argv);
    QApplication::setApplicationName(u"serigraph"_s);
    QApplication::setApplicationDisplayName(u"Serigraph"_s);
    QApplication::setApplicationVersion(
        QString::fromUtf8(sg::version().data(), static_cast<qsizetype>(sg::version().size())));
    QApplication::setWindowIcon(sg::ui::programIcon());
    sg::ui::installLanguage(application, QLocale::system());
    const Options options = sg::desktop::readOptions(application);
    QDir().mkpath(options.dataDir);
    closeOnSignals(application);
    sg::desktop::SingleInstance instance(options.dataDir);
    sg::ui::UiSettings settings(options.dataDir + u"/desktop.ini"_s);
    if (!options.connectTo.isEmpty())
        return runWindow(application, options, settings, QUrl(options.connectTo), options.token, instance);
    if (instance.raiseOther()) return 0;
    sg::Services services(servicesConfig(options, settings));
    if (const sg::Expected<void> started = services.start(); !started) {
        std::fprintf(stderr, "serigraph: %s\n", started.error().message.c_str());
        // From a menu nobody sees stderr.
        if (options.screenshot.isEmpty() && QGuiApplication::platformName() != u"offscreen"_s)
            QMessageBox::critical(nullptr, QApplication::applicationDisplayName(),
                                  QString::fromStdString(started.error().message));
        return kNoServices;
    }
    instance.listen();
    const int code = runWindow(application, options, settings, QUrl(QString::fromStdString(services.privateUrl())),
                               QString::fromStdString(services.privateToken()), instance);
    services.stop();
    return code;
}
