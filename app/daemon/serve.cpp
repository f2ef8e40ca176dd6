#include "app/daemon/command_line.h"
#include "app/daemon/commands.h"
#include "app/daemon/exit_codes.h"
#include "app/daemon/signal_watch.h"

#include "core/models/model_library.h"

#include <QCoreApplication>
#include <QDeadlineTimer>
#include <QTimer>

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>

namespace sg::daemon {
namespace {

constexpr int kFirstScanMs = 10'000;  ///< how long "ready" may wait for the models
constexpr rlim_t kFiles = 4096;
constexpr int kDefaultPort = 7860;  // A1111's: its clients find us without settings

void declare(QCommandLineParser &parser)
{
    parser.setApplicationDescription(
        name("Answers the HTTP API (docs/api.md). Prints \"listening on http://...\" when ready."));
    addDataOptions(parser);
    parser.addOption({name("port"), name("Port; 0 takes a free one."), name("number"), QString::number(kDefaultPort)});
    parser.addOption({name("bind"), name("Address to listen on."), name("address"), name("127.0.0.1")});
    parser.addOption(
        {name("allow-remote"), name("Listen on other addresses than loopback, although there is no login yet.")});
    parser.addOption(
        {name("allow-host"), name("A further Host value that is answered; may come several times."), name("name")});
    parser.addOption({name("public-url"), name("What signed links begin with, behind a proxy."), name("url")});
    addLimitOptions(parser);
    addEngineOptions(parser);
}

Expected<ServicesConfig> configure(const QCommandLineParser &parser)
{
    Expected<ServicesConfig> config = dataConfig(parser);
    if (!config) return config;
    if (Expected<void> read = readEngineOptions(parser, *config); !read) return Unexpected{read.error()};
    if (Expected<void> read = readLimitOptions(parser, *config); !read) return Unexpected{read.error()};
    const auto port = integerOption(parser, name("port"), 0, 65535);
    if (!port) return Unexpected{port.error()};
    config->listenPublic = true;
    config->port = static_cast<std::uint16_t>(*port);
    config->address = parser.value(name("bind")).toStdString();
    config->allowRemote = parser.isSet(name("allow-remote"));
    config->publicUrl = parser.value(name("public-url")).toStdString();
    while (config->publicUrl.ends_with('/'))
        config->publicUrl.pop_back();
    for (const QString &host : parser.values(name("allow-host")))
        config->allowedHosts.push_back(host.toStdString());
    return config;
}

/// 1,000 connections need more files than the usual soft limit of 1,024 leaves.
void raiseFileLimit()
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kFiles) return;
    limit.rlim_cur = std::min(kFiles, limit.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Says "listening" when the first look at the models is over, so that a script's first request finds them.
void announceWhenReady(Services &services, QObject *context)
{
    auto *poll = new QTimer(context);
    QObject::connect(poll, &QTimer::timeout, context, [&services, poll, deadline = QDeadlineTimer(kFirstScanMs)] {
        if (services.library().scanning() && !deadline.hasExpired()) return;
        poll->stop();
        std::printf("listening on %s\n", services.publicUrl().c_str());
        std::fflush(stdout);
    });
    poll->start(10);
}

}  // namespace

int serve(const QStringList &words)
{
    QCommandLineParser parser;
    declare(parser);
    if (Expected<void> parsed = parseWords(parser, words); !parsed) return complain(parsed.error(), kExitUsage);
    Expected<ServicesConfig> config = configure(parser);
    if (!config) return complain(config.error(), kExitUsage);
    raiseFileLimit();
    SignalWatch stopSignals;
    Services services(std::move(*config));
    if (Expected<void> started = services.start(); !started) {
        const ErrorCode code = started.error().code;
        return complain(started.error(),
                        code == ErrorCode::Forbidden || code == ErrorCode::InvalidArgument ? kExitUsage : kExitFailed);
    }
    QObject::connect(&stopSignals, &SignalWatch::asked, QCoreApplication::instance(), &QCoreApplication::quit);
    announceWhenReady(services, &stopSignals);
    QCoreApplication::exec();
    services.stop();
    return kExitOk;
}

}  // namespace sg::daemon
