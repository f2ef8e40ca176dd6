// The engine's messages and its null backend, without a process around them.
#include "core/engine/messages.h"
#include "core/engine/null_backend.h"
#include "core/engine/process_memory.h"

#include "tests/support/check.h"

#include <tuple>

using namespace sg;
using namespace sg::engine;

namespace {

Json generateHeader()
{
    return {{"type", "generate"},
            {"id", "t"},
            {"model", {{"path", "/m.safetensors"}, {"name", "m"}, {"hash", "0123456789"}}},
            {"params",
             {{"prompt", "a star"},
              {"steps", 3},
              {"width", 64},
              {"height", 32},
              {"batch_size", 2},
              {"n_iter", 2},
              {"seed", 5}}}};
}

struct Collected final : GenerationSink {
    void progress(const StepProgress &step) override
    {
        steps.push_back(step);
        if (steps.size() == cancelAfter) stop.request_stop();
    }
    bool previewDue() override { return true; }
    void preview(std::int64_t, std::int64_t, Image picture) override { previews.push_back(std::move(picture)); }
    void image(std::int64_t index, Image picture) override
    {
        CHECK(index == static_cast<std::int64_t>(images.size()));
        images.push_back(std::move(picture));
    }
    std::vector<StepProgress> steps;
    std::vector<Image> images, previews;
    std::size_t cancelAfter = 0;
    std::stop_source stop;
};

}  // namespace

SG_CASE(a_generate_message_is_read_whole)
{
    const Expected<GenerateMessage> message = parseGenerate(Frame{generateHeader(), {}});
    CHECK(message.has_value());
    CHECK(message->model.path == "/m.safetensors" && message->model.name == "m" && message->model.hash == "0123456789");
    CHECK(message->request.prompt == "a star" && message->request.steps == 3 && message->request.imageCount() == 4);
    CHECK(message->previews);
    CHECK(message->request.seed == 5 && message->request.subseed >= 0);  // -1 was resolved
}

SG_CASE(companions_of_the_model_are_read)
{
    Json header = generateHeader();
    header["model"]["loras"] = {{{"name", "a"}, {"path", "/a"}, {"hash", "0f"}}, {{"name", "b"}, {"path", "/b"}}};
    header["model"]["embeddings"] = {{{"name", "e"}, {"path", "/e"}}};
    header["model"]["vae"] = {{"name", "v.safetensors"}, {"path", "/v"}};
    header["model"]["taesd"] = {{{"name", "t"}, {"path", "/t"}}};
    const Expected<GenerateMessage> message = parseGenerate(Frame{header, {}});
    CHECK(message.has_value());
    if (!message) return;
    CHECK(message->model.loras.size() == 2 && message->model.loras[0].hash == "0f" &&
          message->model.loras[1].path == "/b");
    CHECK(message->model.embeddings.size() == 1 && message->model.embeddings[0].name == "e");
    CHECK(message->model.vae && message->model.vae->name == "v.safetensors");
    CHECK(message->model.taesd.size() == 1 && message->model.taesd[0].path == "/t");
    for (const auto &[key, value] :
         {std::pair("loras", Json(3)), std::pair("loras", Json{Json("a")}),
          std::pair("embeddings", Json{Json{{"name", "e"}}}), std::pair("vae", Json{{"name", 1}, {"path", "/v"}}),
          std::pair("vae", Json("v"))}) {
        Json wrong = header;
        wrong["model"][key] = value;
        const Expected<GenerateMessage> refused = parseGenerate(Frame{wrong, {}});
        CHECK(!refused && refused.error().code == ErrorCode::InvalidArgument);
        CHECK(!refused && refused.error().subject.starts_with(std::string("model.") + key));
    }
}

// Two requests draw the same latents when they differ only in how those are decoded.
SG_CASE(what_is_drawn_is_one_text)
{
    Json header = generateHeader();
    header["params"]["subseed"] = 7;
    const auto drawing = [](const Json &of) { return parseGenerate(Frame{of, {}})->request.drawing; };
    const std::string plain = drawing(header);
    CHECK(!plain.empty() && drawing(header) == plain);
    Json other = header;
    other["params"]["vae_tiling"] = "On";
    other["params"]["vae_tile_size"] = 128;
    other["params"]["sd_vae"] = "v";
    other["params"]["show_progress_type"] = "Full";
    other["model"]["vae"] = {{"name", "v"}, {"path", "/v"}};
    other["model"]["taesd"] = {{{"name", "t"}, {"path", "/t"}}};
    other["previews"] = false;
    CHECK(drawing(other) == plain);
    // That a file's hash is known by the second try is no difference.
    Json hashed = header;
    hashed["model"]["loras"] = {{{"name", "l"}, {"path", "/l"}}};
    hashed["model"]["refiner"] = {{"name", "r"}, {"path", "/r"}};
    const std::string before = drawing(hashed);
    hashed["model"]["hash"] = "fedcba9876";
    hashed["model"]["loras"][0]["hash"] = hashed["model"]["refiner"]["hash"] = "0123456789";
    CHECK(drawing(hashed) == before && before != plain);
    for (const auto &[key, value] :
         {std::pair("seed", Json(6)), {"prompt", "a moon"}, {"tiling", true}, {"steps", 4}, {"subseed", 8}}) {
        Json changed = header;
        changed["params"][key] = value;
        CHECK(drawing(changed) != plain);
    }
    Json elsewhere = header;
    elsewhere["model"]["path"] = "/other";
    CHECK(drawing(elsewhere) != plain);
}

SG_CASE(seeds_count_as_in_a1111)
{
    GenerationRequest request;
    request.seed = 10;
    request.subseed = 100;
    CHECK(request.imageSeed(3) == 13 && request.imageSubseed(3) == 103);
    request.subseedStrength = 0.3;
    CHECK(request.imageSeed(3) == 10 && request.imageSubseed(3) == 103);
}

SG_CASE(a_wrong_message_names_the_field)
{
    for (const auto &[field, value, subject] : {std::tuple("steps", Json(0), "steps"),
                                                {"steps", Json("many"), "steps"},
                                                {"width", Json(60), "width"},
                                                {"prompt", Json(5), "prompt"}}) {
        Json header = generateHeader();
        header["params"][field] = value;
        const Expected<GenerateMessage> message = parseGenerate(Frame{header, {}});
        CHECK(!message && message.error().code == ErrorCode::InvalidArgument && message.error().subject == subject);
    }
    Json header = generateHeader();
    header["model"].erase("path");
    CHECK(parseGenerate(Frame{header, {}}).error().subject == "model.path");
    CHECK(!parseUnload({{"model", 1}}));
    CHECK(parseUnload(Json::object()).value() == std::nullopt);
    CHECK(parseUnload({{"model", {{"path", "/m"}}}}).value() == "/m");
}

SG_CASE(what_is_to_be_watched_is_checked)
{
    const auto watch = [](Json value) { return parseWatch({{"watch", std::move(value)}}); };
    const Expected<Inspection> all =
        watch({{"latents", true}, {"token", 3u}, {"steps", {1u, 4u}}, {"modules", {"input_blocks.1", ""}}});
    CHECK(all && all->latents && all->token == 3 && all->modules.size() == 2);
    CHECK(all && all->wantsStep(4) && !all->wantsStep(2));
    CHECK(watch(Json::object())->wantsStep(77));
    for (const auto &[field, value] : {std::pair("latents", Json(1)),
                                       {"token", Json(-1)},
                                       {"token", Json(1e9)},
                                       {"token", Json("a")},
                                       {"steps", Json{0}},
                                       {"steps", Json(std::vector<int>(65, 1))},
                                       {"modules", Json{3}},
                                       {"modules", Json("a")}}) {
        const Expected<Inspection> refused = watch({{field, value}});
        CHECK(!refused && refused.error().subject == std::string("watch.") + field);
    }
    CHECK(!watch({{"else", 1}}) && !watch(3) && !parseWatch(Json::object()));
}

SG_CASE(budgets_and_kept_models_are_checked)
{
    CHECK(!parseBudget(Json::object())->has_value());
    CHECK(parseBudget({{"budget", 0}})->value() == 0 && parseBudget({{"budget", 1ull << 40}})->value() == 1ull << 40);
    for (const Json &wrong : {Json(-1), Json("1"), Json(1.5)})
        CHECK(!parseBudget({{"budget", wrong}}));
    Json header = generateHeader();
    header["keep"] = {"/a", "/b"};
    CHECK(parseModel(header)->keep.size() == 2);
    for (const Json &wrong : {Json("/a"), Json{1}, Json(std::vector<std::string>(65, "/a"))}) {
        header["keep"] = wrong;
        CHECK(parseModel(header).error().subject == "keep");
    }
}

SG_CASE(prompts_are_resolved_for_each_picture)
{
    Json header = generateHeader();
    header["params"]["prompt"] = "a {red|green|blue|white|black} star # of mine";
    header["params"]["negative_prompt"] = "# nothing";
    const GenerateMessage message = *parseGenerate(Frame{header, {}});
    CHECK(message.request.prompts.size() == 4 && message.request.prompt == message.request.prompts[0].prompt);
    for (std::int64_t i = 0; i < 4; ++i) {
        const PromptPair prompts = message.request.imagePrompts(i);
        const auto seed = static_cast<std::uint64_t>(message.request.imageSeed(i));
        CHECK(prompts.prompt == resolvePrompt(header["params"]["prompt"].get<std::string>(), seed, nullptr).value());
        CHECK(prompts.prompt.find_first_of("{|}#") == std::string::npos && prompts.negative == "\n");
    }
    CHECK(message.values.get<std::string>("prompt").find('{') != std::string::npos);  // the template is kept
    for (const std::string &prompt : {std::string("__colour__"), std::string(65, '['), std::string("<lora:a:x>")}) {
        header["params"]["prompt"] = prompt;
        CHECK(parseGenerate(Frame{header, {}}).error().subject == "prompt");
    }
    header["params"]["prompt"] = "[a:b:0.5] <lora:a:1> AND c";
    CHECK(parseGenerate(Frame{header, {}})->request.prompts.empty());
}

SG_CASE(pictures_of_a_message)
{
    const auto with = [](const Json &pictures, const std::string &payload,
                         const Json &names = Json::array({"a", "b"})) {
        Json header = generateHeader();
        header["params"]["init_images"] = names;
        header["pictures"] = pictures;
        return parseGenerate(Frame{header, payload});
    };
    const Json two = Json::array({{{"row", "init_images"}, {"bytes", 2}}, {{"row", "init_images"}, {"bytes", 3}}});
    const Expected<GenerateMessage> message = with(two, "abcde");
    CHECK(message && message->pictures.size() == 2 && message->pictures[1].bytes == "cde");
    GenerateMessage broken = *message;
    const Expected<void> decoded = decodePictures(broken);
    CHECK(!decoded && decoded.error().code == ErrorCode::UnusableFile && decoded.error().subject == "init_images");
    const Json huge = Json::array({{{"row", "init_images"}, {"bytes", std::uint64_t{1} << 63}}});
    const Json prompt = Json::array({{{"row", "prompt"}, {"bytes", 5}}});
    Json many = Json::array();
    for (int i = 0; i < 65; ++i)
        many.push_back({{"row", "mask"}, {"bytes", 1}});
    for (const Json &bad : {Json(1), Json::array({1}), Json::array({{{"row", "init_images"}}}), huge, prompt, many,
                            Json::array({{{"row", "init_images"}, {"bytes", 0}}})}) {
        const Expected<GenerateMessage> refused = with(bad, "abcde");
        CHECK(!refused && refused.error().subject == "pictures");
    }
    CHECK(with(two, "abcd").error().subject == "pictures" && with(two, "abcdef").error().subject == "pictures");
    CHECK(with(two, "abcde", Json::array({"a"})).error().subject == "pictures");
    CHECK(with(Json::array(), "", Json::array({"a"})).error().subject == "pictures");
}

SG_CASE(the_null_backend_tells_every_step)
{
    NullBackend backend{std::chrono::milliseconds(0)};
    const GenerateMessage message = *parseGenerate(Frame{generateHeader(), {}});
    Collected sink;
    CHECK(backend.generate(message.model, message.request, sink, {}).has_value());
    CHECK(sink.steps.size() == 6 && sink.previews.size() == 6 && sink.images.size() == 4);
    CHECK(sink.steps.back().fraction == 1 && sink.steps.back().image == 2);
    CHECK(sink.images[0].width == 64 && sink.images[0].height == 32 && sink.images[0] != sink.images[1]);
    CHECK(sink.images[0] == plainPicture(64, 32, 5));
    CHECK(backend.residentModels().size() == 1);
    backend.unload("/another");
    CHECK(backend.residentModels().size() == 1);
    backend.unload(std::nullopt);
    CHECK(backend.residentModels().empty());
}

SG_CASE(the_null_backend_stops_when_asked)
{
    NullBackend backend{std::chrono::milliseconds(1)};
    const GenerateMessage message = *parseGenerate(Frame{generateHeader(), {}});
    Collected sink;
    sink.cancelAfter = 2;
    const Expected<std::unique_ptr<ParkedRun>> made =
        backend.generate(message.model, message.request, sink, sink.stop.get_token());
    CHECK(!made && made.error().code == ErrorCode::Cancelled);
    CHECK(sink.steps.size() == 2 && sink.images.empty());
}

SG_CASE(memory_and_devices_are_known)
{
    const ProcessMemory memory = processMemory();
    CHECK(memory.resident > 0 && memory.anonymous > 0 && memory.anonymous <= memory.resident &&
          memory.peak >= memory.resident);
    const std::vector<Device> devices = listDevices();
    CHECK(!devices.empty() && devices.front().id == "cpu" && devices.front().memory > memory.resident);
}

SG_TEST_MAIN
