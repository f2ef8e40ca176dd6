#pragma once

namespace sg::daemon {

/// What the process's end says to a script (docs/cli.md).
enum ExitCode {
    kExitOk = 0,
    kExitUsage = 2,      ///< a wrong argument or value
    kExitModel = 3,      ///< no such model, or it cannot be used
    kExitFailed = 4,     ///< the work failed, or the server could not start
    kExitCancelled = 5,  ///< Ctrl+C, or cancelled by somebody else
};

}  // namespace sg::daemon
