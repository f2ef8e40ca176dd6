#include "app/daemon/command_line.h"

#include "core/server/installation.h"

#include <cstdio>
#include <filesystem>

namespace sg::daemon {
namespace {

struct LimitOption {
    const char *name;
    const char *help;
    std::int64_t ParamLimits::*limit;
    std::int64_t minimum;
};

constexpr LimitOption kLimits[] = {
    {"max-side", "Largest width and height in pixels.", &ParamLimits::side, 8},
    {"max-steps", "Most steps.", &ParamLimits::steps, 1},
    {"max-batch", "Most pictures computed together.", &ParamLimits::batchSize, 1},
    {"max-iterations", "Most repeats of a batch.", &ParamLimits::iterations, 1},
};

}  // namespace

void addDataOptions(QCommandLineParser &parser)
{
    parser.addHelpOption();
    parser.addOption({name("data-dir"), name("Where tasks, pictures and settings are kept."), name("folder")});
    parser.addOption(
        {name("models"),
         name("A folder or file with models; may come several times. Without it, the models that came along."),
         name("path")});
    parser.addOption(
        {name("wildcards"), name("Folder of the files that __name__ in a prompt takes a line of."), name("folder")});
}

void addEngineOptions(QCommandLineParser &parser)
{
    parser.addOption(
        {name("engine"), name("The engine program; normally serigraph-engine beside this one."), name("path")});
    parser.addOption({name("engine-arg"),
                      name("An argument for the engine (--engine-arg=--null); may come several times."), name("word")});
    parser.addOption({name("memory"),
                      name("What the engine's models and runs may take, in MiB; 0: what its device has."),
                      name("number"), QStringLiteral("0")});
}

void addLimitOptions(QCommandLineParser &parser)
{
    const ParamLimits defaults;
    for (const LimitOption &option : kLimits)
        parser.addOption(
            {name(option.name), name(option.help), name("number"), QString::number(defaults.*option.limit)});
}

Expected<void> parseWords(QCommandLineParser &parser, const QStringList &words)
{
    if (!parser.parse(words)) return fail(ErrorCode::InvalidArgument, parser.errorText().toStdString());
    if (parser.isSet(name("help"))) parser.showHelp(0);
    if (!parser.positionalArguments().isEmpty())
        return fail(ErrorCode::InvalidArgument,
                    "unexpected word \"" + parser.positionalArguments().first().toStdString() + "\"");
    return {};
}

Expected<std::int64_t> integerOption(const QCommandLineParser &parser, const QString &name, std::int64_t minimum,
                                     std::int64_t maximum)
{
    bool good = false;
    const std::int64_t value = parser.value(name).toLongLong(&good);
    if (good && value >= minimum && value <= maximum) return value;
    return fail(ErrorCode::InvalidArgument, "--" + name.toStdString() + " must be a whole number between " +
                                                std::to_string(minimum) + " and " + std::to_string(maximum));
}

Expected<ServicesConfig> dataConfig(const QCommandLineParser &parser)
{
    ServicesConfig config;
    config.listenPrivate = false;
    config.dataDir = parser.isSet(name("data-dir"))
                         ? std::filesystem::path(parser.value(name("data-dir")).toStdString())
                         : defaultDataDir();
    for (const QString &path : parser.values(name("models"))) {
        std::error_code error;
        const std::filesystem::path whole = std::filesystem::canonical(path.toStdString(), error);
        if (error) return fail(ErrorCode::InvalidArgument, "--models " + path.toStdString() + ": " + error.message());
        config.modelFolders.push_back(whole.string());
    }
    if (config.modelFolders.empty()) config.modelFolders = bundledModelFolders();
    config.wildcards = parser.value(name("wildcards")).toStdString();
    return config;
}

Expected<void> readEngineOptions(const QCommandLineParser &parser, ServicesConfig &config)
{
    config.engineProgram = parser.isSet(name("engine"))
                               ? std::filesystem::path(parser.value(name("engine")).toStdString())
                               : engineProgram();
    for (const QString &word : parser.values(name("engine-arg")))
        config.engineArguments.push_back(word.toStdString());
    const auto memory = integerOption(parser, name("memory"), 0, 1 << 24);
    if (!memory) return Unexpected{memory.error()};
    if (*memory > 0) config.engineArguments.insert(config.engineArguments.end(), {"--memory", std::to_string(*memory)});
    std::error_code ignored;
    if (std::filesystem::exists(config.engineProgram, ignored)) return {};
    return fail(ErrorCode::InvalidArgument, "there is no engine at " + config.engineProgram.string());
}

Expected<void> readLimitOptions(const QCommandLineParser &parser, ServicesConfig &config)
{
    for (const LimitOption &option : kLimits) {
        const auto value = integerOption(parser, name(option.name), option.minimum, 1'000'000);
        if (!value) return Unexpected{value.error()};
        config.limits.*option.limit = *value;
    }
    return {};
}

void tell(const std::string &text)
{
    std::string shown = text;
    for (char &c : shown)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    std::fprintf(stderr, "serigraphd: %s\n", shown.c_str());
}

int complain(const Error &error, int code)
{
    tell(error.message);
    return code;
}

}  // namespace sg::daemon
