#include "core/base/ids.h"

#include <random>

namespace sg {
namespace {

bool isWord(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

}  // namespace

std::string randomId(int length)
{
    static constexpr std::string_view kAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    std::random_device device;  // getrandom or rdrand: not predictable from earlier ids
    std::uniform_int_distribution<std::size_t> pick(0, kAlphabet.size() - 1);
    std::string id;
    for (int i = 0; i < length; ++i) id.push_back(kAlphabet[pick(device)]);
    return id;
}

bool isTaskId(std::string_view text)
{
    if (text.empty() || text.size() > 128 || !isWord(text.front())) return false;
    for (const char c : text)
        if (!isWord(c) && c != '-') return false;
    return true;
}

}  // namespace sg
