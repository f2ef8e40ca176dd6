#include "core/engine/messages.h"

#include "core/base/version.h"
#include "core/text/prompt_plan.h"

#include <unistd.h>

namespace sg::engine {
namespace {

/// The engine's own bounds are wide: what an installation allows was checked where the task was accepted.
const ParamTable &engineTable()
{
    static const ParamTable table = ParamTable::textToImage().limited(
        {.side = 16384, .steps = 10'000, .batchSize = 256, .iterations = 100'000, .pixelsPerTask = INT64_MAX});
    return table;
}

Expected<std::string> textField(const Json &object, const char *key, const std::string &subject, bool required)
{
    const auto it = object.find(key);
    if (it == object.end() || it->is_null()) {
        if (required) return fail(ErrorCode::InvalidArgument, subject + " is missing", subject);
        return std::string();
    }
    if (!it->is_string()) return fail(ErrorCode::InvalidArgument, subject + " must be a text", subject);
    return it->get<std::string>();
}

/// Two streams of choices from one seed.
constexpr std::uint64_t kNegativeSalt = 0x6E65676174697665u;

Expected<PromptPair> resolved(const GenerationRequest &request, std::int64_t image, WildcardSource *wildcards)
{
    const auto seed = static_cast<std::uint64_t>(request.imageSeed(image));
    Expected<std::string> prompt = resolvePrompt(request.prompt, seed, wildcards);
    if (!prompt) return Unexpected{prompt.error()};
    Expected<std::string> negative = resolvePrompt(request.negativePrompt, seed ^ kNegativeSalt, wildcards);
    if (!negative) {
        Error error = negative.error();
        error.subject = "negative_prompt";
        return Unexpected{error};
    }
    return PromptPair{std::move(*prompt), std::move(*negative)};
}

/// Whether the network can be asked for it, before anything is computed.
Expected<void> checkPlan(const PromptPair &prompts, std::int64_t steps)
{
    const Expected<PromptPlan> plan = planPrompt(prompts.prompt, {.steps = steps});
    if (!plan) return Unexpected{plan.error()};
    if (const Expected<std::vector<LoraTag>> tags = loraTags(plan->networks); !tags) return Unexpected{tags.error()};
    const Expected<PromptPlan> negative = planNegativePrompt(prompts.negative, {.steps = steps});
    if (!negative) return Unexpected{negative.error()};
    return {};
}

Expected<void> resolvePrompts(GenerationRequest &request, WildcardSource *wildcards)
{
    std::vector<PromptPair> prompts;
    const bool varies = hasVariants(request.prompt) || hasVariants(request.negativePrompt);
    for (std::int64_t image = 0; image < (varies ? request.imageCount() : 1); ++image) {
        Expected<PromptPair> one = resolved(request, image, wildcards);
        if (!one) return Unexpected{one.error()};
        if (Expected<void> sound = checkPlan(*one, request.steps); !sound) return sound;
        prompts.push_back(std::move(*one));
    }
    request.prompt = prompts.front().prompt;
    request.negativePrompt = prompts.front().negative;
    if (varies) request.prompts = std::move(prompts);
    return {};
}

// {name, path, hash} of a model's companion.
Expected<NamedFile> parseFile(const Json &json, const std::string &subject)
{
    if (!json.is_object()) return fail(ErrorCode::InvalidArgument, subject + " must be an object", subject);
    Expected<std::string> name = textField(json, "name", subject + ".name", true);
    Expected<std::string> path = textField(json, "path", subject + ".path", true);
    Expected<std::string> hash = textField(json, "hash", subject + ".hash", false);
    for (const auto *text : {&name, &path, &hash})
        if (!*text) return Unexpected{text->error()};
    return NamedFile{std::move(*name), std::move(*path), std::move(*hash)};
}

Expected<std::vector<NamedFile>> parseFiles(const Json &model, const char *key)
{
    std::vector<NamedFile> files;
    const auto it = model.find(key);
    if (it == model.end() || it->is_null()) return files;
    const std::string subject = std::string("model.") + key;
    if (!it->is_array()) return fail(ErrorCode::InvalidArgument, subject + " must be a list", subject);
    for (const Json &one : *it) {
        Expected<NamedFile> file = parseFile(one, subject);
        if (!file) return Unexpected{file.error()};
        files.push_back(std::move(*file));
    }
    return files;
}

Expected<void> parseCompanions(const Json &json, ModelRef &model)
{
    Expected<std::vector<NamedFile>> loras = parseFiles(json, "loras");
    if (!loras) return Unexpected{loras.error()};
    Expected<std::vector<NamedFile>> embeddings = parseFiles(json, "embeddings");
    if (!embeddings) return Unexpected{embeddings.error()};
    model.loras = std::move(*loras);
    model.embeddings = std::move(*embeddings);
    const auto vae = json.find("vae");
    if (vae == json.end() || vae->is_null()) return {};
    Expected<NamedFile> file = parseFile(*vae, "model.vae");
    if (!file) return Unexpected{file.error()};
    model.vae = std::move(*file);
    return {};
}

}  // namespace

Expected<ModelRef> parseModel(const Json &header)
{
    const auto it = header.find("model");
    if (it == header.end() || !it->is_object())
        return fail(ErrorCode::InvalidArgument, "model must be an object with a path", "model");
    ModelRef model;
    struct Field {
        const char *key;
        std::string *value;
        bool required;
    };
    for (const Field &field :
         {Field{"path", &model.path, true}, Field{"name", &model.name, false}, Field{"hash", &model.hash, false}}) {
        Expected<std::string> text = textField(*it, field.key, std::string("model.") + field.key, field.required);
        if (!text) return Unexpected{text.error()};
        *field.value = std::move(*text);
    }
    if (model.path.empty()) return fail(ErrorCode::InvalidArgument, "model.path must not be empty", "model.path");
    if (Expected<void> companions = parseCompanions(*it, model); !companions) return Unexpected{companions.error()};
    return model;
}

Expected<GenerateMessage> parseGenerate(const Json &header, WildcardSource *wildcards)
{
    GenerateMessage message;
    Expected<ModelRef> model = parseModel(header);
    if (!model) return Unexpected{model.error()};
    message.model = std::move(*model);
    const auto params = header.find("params");
    if (params == header.end()) return fail(ErrorCode::InvalidArgument, "params is missing", "params");
    Expected<ParsedParams> parsed = parseParams(*params, engineTable());
    if (!parsed) return Unexpected{parsed.error()};
    message.values = std::move(parsed->values);
    resolveSeeds(message.values);
    message.request = GenerationRequest::from(message.values);
    if (Expected<void> resolved = resolvePrompts(message.request, wildcards); !resolved)
        return Unexpected{resolved.error()};
    if (const auto previews = header.find("previews"); previews != header.end()) {
        if (!previews->is_boolean())
            return fail(ErrorCode::InvalidArgument, "previews must be true or false", "previews");
        message.previews = previews->get<bool>();
    }
    return message;
}

Expected<std::optional<std::string>> parseUnload(const Json &header)
{
    const auto it = header.find("model");
    if (it == header.end() || it->is_null()) return std::nullopt;
    Expected<ModelRef> model = parseModel(header);
    if (!model) return Unexpected{model.error()};
    return std::move(model->path);
}

Json event(std::string_view type, std::string_view id)
{
    return {{"type", type}, {"id", id}};
}

Json errorEvent(std::string_view id, const Error &error)
{
    Json json = event("error", id);
    json["code"] = errorName(error.code);
    json["message"] = error.message;
    json["subject"] = error.subject;
    return json;
}

Json helloEvent(std::string_view id, const std::vector<Device> &devices)
{
    Json json = event("hello", id);
    json["version"] = version();
    json["protocol"] = kProtocolVersion;
    json["pid"] = getpid();
    json["devices"] = Json::array();
    for (const Device &device : devices)
        json["devices"].push_back(
            {{"id", device.id}, {"name", device.name}, {"kind", device.kind}, {"memory", device.memory}});
    return json;
}

}  // namespace sg::engine
