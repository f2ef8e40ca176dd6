#pragma once

#include <string>
#include <string_view>

namespace sg {

/// What went wrong, as far as a program needs to know. One table maps it to an HTTP status (core/server), one to a sentence (ui/).
enum class ErrorCode {
    InvalidArgument,  ///< a field has a wrong type, value or range
    NotFound,         ///< no such model, task, file or route
    Conflict,         ///< the same id with another body, a name already taken
    Forbidden,        ///< Host, origin, role or signature refused
    Expired,          ///< a link past its time
    TooLarge,         ///< body, picture, file or header over its limit
    UnusableFile,     ///< the file breaks a rule of its format, or is of a kind that cannot be used here
    ModelChanged,     ///< the file on disk is not the one that was registered
    QueueFull,        ///< try again later
    Cancelled,        ///< the user asked for it
    NonFinite,        ///< the network produced NaN or infinity
    OutOfMemory,      ///< it does not fit, with the numbers
    DiskFull,         ///< nothing was written
    EngineFailed,     ///< the engine process ended or broke the protocol
    Unavailable,      ///< stopping or starting; try again
    Internal,         ///< a bug of ours
};

/// The name that appears in JSON (`code`), in the engine protocol and in logs: "invalid_argument", "not_found", …
std::string_view errorName(ErrorCode code);

/// The reverse of errorName; an unknown name is Internal.
ErrorCode errorFromName(std::string_view name);

/// An expected failure, as a value. Message is English, for logs and API; subject is the field, key or path it is about.
struct Error {
    ErrorCode code = ErrorCode::Internal;
    std::string message;
    std::string subject;

    bool operator==(const Error &) const = default;
};

/// The exception that carries an Error inside core/diffusion and core/imaging only; the engine's session catches it.
struct Failure {
    Error error;
};

}  // namespace sg
