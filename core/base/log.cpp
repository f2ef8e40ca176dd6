#include "core/base/log.h"

#include <chrono>
#include <cstdio>
#include <ctime>

namespace sg {
namespace {

constexpr std::size_t kKeptLines = 10'000;
constexpr std::size_t kMaxMessage = 4096;

/// Line ends and terminal escapes become visible text: a prompt cannot forge a line.
std::string oneLine(std::string_view text)
{
    std::string out;
    for (const char c : text.substr(0, kMaxMessage)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7f) {
            out.push_back(c);
            continue;
        }
        char escaped[8];
        std::snprintf(escaped, sizeof escaped, "\\x%02x", byte);
        out += escaped;
    }
    return out;
}

std::int64_t nowMilliseconds()
{
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

void printLine(const LogLine &line)
{
    const std::time_t seconds = line.milliseconds / 1000;
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    char stamp[32];
    std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    const std::string text = std::string(stamp) + "Z " + std::string(logLevelName(line.level)) + " " + line.category + ": " + line.message + "\n";
    std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace

std::string_view logLevelName(LogLevel level)
{
    switch (level) {
    case LogLevel::Debug: return "debug";
    case LogLevel::Info: return "info";
    case LogLevel::Warning: return "warning";
    case LogLevel::Error: return "error";
    }
    return "info";
}

Log &Log::instance()
{
    static Log log;
    return log;
}

void Log::write(LogLevel level, std::string_view category, std::string_view message)
{
    const std::lock_guard lock(m_mutex);
    m_lines.push_back({m_next++, nowMilliseconds(), level, std::string(category), oneLine(message)});
    if (m_lines.size() > kKeptLines) m_lines.pop_front();
    if (level >= m_stderrLevel) printLine(m_lines.back());
}

std::vector<LogLine> Log::linesAfter(std::uint64_t after, std::size_t count) const
{
    const std::lock_guard lock(m_mutex);
    std::vector<LogLine> out;
    for (const LogLine &line : m_lines) {
        if (out.size() == count) break;
        if (line.number > after) out.push_back(line);
    }
    return out;
}

void Log::setStderrLevel(LogLevel level)
{
    const std::lock_guard lock(m_mutex);
    m_stderrLevel = level;
}

}  // namespace sg
