#include "core/server/routes/route_context.h"

#include "core/picture/infotext.h"
#include "core/picture/picture_header.h"
#include "core/picture/png_text.h"
#include "core/server/request_pictures.h"

namespace sg::server {
namespace {

using http::HttpRequest;
using http::Reply;

Expected<std::string> pictureOf(const HttpRequest &request)
{
    const Expected<Json> body = jsonBody(request);
    if (!body) return Unexpected{body.error()};
    const auto image = body->find("image");
    if (image == body->end() || !image->is_string() || *image == "")
        return fail(ErrorCode::InvalidArgument, "image must be a picture in base64 or a data URI", "image");
    Expected<std::string> bytes = decodePictureText(image->get_ref<const std::string &>());
    if (!bytes) return fail(ErrorCode::InvalidArgument, "image is no base64: " + bytes.error().message, "image");
    if (const Expected<PictureHeader> header = readPictureHeader(*bytes); !header)
        return fail(header.error().code, "image is not a usable picture: " + header.error().message, "image");
    return bytes;
}

/// The keywords, which are Latin-1, with their texts.
Json itemsOf(const std::vector<TextChunk> &texts)
{
    Json items = Json::object();
    for (const TextChunk &text : texts)
        items[text.keyword] = text.text;
    return items;
}

/// What A1111 answers, and the fields that repeat the picture (`x_fields`, a body for txt2img or img2img).
Expected<Reply> pngInfo(const RouteContext &context, const HttpRequest &request)
{
    const Expected<std::string> picture = pictureOf(request);
    if (!picture) return Unexpected{picture.error()};
    const Expected<std::vector<TextChunk>> read = readPngTexts(*picture);
    const std::vector<TextChunk> texts = read ? *read : std::vector<TextChunk>();
    const std::string info = infotextIn(*picture);
    const Expected<ParsedInfotext> parsed = parseInfotext(info, context.table);
    if (!parsed) return Unexpected{parsed.error()};
    Json parameters = Json::object();
    if (!info.empty()) {
        parameters["Prompt"] = parsed->prompt;
        parameters["Negative prompt"] = parsed->negativePrompt;
    }
    for (const auto &[key, value] : parsed->pairs)
        parameters[key] = value;
    return Reply::json(Json{{"info", info},
                            {"items", itemsOf(texts)},
                            {"parameters", std::move(parameters)},
                            {"x_fields", info.empty() ? Json::object() : parsed->params},
                            {"x_notes", parsed->notes}});
}

}  // namespace

void mountPngInfoRoute(http::Router &router, const RouteContext &context)
{
    const Json text = {{"type", "string"}};
    const Json object = {{"type", "object"}};
    router.answer("POST", "/sdapi/v1/png-info",
                  {.summary = "What a picture's infotext says",
                   .tag = "a1111",
                   .body = {{"type", "object"}, {"required", {"image"}}, {"properties", {{"image", text}}}},
                   .answer = {{"type", "object"},
                              {"required", {"info", "items", "parameters"}},
                              {"properties",
                               {{"info", text},
                                {"items", object},
                                {"parameters", object},
                                {"x_fields", object},
                                {"x_notes", {{"type", "array"}, {"items", text}}}}}}},
                  [context](const HttpRequest &request) { return pngInfo(context, request); });
}

}  // namespace sg::server
