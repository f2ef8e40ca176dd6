#include "core/engine/messages.h"

#include "core/base/version.h"
#include "core/params/coding_rows.h"
#include "core/picture/picture.h"
#include "core/text/prompt_plan.h"

#include <unistd.h>

#include <algorithm>
#include <functional>

namespace sg::engine {
namespace {

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

constexpr std::size_t kMaxWatched = 64;
constexpr std::uint64_t kMaxWatchedToken = 100'000;
constexpr std::size_t kMaxKept = 64;

/// Two streams of choices from one seed.
constexpr std::uint64_t kNegativeSalt = 0x6E65676174697665u;

Expected<PromptPair> resolved(const PromptPair &written, std::uint64_t seed, WildcardSource *wildcards)
{
    Expected<std::string> prompt = resolvePrompt(written.prompt, seed, wildcards);
    if (!prompt) return Unexpected{prompt.error()};
    Expected<std::string> negative = resolvePrompt(written.negative, seed ^ kNegativeSalt, wildcards);
    if (!negative) {
        Error error = negative.error();
        error.subject = "negative_prompt";
        return Unexpected{error};
    }
    return PromptPair{std::move(*prompt), std::move(*negative)};
}

/// Whether the network can be asked for it, before anything is computed.
Expected<void> checkPlan(const PromptPair &prompts, const ScheduleSteps &steps)
{
    const Expected<PromptPlan> plan = planPrompt(prompts.prompt, steps);
    if (!plan) return Unexpected{plan.error()};
    if (const Expected<std::vector<LoraTag>> tags = loraTags(plan->networks); !tags) return Unexpected{tags.error()};
    const Expected<PromptPlan> negative = planNegativePrompt(prompts.negative, steps);
    if (!negative) return Unexpected{negative.error()};
    return {};
}

/// What the pictures' seeds decide in these prompts: one pair for each picture, or one where nothing is to be decided.
Expected<std::vector<PromptPair>> resolvedOfAll(const GenerationRequest &request, const PromptPair &written,
                                                const ScheduleSteps &steps, WildcardSource *wildcards)
{
    std::vector<PromptPair> prompts;
    const bool varies = (hasVariants(written.prompt) || hasVariants(written.negative)) && request.loopback.loops == 0;
    for (std::int64_t image = 0; image < (varies ? request.imageCount() : 1); ++image) {
        Expected<PromptPair> one = resolved(written, static_cast<std::uint64_t>(request.imageSeed(image)), wildcards);
        if (!one) return Unexpected{one.error()};
        if (Expected<void> sound = checkPlan(*one, steps); !sound) return Unexpected{sound.error()};
        prompts.push_back(std::move(*one));
    }
    return prompts;
}

Expected<void> resolvePrompts(GenerationRequest &request, const ParamValues &values, WildcardSource *wildcards)
{
    // Loops draw one picture on and on, so all of them have the first one's words.
    const bool varies =
        (hasVariants(request.prompt) || hasVariants(request.negativePrompt)) && request.loopback.loops == 0;
    const bool old = request.sampling.oldTimelines;
    Expected<std::vector<PromptPair>> prompts = resolvedOfAll(request, {request.prompt, request.negativePrompt},
                                                              {.steps = request.steps, .oldTimelines = old}, wildcards);
    if (!prompts) return Unexpected{prompts.error()};
    request.prompt = prompts->front().prompt;
    request.negativePrompt = prompts->front().negative;
    if (varies) request.prompts = std::move(*prompts);
    if (!request.hires.enabled) return {};

    HiresPass &hires = request.hires;
    const bool hiresVaries = hasVariants(hires.prompt) || hasVariants(hires.negativePrompt);
    Expected<std::vector<PromptPair>> larger =
        resolvedOfAll(request, {hires.prompt, hires.negativePrompt},
                      {.steps = request.steps, .hiresSteps = hires.steps, .oldTimelines = old}, wildcards);
    if (!larger) {
        Error error = larger.error();
        // The first pass's own prompts are sound by now, so it is one of these two.
        const ParamValue *own = values.find("hr_" + error.subject);
        if (own && asksForSomething(*own)) error.subject = "hr_" + error.subject;
        return Unexpected{error};
    }
    hires.prompt = larger->front().prompt;
    hires.negativePrompt = larger->front().negative;
    if (hiresVaries) hires.prompts = std::move(*larger);
    return {};
}

/// How many pictures the row names.
std::size_t picturesNamed(const ParamValues &values, const std::string &row)
{
    const ParamValue *value = values.find(row);
    if (const auto *list = value ? std::get_if<std::vector<std::string>>(value) : nullptr) return list->size();
    return value && asksForSomething(*value) ? 1 : 0;
}

/// Cuts the payload into the pictures that the header lists.
Expected<std::vector<InputFile>> parsePictures(const Frame &frame, const ParamValues &values, const ParamTable &table)
{
    const auto refuse = [](const std::string &rule) { return fail(ErrorCode::InvalidArgument, rule, "pictures"); };
    std::vector<InputFile> files;
    const auto it = frame.header.find("pictures");
    const Json list = it == frame.header.end() ? Json::array() : *it;
    if (!list.is_array() || list.size() > kMaxInputFiles)
        return refuse("pictures must be a list of at most " + std::to_string(kMaxInputFiles));
    std::size_t at = 0;
    for (const Json &entry : list) {
        const auto row = entry.is_object() ? entry.find("row") : entry.end();
        const auto bytes = entry.is_object() ? entry.find("bytes") : entry.end();
        if (!entry.is_object() || row == entry.end() || !row->is_string() || bytes == entry.end() ||
            !bytes->is_number_integer())
            return refuse("each of pictures must have a row and a number of bytes");
        const ParamSpec *spec = table.find(row->get<std::string>());
        if (!spec || !spec->isPicture()) return refuse("pictures names a row that is no picture");
        // A negative number becomes a huge one, for which no frame has room.
        const auto size = bytes->is_number_unsigned() ? bytes->get<std::uint64_t>()
                                                      : static_cast<std::uint64_t>(bytes->get<std::int64_t>());
        if (size == 0 || size > frame.payload.size() - at) return refuse("the payload is shorter than pictures says");
        files.push_back({spec->key, frame.payload.substr(at, size)});
        at += size;
    }
    if (at != frame.payload.size()) return refuse("the payload is longer than pictures says");
    for (const ParamSpec &spec : table.specs()) {
        const auto ofRow = [&](const InputFile &file) { return file.row == spec.key; };
        if (spec.isPicture() && picturesNamed(values, spec.key) !=
                                    static_cast<std::size_t>(std::count_if(files.begin(), files.end(), ofRow)))
            return refuse("params." + spec.key + " and pictures do not agree");
    }
    return files;
}

// One file, or a list of them.
std::vector<Json *> filesIn(Json &value)
{
    std::vector<Json *> files;
    if (value.is_object()) files.push_back(&value);
    if (value.is_array())
        for (Json &one : value)
            if (one.is_object()) files.push_back(&one);
    return files;
}

/// What decides the latents, as one text.
std::string drawingOf(const GenerateMessage &message, const Json &model, const std::string &pictures,
                      const ParamTable &table)
{
    Json params = message.values.toJson(table), files = model;
    for (const ParamSpec &spec : table.specs())
        if (isDecodingRow(spec.key)) params.erase(spec.key);
    for (const char *key : {"vae", "taesd", "keep"})
        files.erase(key);
    // A hash may become known between two tries; the files' own state is looked at by who draws.
    files.erase("hash");
    for (Json &value : files)
        for (Json *file : filesIn(value))
            file->erase("hash");
    const GenerationRequest &request = message.request;
    Json prompts{request.prompt, request.negativePrompt, request.hires.prompt, request.hires.negativePrompt};
    for (const std::vector<PromptPair> *list : {&request.prompts, &request.hires.prompts})
        for (const PromptPair &pair : *list)
            prompts.push_back({pair.prompt, pair.negative});
    return dumpJson({params, files, prompts, std::hash<std::string>{}(pictures)});
}

// What the user chose of a checkpoint.
Expected<ModelChoices> parseChoices(const Json &json, const std::string &subject)
{
    const auto it = json.find("choices");
    if (it == json.end() || it->is_null()) return ModelChoices{};
    Expected<ModelChoices> choices = parseModelChoices(*it);
    if (choices) return choices;
    Error error = choices.error();
    error.subject = subject + ".choices" + (error.subject == "choices" ? "" : "." + error.subject);
    return Unexpected{std::move(error)};
}

// {name, path, hash, choices} of a model's companion.
Expected<NamedFile> parseFile(const Json &json, const std::string &subject)
{
    if (!json.is_object()) return fail(ErrorCode::InvalidArgument, subject + " must be an object", subject);
    Expected<std::string> name = textField(json, "name", subject + ".name", true);
    Expected<std::string> path = textField(json, "path", subject + ".path", true);
    Expected<std::string> hash = textField(json, "hash", subject + ".hash", false);
    for (const auto *text : {&name, &path, &hash})
        if (!*text) return Unexpected{text->error()};
    Expected<ModelChoices> choices = parseChoices(json, subject);
    if (!choices) return Unexpected{choices.error()};
    return NamedFile{std::move(*name), std::move(*path), std::move(*hash), std::move(*choices)};
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
    Expected<std::vector<NamedFile>> taesd = parseFiles(json, "taesd");
    if (!taesd) return Unexpected{taesd.error()};
    model.taesd = std::move(*taesd);
    model.loras = std::move(*loras);
    model.embeddings = std::move(*embeddings);
    for (const auto &[key, place] : {std::pair("vae", &model.vae),
                                     {"refiner", &model.refiner},
                                     {"hires", &model.hires},
                                     {"upscaler", &model.upscaler}}) {
        const auto it = json.find(key);
        if (it == json.end() || it->is_null()) continue;
        Expected<NamedFile> file = parseFile(*it, std::string("model.") + key);
        if (!file) return Unexpected{file.error()};
        *place = std::move(*file);
    }
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
    if (const auto keep = header.find("keep"); keep != header.end() && !keep->is_null()) {
        if (!keep->is_array() || keep->size() > kMaxKept)
            return fail(ErrorCode::InvalidArgument, "keep must be a list of at most 64 paths", "keep");
        for (const Json &path : *keep) {
            if (!path.is_string()) return fail(ErrorCode::InvalidArgument, "keep must be a list of paths", "keep");
            model.keep.push_back(path.get<std::string>());
        }
    }
    if (model.path.empty()) return fail(ErrorCode::InvalidArgument, "model.path must not be empty", "model.path");
    Expected<ModelChoices> choices = parseChoices(*it, "model");
    if (!choices) return Unexpected{choices.error()};
    model.choices = std::move(*choices);
    if (Expected<void> companions = parseCompanions(*it, model); !companions) return Unexpected{companions.error()};
    return model;
}

ParamTable withEngineBounds(const ParamTable &rows)
{
    return rows.limited(
        {.side = 16384, .steps = 10'000, .batchSize = 256, .iterations = 100'000, .pixelsPerTask = INT64_MAX});
}

const ParamTable &engineTable()
{
    static const ParamTable table = withEngineBounds(ParamTable::standard());
    return table;
}

Expected<GenerateMessage> parseGenerate(const Frame &frame, WildcardSource *wildcards, const ParamTable &table)
{
    const Json &header = frame.header;
    GenerateMessage message;
    Expected<ModelRef> model = parseModel(header);
    if (!model) return Unexpected{model.error()};
    message.model = std::move(*model);
    const auto params = header.find("params");
    if (params == header.end()) return fail(ErrorCode::InvalidArgument, "params is missing", "params");
    Expected<ParsedParams> parsed = parseParams(*params, table);
    if (!parsed) return Unexpected{parsed.error()};
    message.values = std::move(parsed->values);
    resolveSeeds(message.values);
    message.request = GenerationRequest::from(message.values);
    if (Expected<void> resolved = resolvePrompts(message.request, message.values, wildcards); !resolved)
        return Unexpected{resolved.error()};
    Expected<std::vector<InputFile>> pictures = parsePictures(frame, message.values, table);
    if (!pictures) return Unexpected{pictures.error()};
    message.pictures = std::move(*pictures);
    message.request.drawing = drawingOf(message, header.at("model"), frame.payload, table);
    if (const auto previews = header.find("previews"); previews != header.end()) {
        if (!previews->is_boolean())
            return fail(ErrorCode::InvalidArgument, "previews must be true or false", "previews");
        message.previews = previews->get<bool>();
    }
    return message;
}

Expected<std::optional<std::uint64_t>> parseBudget(const Json &header)
{
    const auto it = header.find("budget");
    if (it == header.end() || it->is_null()) return std::nullopt;
    if (!it->is_number_integer() || (!it->is_number_unsigned() && it->get<std::int64_t>() < 0))
        return fail(ErrorCode::InvalidArgument, "budget must be a number of bytes, or 0", "budget");
    return it->get<std::uint64_t>();
}

Expected<Inspection> parseWatch(const Json &header)
{
    const auto refuse = [](const std::string &message, const char *subject) {
        return fail(ErrorCode::InvalidArgument, message, subject);
    };
    const auto it = header.find("watch");
    if (it == header.end() || !it->is_object()) return refuse("watch must be an object", "watch");
    Inspection watch;
    for (const auto &[key, value] : it->items()) {
        if (key == "latents") {
            if (!value.is_boolean()) return refuse("watch.latents must be true or false", "watch.latents");
            watch.latents = value.get<bool>();
        } else if (key == "token") {
            if (!value.is_number_unsigned() || value.get<std::uint64_t>() >= kMaxWatchedToken)
                return refuse("watch.token must be the number of a row of the prompt, from 0", "watch.token");
            watch.token = value.get<std::int64_t>();
        } else if (key == "steps") {
            if (!value.is_array() || value.size() > kMaxWatched)
                return refuse("watch.steps must be a short list", "watch.steps");
            for (const Json &step : value) {
                if (!step.is_number_unsigned() || step.get<std::uint64_t>() < 1 ||
                    step.get<std::uint64_t>() > kMaxWatchedToken)
                    return refuse("watch.steps must be numbers of steps, from 1", "watch.steps");
                watch.steps.push_back(step.get<std::int64_t>());
            }
        } else if (key == "modules") {
            if (!value.is_array() || value.size() > kMaxWatched)
                return refuse("watch.modules must be a short list", "watch.modules");
            for (const Json &name : value) {
                if (!name.is_string()) return refuse("watch.modules must be beginnings of names", "watch.modules");
                watch.modules.push_back(name.get<std::string>());
            }
        } else {
            return refuse("watch." + key.substr(0, 80) + " is unknown", "watch");
        }
    }
    return watch;
}

Expected<void> decodePictures(GenerateMessage &message)
{
    for (const InputFile &file : message.pictures) {
        Expected<DecodedPicture> picture = decodePicture(file.bytes);
        if (!picture) {
            Error error = picture.error();
            const std::size_t index = message.request.start.pictures.size();
            const std::string place =
                file.row == "init_images" ? file.row + "[" + std::to_string(index) + "]" : file.row;
            error.message = place + " is no usable picture: " + error.message;
            error.subject = file.row;
            return Unexpected{std::move(error)};
        }
        if (file.row == "latent_mask")
            message.request.start.latentMask = std::move(picture->image);
        else if (file.row == "mask")
            message.request.start.mask = std::move(picture->image);
        else
            message.request.start.pictures.push_back(std::move(picture->image));
    }
    message.pictures.clear();
    return {};
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

Json planEvent(std::string_view id, const MemoryPlan &plan)
{
    Json json = event("plan", id);
    json["fits"] = plan.fits;
    json["weights"] = plan.weights;
    json["mapped"] = plan.paged;
    json["held"] = plan.held;
    json["activations"] = plan.activations;
    json["vae"] = plan.vae;
    json["upscaler"] = plan.upscaler;
    json["upscalerTile"] = plan.upscalerTile;
    json["pictures"] = plan.pictures;
    json["needed"] = plan.needed();
    json["available"] = plan.available;
    json["rows"] = plan.rows;
    json["allRows"] = plan.allRows;
    json["tiled"] = plan.tiled;
    json["offload"] = plan.offload;
    return json;
}

Json helloEvent(std::string_view id, const std::vector<Device> &devices, std::uint64_t budget)
{
    Json json = event("hello", id);
    json["budget"] = budget;
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
