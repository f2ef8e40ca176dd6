#include "core/picture/infotext.h"

#include <QTest>

#include <string>

using namespace sg;

namespace {

const ParamTable &table()
{
    return ParamTable::standard();
}

ParamValues values(const Json &body = Json::object())
{
    return parseParams(body, table())->values;
}

std::string lastLine(const std::string &text)
{
    return text.substr(text.rfind('\n') + 1);
}

}  // namespace

class InfotextTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void theWholeText();
    void factsBesideTheTable();
    void emptyParts();
    void variationsAndExtras();
    void quoting_data();
    void quoting();
    void aNewRowIsWritten();
    void numbers_data();
    void numbers();
    void roundTrip_data();
    void roundTrip();
    void textsOfA1111();
    void textsOfOldVersions_data();
    void textsOfOldVersions();
    void oldSamplerNames();
    void imageToImage();
    void inpainting();
    void hiresFix();
    void valuesOutOfRangeAreNoted();
    void whatIsNotReadIsNoted();
    void notAnInfotext();
    void hugeTextsStayLinear_data();
    void hugeTextsStayLinear();
    void refused();
};

void InfotextTest::theWholeText()
{
    const ParamValues made = values({{"prompt", "a (red:1.3) star,\n8k"},
                                     {"negative_prompt", "blurry"},
                                     {"steps", 20},
                                     {"cfg_scale", 7},
                                     {"sampler_name", "DPM++ 2M"},
                                     {"width", 128},
                                     {"height", 192},
                                     {"seed", 5}});
    QCOMPARE(infotext({made, table(), "starter", "0123456789", 6, 1, "Karras", "v9"}),
             std::string("a (red:1.3) star,\n8k\nNegative prompt: blurry\nSteps: 20, Sampler: DPM++ 2M, Schedule type: "
                         "Karras, CFG scale: 7.0, "
                         "Seed: 6, Size: 128x192, Model hash: 0123456789, Model: starter, RNG: CPU, Version: v9"));
}

void InfotextTest::factsBesideTheTable()
{
    const ParamValues made = values({{"prompt", "p"}, {"steps", 20}, {"eta", 0.5}});
    InfotextFacts facts{made, table(), "m", "", 1, 1, "", "v"};
    facts.extras = {
        {"Lora hashes", "a: 0123456789ab, b: ba9876543210"}, {"VAE hash", "0123456789"}, {"VAE", "x.vae.pt"}};
    const std::string text = infotext(facts);
    const QString line = QString::fromStdString(text.substr(text.rfind('\n') + 1));
    QVERIFY2(line.contains(QStringLiteral("Model: m, VAE hash: 0123456789, VAE: x.vae.pt, ")), text.c_str());
    QVERIFY2(line.endsWith(QStringLiteral("Lora hashes: \"a: 0123456789ab, b: ba9876543210\", Eta: 0.5, Version: v")),
             text.c_str());
    const Expected<ParsedInfotext> read = parseInfotext(text);
    QVERIFY(read.has_value());
    QCOMPARE(read->value("Lora hashes"), std::string_view("a: 0123456789ab, b: ba9876543210"));
}

void InfotextTest::emptyParts()
{
    const ParamValues made = values();
    const std::string text = infotext({made, table(), "", "", 1, 1, "", ""});
    const InfotextFacts more{made, table(), "", "", 1, 1, "", "v", {{"Template", "a {b|c}, d"}}};
    QVERIFY(infotext(more).ends_with(", Template: \"a {b|c}, d\", Version: v"));
    QCOMPARE(parseInfotext(infotext(more), table())->value("Template"), std::string_view("a {b|c}, d"));
    QVERIFY(text.starts_with(
        "Steps: 50, Sampler: Euler, CFG scale: 7.0, Seed: 1, Size: 512x512, RNG: CPU, Version: Serigraph "));
    const ParamValues negative = values({{"negative_prompt", "n"}});
    QVERIFY(infotext({negative, table(), "", "", 1, 1, "", ""}).starts_with("Negative prompt: n\nSteps: "));
}

void InfotextTest::variationsAndExtras()
{
    const ParamValues made = values({{"subseed_strength", 0.25}, {"eta", 0.5}});
    QCOMPARE(
        lastLine(infotext({made, table(), "m", "", 1, 77, "Automatic", "v"})),
        std::string(
            "Steps: 50, Sampler: Euler, Schedule type: Automatic, CFG scale: 7.0, Seed: 1, Size: 512x512, Model: m, "
            "Variation seed: 77, Variation seed strength: 0.25, RNG: CPU, Eta: 0.5, Version: v"));
}

void InfotextTest::quoting_data()
{
    QTest::addColumn<QByteArray>("name");
    QTest::addColumn<QByteArray>("written");
    QTest::newRow("plain") << QByteArray("dream-shaper_8") << QByteArray("Model: dream-shaper_8, ");
    QTest::newRow("comma") << QByteArray("a, b") << QByteArray("Model: \"a, b\", ");
    QTest::newRow("colon") << QByteArray("a:b") << QByteArray("Model: \"a:b\", ");
    QTest::newRow("quotes and comma") << QByteArray("a\",b\\") << QByteArray("Model: \"a\\\",b\\\\\", ");
    QTest::newRow("line end") << QByteArray("a\nb") << QByteArray("Model: \"a\\nb\", ");
    QTest::newRow("quotes inside") << QByteArray("a\"b\"") << QByteArray("Model: a\"b\", ");
    QTest::newRow("quotes around") << QByteArray("\"a\"") << QByteArray("Model: \"\\\"a\\\"\", ");
    QTest::newRow("blank at the end") << QByteArray("a ") << QByteArray("Model: \"a \", ");
    QTest::newRow("not ASCII") << QByteArray("\xe6\x98\x9f,") << QByteArray("Model: \"\xe6\x98\x9f,\", ");
    QTest::newRow("equal to its key") << QByteArray("Model") << QByteArray(", Model, ");
}

void InfotextTest::quoting()
{
    QFETCH(QByteArray, name);
    QFETCH(QByteArray, written);
    const ParamValues made = values();
    const std::string text = infotext({made, table(), name.toStdString(), "", 1, 1, "", "v"});
    QVERIFY2(text.find(written.toStdString()) != std::string::npos, text.c_str());
    if (name != "Model") QCOMPARE(std::string(parseInfotext(text)->value("Model")), name.toStdString());
}

void InfotextTest::aNewRowIsWritten()
{
    ParamTable more = table();
    more.add({.key = "layer_skip",
              .label = "Token merging ratio",
              .help = "Layers left out.",
              .group = ParamGroup::Model,
              .type = ParamType::Integer,
              .defaultValue = std::int64_t(1),
              .formValue = std::int64_t(1),
              .minimum = 1,
              .maximum = 12,
              .unit = {},
              .choices = {},
              .infotextKey = "Token merging ratio"});
    more.add({.key = "tint",
              .label = "Tint",
              .help = "A colour.",
              .group = ParamGroup::Model,
              .type = ParamType::Text,
              .defaultValue = std::string(),
              .formValue = std::string(),
              .maximum = 100,
              .unit = {},
              .choices = {},
              .infotextKey = "Tint"});
    more.add({.key = "twice",
              .label = "Twice",
              .help = "Or not.",
              .group = ParamGroup::Model,
              .type = ParamType::Flag,
              .defaultValue = false,
              .formValue = false,
              .unit = {},
              .choices = {},
              .infotextKey = "Twice"});
    const ParamValues made = parseParams({{"layer_skip", 2}, {"tint", "red, blue"}, {"twice", true}}, more)->values;
    const std::string text = infotext({made, more, "m", "", 1, 1, "", "v"});
    QCOMPARE(text, std::string("Steps: 50, Sampler: Euler, CFG scale: 7.0, Seed: 1, Size: 512x512, Model: m, "
                               "Token merging ratio: 2, RNG: CPU, "
                               "Tint: \"red, blue\", Twice: True, Version: v"));
    const Expected<ParsedInfotext> parsed = parseInfotext(text, more);
    QVERIFY(parsed->params["layer_skip"] == 2 && parsed->params["tint"] == "red, blue" &&
            parsed->params["twice"] == true);
    const ParamValues plain = parseParams(Json::object(), more)->values;
    QVERIFY(infotext({plain, more, "m", "", 1, 1, "", "v"}).find("Tint") == std::string::npos);
}

void InfotextTest::numbers_data()
{
    QTest::addColumn<double>("number");
    QTest::addColumn<QByteArray>("text");
    const auto row = [](double number, const char *text) { QTest::newRow(text) << number << QByteArray(text); };
    row(7, "7.0");
    row(0, "0.0");
    row(-1, "-1.0");
    row(7.5, "7.5");
    row(0.1, "0.1");
    row(0.1 + 0.2, "0.30000000000000004");
    row(1.0 / 3, "0.3333333333333333");
    row(0.0001, "0.0001");
    row(0.00001, "1e-05");
    row(123456789012345.0, "123456789012345.0");
    row(9999999999999998.0, "9999999999999998.0");
    row(1e16, "1e+16");
    row(1e22, "1e+22");
    row(1.5e300, "1.5e+300");
    row(5e-324, "5e-324");
}

void InfotextTest::numbers()
{
    QFETCH(double, number);
    QFETCH(QByteArray, text);
    QCOMPARE(pythonNumber(number), text.toStdString());
}

void InfotextTest::roundTrip_data()
{
    QTest::addColumn<QByteArray>("prompt");
    QTest::addColumn<QByteArray>("negative");
    QTest::newRow("plain") << QByteArray("a red star") << QByteArray("blurry");
    QTest::newRow("no prompts") << QByteArray() << QByteArray();
    QTest::newRow("no negative") << QByteArray("a, b: c") << QByteArray();
    QTest::newRow("no positive") << QByteArray() << QByteArray("x");
    QTest::newRow("lines") << QByteArray("a\nb\n\nc") << QByteArray("d\ne");
    QTest::newRow("like pairs") << QByteArray("Steps: 1, Sampler: x, Seed: 3, Size: 9x9")
                                << QByteArray("Steps: 2, Sampler: y, Seed: 4");
    QTest::newRow("world") << QByteArray("\xe6\x98\x9f \xf0\x9f\x98\x80 \xd8\xb9") << QByteArray("\xc3\xa9");
    QTest::newRow("brackets") << QByteArray("((a:1.2)) \\(b\\) [c] BREAK <lora:x:1>") << QByteArray("\"quoted\"");
}

void InfotextTest::roundTrip()
{
    QFETCH(QByteArray, prompt);
    QFETCH(QByteArray, negative);
    for (const char *sampler : {"Euler", "Euler a", "DPM++ 2M", "DDIM"}) {
        Json body{{"prompt", prompt.toStdString()},
                  {"negative_prompt", negative.toStdString()},
                  {"sampler_name", sampler},
                  {"scheduler", "Exponential"},
                  {"steps", 33},
                  {"cfg_scale", 4.25},
                  {"width", 136},
                  {"height", 72},
                  {"seed", 1234567890123},
                  {"subseed", 42},
                  {"subseed_strength", 0.3},
                  {"eta", 0.7},
                  {"stable_diffusion_model", "folder/a, b"}};
        const ParamValues made = values(body);
        const std::string text =
            infotext({made, table(), "folder/a, b", "abcdef0123", 1234567890123, 42, "Exponential", ""});
        const Expected<ParsedInfotext> parsed = parseInfotext(text);
        QVERIFY(parsed && parsed->notes.empty());
        QCOMPARE(parsed->prompt, prompt.toStdString());
        QCOMPARE(parsed->negativePrompt, negative.toStdString());
        const Expected<ParsedParams> again = parseParams(parsed->params, table(), ParseMode::Strict);
        QVERIFY2(again.has_value(), again ? "" : again.error().message.c_str());
        QVERIFY2(again->values == made, dumpJson(parsed->params).c_str());
    }
}

void InfotextTest::textsOfA1111()
{
    const std::string text =
        "masterpiece, <lora:more:0.8>, 1girl\nsecond line\nNegative prompt: bad hands\n(worst:1.4)\n"
        "Steps: 28, Sampler: Euler a, Schedule type: Karras, CFG scale: 7, Seed: 2988112233, Size: 512x768, "
        "Model hash: 6ce0161689, Model: v1-5-pruned, Variation seed: 3, Variation seed strength: 0.15, Denoising "
        "strength: 0.4, "
        "Clip skip: 2, Hires upscale: 2, Lora hashes: \"more: 0123456789ab, less: ba9876543210\", Version: v1.10.1, "
        "User: me";
    const Expected<ParsedInfotext> parsed = parseInfotext(text);
    QCOMPARE(parsed->prompt, std::string("masterpiece, <lora:more:0.8>, 1girl\nsecond line"));
    QCOMPARE(parsed->negativePrompt, std::string("bad hands\n(worst:1.4)"));
    QCOMPARE(parsed->pairs.size(), std::size_t(16));
    QCOMPARE(std::string(parsed->value("Lora hashes")), std::string("more: 0123456789ab, less: ba9876543210"));
    QCOMPARE(std::string(parsed->value("Version")), std::string("v1.10.1"));
    QCOMPARE(std::string(parsed->value("User")), std::string("me"));
    QVERIFY(parsed->value("Nope").empty());
    const Json &params = parsed->params;
    QVERIFY(params["steps"] == 28 && params["cfg_scale"] == 7.0 && params["seed"] == 2988112233 &&
            params["width"] == 512 && params["height"] == 768);
    QVERIFY(params["sampler_name"] == "Euler a" && params["scheduler"] == "Karras" &&
            params["stable_diffusion_model"] == "v1-5-pruned");
    QVERIFY(parseParams(params, table(), ParseMode::Strict).has_value());
    // stable-diffusion.cpp's order.
    const Expected<ParsedInfotext> other = parseInfotext(
        "p\nSteps: 4, CFG scale: 1, Guidance: 3.5, Eta: 0, Seed: 7, Size: 64x64, Model: m, Sampler: euler, Version: x");
    QVERIFY(other->params["steps"] == 4 && other->params["seed"] == 7 && other->params["eta"] == 0.0);
}

void InfotextTest::textsOfOldVersions_data()
{
    QTest::addColumn<QByteArray>("prompt");
    QTest::addColumn<QByteArray>("more");
    QTest::addColumn<QByteArray>("fields");
    const auto row = [](const char *name, const char *prompt, const char *more, const char *fields) {
        QTest::newRow(name) << QByteArray(prompt) << QByteArray(more) << QByteArray(fields);
    };
    const char *const nv = R"({"randn_source":"NV"})";
    row("ours", "[a:b:5]", ", Version: Serigraph 0.1.0", "{}");
    row("ours with its source", "a", ", RNG: CPU, Version: Serigraph 0.1.0", R"({"randn_source":"CPU"})");
    row("another program's", "a", ", Version: ComfyUI", "{}");
    row("no version", "[a:b:5]", "", nv);
    row("new", "[a:b:5]", ", Refiner: r, Version: v1.10.1", nv);
    row("its own source", "a", ", RNG: CPU, Version: v1.10.1", R"({"randn_source":"CPU"})");
    row("Forge's", "[a:b:5]", ", Version: f2.0.1v1.10.1-previous-635-gf5330788", nv);
    row("1.7.0", "a", ", Version: v1.7.0", R"({"randn_source":"NV","use_downcasted_alpha_bar":true})");
    row("1.7.0-224", "a", ", Version: v1.7.0-224-g0123456", R"({"randn_source":"NV","use_downcasted_alpha_bar":true})");
    row("1.7.0-225", "a", ", Version: v1.7.0-225-g0123456", nv);
    row("1.7 with a refiner", "a", ", Refiner: r, Version: v1.7.0-300-gab",
        R"({"randn_source":"NV","refiner_switch_by_sample_steps":true})");
    row("1.5 with brackets", "[a:b:5]", ", Version: 1.5.2",
        R"({"randn_source":"NV","use_downcasted_alpha_bar":true,"use_old_scheduling":true})");
    row("1.5 without", "a", ", Version: v1.5.2", R"({"randn_source":"NV","use_downcasted_alpha_bar":true})");
    row("1.6 with brackets", "[a:b:5]", ", Version: v1.6.0",
        R"({"randn_source":"NV","use_downcasted_alpha_bar":true})");
    row("no number", "[a]", ", Version: v1.x", "{}");
    row("a long number", "[a]", ", Version: v1.99999999999999999999.0", "{}");
}

void InfotextTest::textsOfOldVersions()
{
    QFETCH(QByteArray, prompt);
    QFETCH(QByteArray, more);
    QFETCH(QByteArray, fields);
    const Expected<ParsedInfotext> parsed =
        parseInfotext(prompt.toStdString() + "\nSteps: 20, Sampler: Euler, Seed: 1" + more.toStdString());
    QVERIFY(parsed.has_value());
    Json made = Json::object();
    for (const char *key :
         {"randn_source", "use_downcasted_alpha_bar", "use_old_scheduling", "refiner_switch_by_sample_steps"})
        if (parsed->params.contains(key)) made[key] = parsed->params[key];
    QCOMPARE(QByteArray::fromStdString(dumpJson(made)), fields);
    QVERIFY(parseParams(parsed->params, table(), ParseMode::Strict).has_value());
    // Every field that the text does not name is said.
    const auto named = static_cast<std::size_t>(more.contains("RNG"));
    QCOMPARE(parsed->notes.size(), made.size() - named);
}

void InfotextTest::imageToImage()
{
    const ParamValues made = values({{"init_images", Json::array({"inputs/t/1.png"})},
                                     {"denoising_strength", 0.75},
                                     {"initial_noise_multiplier", 1.1},
                                     {"img2img_extra_noise", 0.2},
                                     {"mask_blur", 9}});
    const std::string text = infotext({made, table(), "m", "", 1, 1, "", "v"});
    // Nothing of the mask, since there is none.
    QCOMPARE(lastLine(text),
             std::string("Steps: 50, Sampler: Euler, CFG scale: 7.0, Seed: 1, Size: 512x512, Model: m, "
                         "Denoising strength: 0.75, RNG: CPU, Noise multiplier: 1.1, Extra noise: 0.2, Version: v"));
    const Expected<ParsedInfotext> parsed = parseInfotext(text);
    QVERIFY(parsed->params["denoising_strength"] == 0.75 && parsed->params["initial_noise_multiplier"] == 1.1);
    QVERIFY(!parsed->params.contains("init_images") && !parsed->params.contains("enable_hr") && parsed->notes.empty());
    QVERIFY(infotext({values({{"denoising_strength", 0.5}}), table(), "m", "", 1, 1, "", "v"}).find("Denoising") ==
            std::string::npos);
}

void InfotextTest::inpainting()
{
    const Json pictures{{"init_images", Json::array({"inputs/t/1.png"})}, {"mask", "inputs/t/2.png"}};
    const auto line = [&](const Json &more) {
        Json body = pictures;
        body.update(more);
        return lastLine(infotext({values(body), table(), "m", "", 1, 1, "", "v"}));
    };
    const std::string usual = line({{"inpainting_fill", 1}, {"inpaint_full_res", false}});
    QVERIFY2(usual.ends_with("Denoising strength: 0.75, RNG: CPU, Mask blur: 4, Version: v"), usual.c_str());
    const Json read = parseInfotext(usual)->params;
    QVERIFY(read["inpainting_fill"] == 1 && read["inpaint_full_res"] == false && read["inpainting_mask_invert"] == 0);
    const std::string all = line(
        {{"mask_blur_x", 2}, {"inpainting_fill", 2}, {"inpainting_mask_invert", 1}, {"inpaint_full_res_padding", 32}});
    QVERIFY2(all.ends_with("Mask mode: Inpaint not masked, Mask blur: 4, Mask blur x: 2, Inpaint area: Only masked, "
                           "Masked area padding: 32, Masked content: latent noise, Version: v"),
             all.c_str());
    const Json again = parseInfotext(all)->params;
    QVERIFY(again["inpainting_fill"] == 2 && again["inpaint_full_res"] == true && again["mask_blur_x"] == 2 &&
            again["inpainting_mask_invert"] == 1 && again["inpaint_full_res_padding"] == 32);
    const Expected<ParsedInfotext> spelled =
        parseInfotext(usual + ", Masked content: original, Inpaint area: Whole picture");
    QVERIFY(spelled->notes.empty() && spelled->params["inpainting_fill"] == 1);
}

void InfotextTest::hiresFix()
{
    const auto line = [&](Json body) {
        body["enable_hr"] = true;
        body["denoising_strength"] = 0.6;
        return lastLine(infotext({values(body), table(), "m", "", 1, 1, "", "v"}));
    };
    const std::string usual = line({{"hr_upscaler", "Lanczos"}});
    QVERIFY2(
        usual.ends_with("Denoising strength: 0.6, RNG: CPU, Hires upscale: 2.0, Hires upscaler: Lanczos, Version: v"),
        usual.c_str());
    const std::string own = line({{"hr_resize_x", 1024},
                                  {"hr_second_pass_steps", 7},
                                  {"hr_sampler_name", "DDIM"},
                                  {"hr_prompt", "a, b"},
                                  {"hr_scheduler", "Karras"}});
    QVERIFY2(
        own.ends_with("Hires sampler: DDIM, Hires prompt: \"a, b\", Hires schedule type: Karras, Hires resize: 1024x0, "
                      "Hires steps: 7, Hires upscaler: Latent, Version: v"),
        own.c_str());
    const Json read = parseInfotext(own)->params;
    QVERIFY(read["enable_hr"] == true && read["hr_resize_x"] == 1024 && read["hr_second_pass_steps"] == 7 &&
            read["hr_prompt"] == "a, b" && read["hr_sampler_name"] == "DDIM" && read["denoising_strength"] == 0.6);
    QVERIFY(parseInfotext(usual)->params["hr_scale"] == 2.0 && parseInfotext(usual)->params["enable_hr"] == true);
}

void InfotextTest::oldSamplerNames()
{
    const Expected<ParsedInfotext> parsed =
        parseInfotext("p\nSteps: 20, Sampler: Euler a Karras, CFG scale: 7, Seed: 1");
    QVERIFY(parsed->params["sampler_name"] == "Euler a" && parsed->params["scheduler"] == "Karras");
    const Expected<ParsedInfotext> unknown = parseInfotext("p\nSteps: 20, Sampler: Heun++, RNG: NV, Seed: 1");
    QCOMPARE(unknown->notes.size(), std::size_t(1));
}

void InfotextTest::valuesOutOfRangeAreNoted()
{
    const Expected<ParsedInfotext> parsed =
        parseInfotext("p\nSteps: 9999, CFG scale: high, Seed: 1.5, Size: 100x64, Eta: nan, RNG: NV");
    QCOMPARE(parsed->notes.size(), std::size_t(5));
    for (const char *key : {"steps", "cfg_scale", "seed", "width", "eta"})
        QVERIFY(!parsed->params.contains(key));
    QVERIFY(parsed->params["height"] == 64);
    QCOMPARE(parsed->pairs.size(), std::size_t(6));
}

void InfotextTest::whatIsNotReadIsNoted()
{
    const std::string usual =
        "p\nSteps: 20, Sampler: Euler, Seed: 1, Size: 64x64, RNG: NV, Model hash: 12, TI hashes: x";
    QVERIFY(parseInfotext(usual + ", Hypernet strength: 0, Face restoration: None, Lora hashes: a, User: b")
                ->notes.empty());
    const Expected<ParsedInfotext> parsed =
        parseInfotext(usual + ", Hypernet: old, First pass size: 256x256, Token merging ratio: 0.5, Clip skip: 2");
    QCOMPARE(parsed->notes.size(), std::size_t(1));
    QCOMPARE(parsed->notes.front(),
             "not read, so that the picture may differ: Hypernet, First pass size, Token merging ratio");
    std::string many = usual;
    for (int i = 0; i < 1000; ++i)
        many += ", Setting " + std::to_string(i) + ": 1, " + std::string(200, 'k') + ": 2";
    const Expected<ParsedInfotext> crowded = parseInfotext(many);
    QVERIFY(crowded->notes.size() == 1 && crowded->notes.front().size() < 500);
    QVERIFY(crowded->notes.front().ends_with("and 1980 more"));
}

void InfotextTest::notAnInfotext()
{
    for (const char *text : {"", "just a prompt", "two: pairs, only: here", "a\nb: c, d: e"}) {
        const Expected<ParsedInfotext> parsed = parseInfotext(text);
        QVERIFY(parsed->pairs.empty());
        QCOMPARE(parsed->prompt, std::string(text));
    }
    QCOMPARE(parseInfotext("  \n a \n\n")->prompt, std::string("a"));
}

void InfotextTest::hugeTextsStayLinear_data()
{
    QTest::addColumn<QByteArray>("text");
    QTest::newRow("letters") << QByteArray(1 << 20, 'a');
    QTest::newRow("open quotes") << QByteArray("ab: \"x,").repeated(149'000);
    QTest::newRow("escaped quotes") << QByteArray("ab: \"\\\",").repeated(131'000);
    QTest::newRow("backslashes") << "ab: \"" + QByteArray(1'000'000, '\\');
    QTest::newRow("keys without value") << QByteArray("ab cd ").repeated(170'000);
    QTest::newRow("colons") << QByteArray("a:").repeated(500'000);
    QTest::newRow("lines") << QByteArray("Negative prompt:\n").repeated(60'000);
    QTest::newRow("pairs") << QByteArray("ab:c,").repeated(200'000);
}

void InfotextTest::hugeTextsStayLinear()
{
    QFETCH(QByteArray, text);
    QVERIFY(parseInfotext({text.constData(), static_cast<std::size_t>(text.size())}).has_value());
}

void InfotextTest::refused()
{
    QVERIFY(parseInfotext(std::string(kMaxInfotext + 1, 'a')).error().code == ErrorCode::TooLarge);
    QVERIFY(parseInfotext(std::string_view("a\0b", 3)).error().code == ErrorCode::InvalidArgument);
    QVERIFY(parseInfotext("a\xff").error().code == ErrorCode::InvalidArgument);
}

QTEST_APPLESS_MAIN(InfotextTest)
#include "infotext_test.moc"
