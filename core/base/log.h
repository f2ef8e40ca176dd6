#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace sg {

enum class LogLevel { Debug, Info, Warning, Error };

std::string_view logLevelName(LogLevel level);

/// One line of the log. Control characters in the message are escaped before it gets here, so a line stays a line.
struct LogLine {
    std::uint64_t number = 0;          ///< counts from 1; a reader asks for what came after the last it has
    std::int64_t milliseconds = 0;     ///< since 1970, UTC
    LogLevel level = LogLevel::Info;
    std::string category;              ///< "server", "engine", "library", …
    std::string message;
};

/// The process's log: a ring for the Log page and GET /logs, and stderr. Never writes to stdout.
/// Thread  all functions may be called from any thread.
class Log {
public:
    static Log &instance();

    void write(LogLevel level, std::string_view category, std::string_view message);

    /// Lines with a number above `after`, oldest first, at most `count`.
    std::vector<LogLine> linesAfter(std::uint64_t after, std::size_t count = 1000) const;

    /// Below this level nothing goes to stderr; the ring keeps everything.
    void setStderrLevel(LogLevel level);

private:
    mutable std::mutex m_mutex;
    std::deque<LogLine> m_lines;
    std::uint64_t m_next = 1;
    LogLevel m_stderrLevel = LogLevel::Info;
};

inline void logDebug(std::string_view category, std::string_view message) { Log::instance().write(LogLevel::Debug, category, message); }
inline void logInfo(std::string_view category, std::string_view message) { Log::instance().write(LogLevel::Info, category, message); }
inline void logWarning(std::string_view category, std::string_view message) { Log::instance().write(LogLevel::Warning, category, message); }
inline void logError(std::string_view category, std::string_view message) { Log::instance().write(LogLevel::Error, category, message); }

}  // namespace sg
