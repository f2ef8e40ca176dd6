#include "core/server/request_pictures.h"

#include "core/base/base64.h"
#include "core/control/task_inputs.h"
#include "core/picture/picture_header.h"

#include <QCryptographicHash>

#include <algorithm>
#include <array>
#include <set>

namespace sg::server {
namespace {

constexpr std::size_t kLongestName = 1000;
constexpr std::size_t kHashInName = 32;

bool endsLikePicture(std::string_view text)
{
    constexpr std::array<std::string_view, 4> kEnds{".png", ".jpg", ".jpeg", ".webp"};
    return text.size() <= kLongestName && !text.starts_with("data:") &&
           std::any_of(kEnds.begin(), kEnds.end(), [&](std::string_view end) { return text.ends_with(end); });
}

/// "init_images[1]" of a list, "mask" of a single field.
std::string placeOf(const ParamSpec &spec, std::size_t index)
{
    return spec.type == ParamType::Pictures ? spec.key + "[" + std::to_string(index) + "]" : spec.key;
}

class Taker {
public:
    Taker(const StoredPictures &stored, std::vector<RequestPicture> &taken) : m_stored(stored), m_taken(taken) {}

    /// Replaces the text by what is kept of it.
    Expected<void> take(const ParamSpec &spec, std::size_t index, Json &field)
    {
        const std::string place = placeOf(spec, index);
        const auto refuse = [&](ErrorCode code, const std::string &rule) {
            return fail(code, place + " " + rule, spec.key);
        };
        if (!field.is_string()) return refuse(ErrorCode::InvalidArgument, "must be a text: base64 or a stored picture");
        Expected<std::string> bytes = read(spec, place, field.get_ref<const std::string &>());
        if (!bytes) return Unexpected{bytes.error()};
        const Expected<PictureHeader> header = readPictureHeader(*bytes);
        if (!header) return refuse(header.error().code, "is not a usable picture: " + header.error().message);
        m_bytes += bytes->size();
        m_pixels += std::int64_t{header->width} * header->height;
        if (m_bytes > kMaxRequestPictureBytes || m_pixels > kMaxRequestPixels)
            return refuse(ErrorCode::TooLarge, "is one too many: the pictures of a request may have " +
                                                   std::to_string(kMaxRequestPictureBytes) + " bytes and " +
                                                   std::to_string(kMaxRequestPixels) + " pixels in all");
        const QByteArray hash = QCryptographicHash::hash(
            QByteArrayView(bytes->data(), static_cast<qsizetype>(bytes->size())), QCryptographicHash::Sha256);
        const std::string extension =
            header->format == PictureFormat::Jpeg ? "jpg" : std::string(formatName(header->format));
        RequestPicture picture{spec.key,  std::move(*bytes), hash.toHex().toStdString(),
                               extension, header->width,     header->height};
        field = std::to_string(picture.bytes.size()) + " bytes, sha256 " + picture.sha256;
        m_taken.push_back(std::move(picture));
        return {};
    }

private:
    Expected<std::string> read(const ParamSpec &spec, const std::string &place, const std::string &text) const
    {
        if (text.starts_with("http://") || text.starts_with("https://"))
            return fail(ErrorCode::InvalidArgument,
                        place + " is an address: this server fetches no pictures, send base64 or a data URI", spec.key);
        if (const auto it = m_stored.find(text); it != m_stored.end()) return it->second;
        Expected<std::string> bytes = decodePictureText(text);
        if (!bytes)
            return fail(ErrorCode::InvalidArgument, place + " is no picture in base64: " + bytes.error().message,
                        spec.key);
        return bytes;
    }

    const StoredPictures &m_stored;
    std::vector<RequestPicture> &m_taken;
    std::size_t m_bytes = 0;
    std::int64_t m_pixels = 0;
};

/// The single field as a list of one; nothing when there is none.
template <class Use>
Expected<void> forEachPicture(const ParamSpec &spec, Json &body, Use use)
{
    const auto it = body.find(spec.key);
    if (it == body.end() || it->is_null()) return {};
    if (spec.type == ParamType::Picture) return *it == "" ? Expected<void>() : use(0, *it);
    if (!it->is_array()) return fail(ErrorCode::InvalidArgument, spec.key + " must be a list of pictures", spec.key);
    if (it->size() > static_cast<std::size_t>(spec.maximum))
        return fail(ErrorCode::InvalidArgument,
                    spec.key + " must be at most " + std::to_string(static_cast<int>(spec.maximum)) + " pictures",
                    spec.key);
    for (std::size_t i = 0; i < it->size(); ++i)
        if (Expected<void> used = use(i, (*it)[i]); !used) return used;
    return {};
}

}  // namespace

Expected<std::string> decodePictureText(const std::string &text)
{
    if (text.find_first_of("\r\n") == std::string::npos) return decodeBase64(text);
    std::string joined = text;
    std::erase_if(joined, [](char c) { return c == '\r' || c == '\n'; });
    return decodeBase64(joined);
}

std::vector<StoredPictureName> storedPictureNames(const Json &body, const ParamTable &table)
{
    std::vector<StoredPictureName> names;
    std::set<std::string> seen;
    for (const ParamSpec &spec : table.specs()) {
        const auto it = spec.isPicture() ? body.find(spec.key) : body.end();
        if (it == body.end()) continue;
        const auto note = [&](std::size_t index, const Json &field) {
            const auto *text = field.get_ptr<const std::string *>();
            if (text && endsLikePicture(*text) && !text->starts_with("http") && seen.insert(*text).second)
                names.push_back({*text, spec.key, placeOf(spec, index)});
        };
        if (!it->is_array()) note(0, *it);
        for (std::size_t i = 0; it->is_array() && i < it->size(); ++i)
            note(i, (*it)[i]);
    }
    return names;
}

Expected<std::string> storedPictureObject(const StoredPictureName &name)
{
    if (name.text.starts_with("images/")) return name.text;
    if (name.text.starts_with("image/")) return "images/" + name.text.substr(6);
    return fail(ErrorCode::InvalidArgument,
                name.place + ": \"" + name.text.substr(0, 80) +
                    "\" names no stored picture: such names begin with images/",
                name.row);
}

Expected<std::vector<RequestPicture>> takePictures(Json &body, const ParamTable &table, const StoredPictures &stored)
{
    std::vector<RequestPicture> taken;
    Taker taker(stored, taken);
    for (const ParamSpec &spec : table.specs()) {
        if (!spec.isPicture()) continue;
        const auto take = [&](std::size_t index, Json &field) { return taker.take(spec, index, field); };
        if (Expected<void> done = forEachPicture(spec, body, take); !done) return Unexpected{done.error()};
    }
    return taken;
}

std::vector<InputPicture> namePictures(std::vector<RequestPicture> pictures, const std::string &taskId,
                                       const ParamTable &table, Json &body)
{
    std::vector<InputPicture> inputs;
    for (const ParamSpec &spec : table.specs())
        if (spec.type == ParamType::Pictures && body.contains(spec.key) && body[spec.key].is_array())
            body[spec.key] = Json::array();
    for (RequestPicture &picture : pictures) {
        const std::string name =
            inputFolder(taskId) + "/" + picture.sha256.substr(0, kHashInName) + "." + picture.extension;
        Json &field = body[picture.row];
        if (field.is_array())
            field.push_back(name);
        else
            field = name;
        const auto same = [&](const InputPicture &input) { return input.name == name; };
        if (std::none_of(inputs.begin(), inputs.end(), same)) inputs.push_back({name, std::move(picture.bytes)});
    }
    return inputs;
}

}  // namespace sg::server
