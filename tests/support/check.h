#pragma once

#include <cmath>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <vector>

/// A test program without Qt, for what must build with a compiler and torch alone: named cases, CHECK, CHECK_NEAR.
/// Exits with 1 when a check failed, when a case threw, or when no case ran. Arguments choose cases by name.
namespace sg::test {

struct Case {
    std::string name;
    std::function<void()> body;
};

inline std::vector<Case> &cases()
{
    static std::vector<Case> list;
    return list;
}

inline int &failures()
{
    static int count = 0;
    return count;
}

inline bool addCase(const char *name, std::function<void()> body)
{
    cases().push_back({name, std::move(body)});
    return true;
}

inline void failed(const char *file, int line, const std::string &what)
{
    ++failures();
    std::printf("%s:%d: %s\n", file, line, what.c_str());
}

inline int runCases(int count, char **names)
{
    int ran = 0;
    for (const Case &test : cases()) {
        bool chosen = count < 2;
        for (int i = 1; i < count; ++i)
            chosen = chosen || test.name == names[i];
        if (!chosen) continue;
        ++ran;
        const int before = failures();
        try {
            test.body();
        } catch (const std::exception &problem) {
            failed(test.name.c_str(), 0, std::string("threw ") + problem.what());
        } catch (...) {
            failed(test.name.c_str(), 0, "threw something");
        }
        std::printf("%s %s\n", failures() == before ? "ok  " : "FAIL", test.name.c_str());
    }
    std::printf("%d cases, %d failures\n", ran, failures());
    return ran > 0 && failures() == 0 ? 0 : 1;
}

}  // namespace sg::test

#define SG_CASE(name)                                                                                                  \
    static void name();                                                                                                \
    [[maybe_unused]] static const bool added_##name = sg::test::addCase(#name, name);                                  \
    static void name()

// torch's headers bring a CHECK of their own, which ends the process.
#undef CHECK
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) sg::test::failed(__FILE__, __LINE__, #condition);                                            \
    } while (false)

/// |actual - expected| <= tolerance; NaN is never near.
#define CHECK_NEAR(actual, expected, tolerance)                                                                        \
    do {                                                                                                               \
        const double actual_ = (actual), expected_ = (expected);                                                       \
        if (!(std::abs(actual_ - expected_) <= (tolerance)))                                                           \
            sg::test::failed(__FILE__, __LINE__,                                                                       \
                             #actual " is " + std::to_string(actual_) + ", not " + std::to_string(expected_));         \
    } while (false)

#define SG_TEST_MAIN                                                                                                   \
    int main(int count, char **names)                                                                                  \
    {                                                                                                                  \
        return sg::test::runCases(count, names);                                                                       \
    }
