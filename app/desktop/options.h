#pragma once

#include <QString>
#include <QStringList>

#include <optional>

class QCoreApplication;

namespace sg::desktop {

/// The command line of the desktop program.
struct Options {
    QString dataDir;
    QStringList models;
    QString connectTo;  ///< a remote server's URL; empty: the services run in this process
    QString token;
    QString page;
    QString screenshot;  ///< write the window to this file and quit
    bool nullEngine = false;
};

/// Reads the arguments; ends the program for --help, --version and what cannot be understood.
Options readOptions(const QCoreApplication &application);

}  // namespace sg::desktop
