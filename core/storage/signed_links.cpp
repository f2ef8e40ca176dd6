#include "core/storage/signed_links.h"

#include "core/base/ids.h"
#include "core/storage/unique_fd.h"

#include <QByteArray>
#include <QMessageAuthenticationCode>
#include <QRandomGenerator>

#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sg {
namespace {

constexpr std::size_t kKeyBytes = 32;

bool equalInConstantTime(std::string_view a, std::string_view b)
{
    if (a.size() != b.size()) return false;
    unsigned different = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        different |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
    return different == 0;
}

std::string percentEncoded(std::string_view text)
{
    constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        if (kPlain.find(c) != std::string_view::npos) {
            out.push_back(c);
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
    return out;
}

Expected<std::string> makeKey(const std::filesystem::path &keyFile)
{
    std::array<quint32, kKeyBytes / sizeof(quint32)> words{};
    QRandomGenerator::system()->fillRange(words.data(), static_cast<qsizetype>(words.size()));
    std::string key(reinterpret_cast<const char *>(words.data()), kKeyBytes);
    const std::filesystem::path temporary = keyFile.string() + "." + randomId() + ".tmp";
    const UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return systemError("open", temporary.string());
    Expected<void> written = writeAll(file.get(), key, temporary.string());
    if (written && ::fsync(file.get()) != 0) written = systemError("fsync", temporary.string());
    // link, not rename: of two that make the key at once, one wins and the other reads it.
    if (written && ::link(temporary.c_str(), keyFile.c_str()) != 0 && errno != EEXIST)
        written = systemError("link", keyFile.string());
    ::unlink(temporary.c_str());
    if (!written) return Unexpected{written.error()};
    return key;
}

}  // namespace

Expected<SignedLinks> SignedLinks::open(const std::filesystem::path &keyFile)
{
    UniqueFd file(::open(keyFile.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file && errno == ENOENT) {
        if (Expected<std::string> made = makeKey(keyFile); !made) return Unexpected{made.error()};
        file = UniqueFd(::open(keyFile.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    }
    if (!file) return systemError("open", keyFile.string());
    // A copied data folder may have lost the mode.
    if (::fchmod(file.get(), 0600) != 0) return systemError("chmod", keyFile.string());
    Expected<std::string> key = readAll(file.get(), kKeyBytes, keyFile.string());
    if (!key) return Unexpected{key.error()};
    if (key->size() != kKeyBytes)
        return fail(ErrorCode::Internal,
                    "the key of signed links has " + std::to_string(key->size()) +
                        " bytes, not 32: " + keyFile.string(),
                    keyFile.string());
    return SignedLinks(std::move(*key));
}

std::string SignedLinks::signature(std::string_view object, std::string_view expires) const
{
    const std::string text = std::string(expires) + "\n" + std::string(object);
    const QByteArray code = QMessageAuthenticationCode::hash(
        QByteArray::fromStdString(text), QByteArray::fromStdString(m_key), QCryptographicHash::Sha256);
    return code.toHex().toStdString();
}

std::string SignedLinks::link(std::string_view object, std::int64_t nowSeconds, std::int64_t lifetimeSeconds) const
{
    const std::string expires = std::to_string(nowSeconds + lifetimeSeconds);
    return "/files/" + percentEncoded(object) + "?expires=" + expires + "&signature=" + signature(object, expires);
}

Expected<void> SignedLinks::verify(std::string_view object, std::string_view expires, std::string_view given,
                                   std::int64_t nowSeconds) const
{
    if (!equalInConstantTime(signature(object, expires), given))
        return fail(ErrorCode::Forbidden, "the link's signature is wrong", "signature");
    std::int64_t time = 0;
    const auto [end, error] = std::from_chars(expires.data(), expires.data() + expires.size(), time);
    if (error != std::errc() || end != expires.data() + expires.size())
        return fail(ErrorCode::Forbidden, "the link's time is no number", "expires");
    if (nowSeconds >= time) return fail(ErrorCode::Expired, "the link has expired", "expires");
    return {};
}

}  // namespace sg
