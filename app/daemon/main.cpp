// serigraphd: Serigraph without a window. docs/cli.md says what it can.
#include "app/daemon/commands.h"
#include "app/daemon/exit_codes.h"

#include "core/base/version.h"

#include <QCoreApplication>

#include <cstdio>
#include <cstring>

namespace {

const char *const kHelp = "usage: serigraphd COMMAND [options]\n\n"
                          "  serve      answers the HTTP API until SIGTERM or Ctrl+C\n"
                          "  generate   draws pictures and exits\n"
                          "  models     lists the models of the given folders\n"
                          "  tasks      lists the tasks of a data folder\n\n"
                          "serigraphd COMMAND --help lists a command's options; serigraphd --version.\n"
                          "Exit codes: 0 done, 2 wrong usage, 3 no such or no usable model, 4 failed, 5 cancelled.\n";

}  // namespace

int main(int argc, char **argv)
{
    using namespace sg::daemon;
    QCoreApplication app(argc, argv);
    QCoreApplication::setApplicationName(QStringLiteral("serigraphd"));
    const QByteArray command = argc > 1 ? QByteArray(argv[1]) : QByteArray();
    if (command == "--version") {
        std::printf("serigraphd %.*s\n", static_cast<int>(sg::version().size()), sg::version().data());
        return kExitOk;
    }
    QStringList words = QCoreApplication::arguments();
    if (words.size() > 1) words.removeAt(1);
    if (command == "serve") return serve(words);
    if (command == "generate") return generate(words);
    if (command == "models") return listModels(words);
    if (command == "tasks") return listTasks(words);
    const bool asked = command == "--help" || command == "-h" || command == "help";
    std::fputs(kHelp, asked ? stdout : stderr);
    return asked ? kExitOk : kExitUsage;
}
