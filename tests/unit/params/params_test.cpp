#include "core/params/generation_request.h"
#include "core/params/param_table.h"
#include "core/params/param_values.h"
#include "tests/unit/params/parsing.h"

#include <QTest>

#include <cmath>
#include <limits>
#include <set>

using namespace sg;
using namespace sg::test;

namespace {

bool isResolved(const ParamSpec &spec)
{
    return spec.key == "sampler_name" || spec.key == "scheduler";
}

}  // namespace

class ParamsTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void rowsAreSound();
    void boundsOfNumbers();
    void boundsOfTexts();
    void choicesAreTheKnownNames();
    void otherTypesAreRefused();
    void errorsSayTheRule();
    void wholeNumbersMayHaveAFraction();
    void nullAndAbsentAreTheDefault();
    void notesAndStrict();
    void fieldsOfA1111NeedNoNote();
    void stylesAreNames();
    void optionsComeInOverrideSettings();
    void samplerFields();
    void bodyMustBeAnObject();
    void pixelsOfATaskAreLimited();
    void limitsCapRowsAndDefaults();
    void aNewRowReachesEverything();
    void jsonRoundTrip();
    void eachKindOfTaskHasItsFields();
};

void ParamsTest::rowsAreSound()
{
    std::set<std::string> keys;
    std::set<std::string> infotextKeys;
    for (const ParamSpec &spec : table().specs()) {
        QVERIFY(keys.insert(spec.key).second);
        QVERIFY(spec.infotextKey.empty() || infotextKeys.insert(spec.infotextKey).second);
        QVERIFY2(!spec.label.empty() && spec.help.ends_with('.'), spec.key.c_str());
        QVERIFY(checkValue(spec, spec.defaultValue).has_value());
        QVERIFY(checkValue(spec, spec.formValue).has_value());
        QVERIFY(spec.minimum <= spec.maximum);
        QVERIFY(table().find(spec.key) == &spec);
    }
    QVERIFY(!table().find("nope"));
    QCOMPARE(std::get<std::int64_t>(table().find("steps")->defaultValue), std::int64_t(50));
}

void ParamsTest::boundsOfNumbers()
{
    // Wide enough that no row's bound is cut by what several fields have to share.
    for (const ParamSpec &spec : table().specs()) {
        if (spec.type == ParamType::Integer) {
            const auto least = static_cast<std::int64_t>(spec.minimum);
            const auto most = static_cast<std::int64_t>(spec.maximum);
            for (const std::int64_t good : {least, most}) {
                const Expected<ParsedParams> parsed = parseField(spec.key, good);
                QVERIFY2(parsed.has_value(), (spec.key + (parsed ? "" : parsed.error().message)).c_str());
                QCOMPARE(parsed->values.get<std::int64_t>(spec.key), good);
            }
            for (const std::int64_t bad : {least - 1, most + 1, std::numeric_limits<std::int64_t>::min(),
                                           std::numeric_limits<std::int64_t>::max()})
                QVERIFY2(namesField(parseField(spec.key, bad), spec.key), spec.key.c_str());
            QVERIFY(namesField(parseField(spec.key, std::numeric_limits<std::uint64_t>::max()), spec.key));
            if (spec.multipleOf > 1) QVERIFY(namesField(parseField(spec.key, least + 1), spec.key));
        }
        if (spec.type == ParamType::Number) {
            for (const double good : {spec.minimum, spec.maximum})
                QCOMPARE(parseField(spec.key, good)->values.get<double>(spec.key), good);
            for (const double bad :
                 {std::nextafter(spec.minimum, -1e300), std::nextafter(spec.maximum, 1e300), 1e300, -1e300})
                QVERIFY2(namesField(parseField(spec.key, bad), spec.key), spec.key.c_str());
            QVERIFY(!checkValue(spec, std::numeric_limits<double>::quiet_NaN()));
            QVERIFY(!checkValue(spec, std::numeric_limits<double>::infinity()));
        }
    }
}

void ParamsTest::boundsOfTexts()
{
    for (const ParamSpec &spec : table().specs()) {
        if (spec.type != ParamType::Text && !(spec.type == ParamType::Choice && spec.choices.empty())) continue;
        const auto most = static_cast<std::size_t>(spec.maximum);
        QVERIFY(most > 0);
        QVERIFY(parseField(spec.key, std::string(most, 'x')).has_value());
        QVERIFY(namesField(parseField(spec.key, std::string(most + 1, 'x')), spec.key));
        QVERIFY(parseField(spec.key, "").has_value());
    }
}

void ParamsTest::choicesAreTheKnownNames()
{
    for (const ParamSpec &spec : table().specs()) {
        if (spec.choices.empty() || spec.type != ParamType::Choice) continue;
        for (const std::string &choice : spec.choices)
            QVERIFY(checkValue(spec, choice).has_value());
        // Which files there are is known where a task is accepted.
        if (!spec.modelType.empty()) QVERIFY(checkValue(spec, std::string("a file")).has_value());
        const Expected<void> bad = checkValue(spec, std::string(spec.modelType.empty() ? 4 : 256, 'n'));
        QVERIFY(!bad && bad.error().subject == spec.key);
    }
}

void ParamsTest::otherTypesAreRefused()
{
    const Json text = "1", flag = true, list = Json::array({1}), object = Json{{"a", 1}}, fraction = 1.5;
    for (const ParamSpec &spec : table().specs()) {
        if (isResolved(spec)) continue;
        std::vector<Json> bad{list, object};
        const bool isText =
            spec.type == ParamType::Text || spec.type == ParamType::Choice || spec.type == ParamType::Picture;
        const bool zeroOrOne = spec.type == ParamType::Integer && spec.minimum == 0 && spec.maximum == 1;
        if (spec.type != ParamType::Flag && !zeroOrOne) bad.push_back(flag);
        if (!isText) bad.push_back(text);
        if (spec.type != ParamType::Number) bad.push_back(fraction);
        if (isText || spec.type == ParamType::Pictures) bad.push_back(1);
        for (const ParseMode mode : {ParseMode::Lenient, ParseMode::Strict})
            for (const Json &value : bad)
                QVERIFY2(namesField(parseField(spec.key, value, table(), mode), spec.key),
                         (spec.key + dumpJson(value)).c_str());
    }
}

void ParamsTest::errorsSayTheRule()
{
    const auto message = [](const char *key, const Json &value) {
        const Expected<ParsedParams> parsed = parseField(key, value);
        return parsed ? std::string("accepted") : parsed.error().message;
    };
    const std::string seed = "seed must be a whole number between -1 and 9007199254740991";
    for (const Json &bad : {Json(9007199254740992), Json(std::uint64_t{1} << 63), Json(9007199254740992.0), Json(1e300),
                            Json(-2), Json(0.5), Json("7"), Json::array({7}), Json::object()})
        QCOMPARE(message("seed", bad), seed);
    QCOMPARE(message("seed", 9.007e15), std::string("accepted"));
    QCOMPARE(message("cfg_scale", 100.5), std::string("cfg_scale must be a number between 0 and 100"));
    QCOMPARE(message("cfg_scale", Json::array()), std::string("cfg_scale must be a number between 0 and 100"));
    QCOMPARE(message("prompt", Json::object()), std::string("prompt must be a text"));
    QCOMPARE(message("enable_hr", Json::array()), std::string("enable_hr must be true or false"));
    QCOMPARE(message("styles", Json::object()), std::string("styles must be a text or a list of texts"));
    QCOMPARE(message("init_images", Json::object()), std::string("init_images must be a list of pictures"));
    QCOMPARE(message("mask", Json::array()), std::string("mask must be one picture"));
}

void ParamsTest::wholeNumbersMayHaveAFraction()
{
    QCOMPARE(parseField("steps", 20.0)->values.get<std::int64_t>("steps"), std::int64_t(20));
    QCOMPARE(parseField("cfg_scale", 7)->values.get<double>("cfg_scale"), 7.0);
    QVERIFY(namesField(parseField("steps", 20.5), "steps"));
    QVERIFY(namesField(parseField("seed", 1e18), "seed"));
    QCOMPARE(parseField("seed", -1.0)->values.get<std::int64_t>("seed"), std::int64_t(-1));
}

void ParamsTest::nullAndAbsentAreTheDefault()
{
    const ParamValues defaults = ParamValues::defaults(table());
    QVERIFY(parseParams(Json::object(), table(), ParseMode::Strict)->values == defaults);
    for (const ParamSpec &spec : table().specs()) {
        const Expected<ParsedParams> parsed = parseField(spec.key, nullptr);
        QVERIFY2(parsed && parsed->values == defaults && parsed->notes.empty(), spec.key.c_str());
    }
}

void ParamsTest::notesAndStrict()
{
    const Expected<ParsedParams> lenient = parseField("hr_wobble", "Latent", table(), ParseMode::Lenient);
    QVERIFY(lenient.has_value());
    QCOMPARE(lenient->notes, std::vector<std::string>{"field \"hr_wobble\" was ignored"});
    const Expected<ParsedParams> strict = parseField("hr_wobble", "Latent");
    QVERIFY(!strict && strict.error().subject == "hr_wobble");
    Json many = Json::object();
    for (int i = 0; i < 500; ++i)
        many["unknown" + std::to_string(i)] = 1;
    QCOMPARE(parseParams(many, table())->notes.size(), std::size_t(50));
    const Expected<ParsedParams> longName = parseField(std::string(10'000, 'n'), 1);
    QVERIFY(!longName && longName.error().message.size() < 200);
}

void ParamsTest::fieldsOfA1111NeedNoNote()
{
    // What A1111's own clients send in every request, asking for nothing.
    const Json body{{"prompt", "x"},
                    {"restore_faces", false},
                    {"enable_hr", false},
                    {"s_churn", 0},
                    {"s_tmin", 0},
                    {"s_noise", 1},
                    {"seed_resize_from_h", -1},
                    {"seed_resize_from_w", -1},
                    {"styles", Json::array()},
                    {"script_name", nullptr},
                    {"override_settings", Json::object()},
                    {"send_images", true},
                    {"sampler_index", "Euler a"},
                    {"tiling", false},
                    {"alwayson_scripts", Json::object()},
                    {"denoising_strength", 0}};
    const Expected<ParsedParams> parsed = parseParams(body, table());
    QVERIFY(parsed.has_value());
    QVERIFY2(parsed->notes.empty(), parsed->notes.empty() ? "" : parsed->notes.front().c_str());
    QCOMPARE(parsed->values.get<std::string>("sampler_name"), std::string("Euler a"));
}

void ParamsTest::stylesAreNames()
{
    const auto styles = [](const Json &value) {
        return parseParams({{"styles", value}}, table())->values.get<std::string>("styles");
    };
    QCOMPARE(styles(Json::array({"sea", "a, b"})), std::string("sea\na, b\n"));
    QCOMPARE(styles("sea, oil"), std::string("sea, oil"));
    QCOMPARE(styles(nullptr), std::string());
    QVERIFY(namesField(parseParams({{"styles", Json::array({"sea", 1})}}, table()), "styles"));
}

void ParamsTest::optionsComeInOverrideSettings()
{
    const auto parse = [](const Json &overrides) {
        return parseParams(Json{{"prompt", "x"}, {"s_churn", 2}, {"steps", 7}, {"override_settings", overrides}},
                           table());
    };
    const Expected<ParsedParams> made = parse(
        {{"s_churn", 5.5}, {"randn_source", "NV"}, {"eta_noise_seed_delta", 31337}, {"steps", 9}, {"sd_vae", "x"}});
    QVERIFY(made.has_value());
    QCOMPARE(made->values.get<double>("s_churn"), 5.5);  // the option wins, as in A1111
    QCOMPARE(made->values.get<std::string>("randn_source"), std::string("NV"));
    QCOMPARE(made->values.get<std::int64_t>("eta_noise_seed_delta"), std::int64_t(31337));
    QCOMPARE(made->values.get<std::int64_t>("steps"), std::int64_t(7));  // no option of A1111's
    const Expected<ParsedParams> bad = parse({{"randn_source", "dice"}});
    QVERIFY(!bad && bad.error().subject == "randn_source");
    for (const Json &previews : {Json("Approx NN"), Json(3), Json::array()}) {
        const Json overrides{{"show_progress_type", previews}, {"s_churn", 4}};
        const Expected<ParsedParams> shown = parse(overrides);  // what changes no picture is a note
        QVERIFY(shown && shown->values.get<double>("s_churn") == 4 && shown->notes.size() == 1);
        QCOMPARE(shown->values.get<std::string>("show_progress_type"), std::string("Approx cheap"));
        QVERIFY(shown->notes.front().find("Approx cheap") != std::string::npos);
        QVERIFY(!parseParams({{"override_settings", overrides}}, table(), ParseMode::Strict));
    }
}

void ParamsTest::samplerFields()
{
    const auto parse = [](const Json &body) { return parseParams(body, table()); };
    const auto sampler = [&](const Json &body) { return parse(body)->values.get<std::string>("sampler_name"); };
    const auto schedule = [&](const Json &body) { return parse(body)->values.get<std::string>("scheduler"); };
    QCOMPARE(sampler({{"sampler_name", "DDIM"}, {"sampler_index", "Euler"}}), std::string("DDIM"));
    QCOMPARE(sampler({{"sampler_name", nullptr}, {"sampler_index", "Euler a"}}), std::string("Euler a"));
    QCOMPARE(sampler({{"sampler_name", ""}, {"sampler_index", ""}}), std::string("Euler"));
    QCOMPARE(sampler({{"sampler_name", "Euler Karras"}}), std::string("Euler"));
    QCOMPARE(schedule({{"sampler_name", "Euler Karras"}}), std::string("Karras"));
    QCOMPARE(parse({{"sampler_name", "Nope"}})->notes.size(), std::size_t(1));
    for (const char *key : {"sampler_name", "sampler_index", "scheduler"})
        QVERIFY(namesField(parse({{key, 1}}), key));
    const Expected<ParsedParams> strictSampler = parseField("sampler_name", "Nope");
    QVERIFY(!strictSampler && strictSampler.error().subject == "sampler_name");
    QCOMPARE(strictSampler.error().message, "sampler \"Nope\" is unknown");
    const Expected<ParsedParams> otherCase = parseField("sampler_name", "dpm++ 2m Sde karras");
    QVERIFY(!otherCase);
    QCOMPARE(otherCase.error().message, "sampler \"dpm++ 2m Sde karras\" is unknown; there is \"DPM++ 2M SDE\"");
    const Expected<ParsedParams> strictSchedule = parseField("scheduler", "Nope");
    QVERIFY(!strictSchedule && strictSchedule.error().subject == "scheduler");
}

void ParamsTest::bodyMustBeAnObject()
{
    for (const Json &body : {Json(), Json(1), Json("x"), Json::array()})
        QVERIFY(!parseParams(body, table()));
}

void ParamsTest::pixelsOfATaskAreLimited()
{
    const Expected<ParsedParams> parsed =
        parseParams({{"width", 2048}, {"height", 2048}, {"batch_size", 16}, {"n_iter", 100}}, table());
    QVERIFY(!parsed);
    QCOMPARE(parsed.error().subject, std::string("n_iter"));
    QVERIFY(parsed.error().message.find("6710886400") != std::string::npos);
    QVERIFY(parseParams({{"width", 2048}, {"height", 2048}, {"batch_size", 16}, {"n_iter", 14}}, table()).has_value());
}

void ParamsTest::limitsCapRowsAndDefaults()
{
    const ParamTable small =
        table().limited({.side = 67, .steps = 2, .batchSize = 1, .iterations = 1, .pixelsPerTask = 4096});
    QCOMPARE(small.find("width")->maximum, 64.0);
    for (const ParamSpec &spec : small.specs()) {
        QVERIFY2(checkValue(spec, spec.defaultValue).has_value(), spec.key.c_str());
        QVERIFY2(checkValue(spec, spec.formValue).has_value(), spec.key.c_str());
    }
    QVERIFY(parseParams(Json::object(), small, ParseMode::Strict).has_value());
    QVERIFY(namesField(parseField("width", 72, small), "width"));
    QVERIFY(namesField(parseField("steps", 3, small), "steps"));
    QVERIFY(namesField(parseField("batch_size", 2, small), "batch_size"));
    const ParamTable none =
        table().limited({.side = 0, .steps = 0, .batchSize = 0, .iterations = 0, .pixelsPerTask = 0});
    for (const ParamSpec &spec : none.specs())
        QVERIFY2(checkValue(spec, spec.defaultValue).has_value(), spec.key.c_str());
    QCOMPARE(table().find("width")->maximum, 2048.0);
}

void ParamsTest::aNewRowReachesEverything()
{
    ParamTable more = table();
    more.add({.key = "layer_skip",
              .label = "Token merging ratio",
              .help = "How many layers are left out.",
              .group = ParamGroup::Model,
              .type = ParamType::Integer,
              .defaultValue = std::int64_t(1),
              .formValue = std::int64_t(1),
              .minimum = 1,
              .maximum = 12,
              .unit = {},
              .choices = {},
              .infotextKey = "Token merging ratio"});
    const Expected<ParsedParams> parsed = parseField("layer_skip", 2, more);
    QVERIFY(parsed.has_value());
    QVERIFY(parsed->values.toJson(more)["layer_skip"] == 2);
    QVERIFY(namesField(parseField("layer_skip", 13, more), "layer_skip"));
    QVERIFY(ParamValues::defaults(more).toJson(more)["layer_skip"] == 1);
    QVERIFY(!table().find("layer_skip"));
    QVERIFY(!parseField("layer_skip", 2));
}

void ParamsTest::jsonRoundTrip()
{
    Json body{{"prompt", "\xE6\x98\x9F (x:1.2)"},
              {"steps", 20},
              {"cfg_scale", 5.5},
              {"seed", 9007199254740991},
              {"scheduler", "Karras"},
              {"sampler_name", "Euler a"},
              {"width", 128},
              {"height", 192},
              {"eta", 0.5}};
    const Expected<ParsedParams> parsed = parseParams(body, table(), ParseMode::Strict);
    QVERIFY(parsed.has_value());
    const Json json = parsed->values.toJson(table());
    for (const auto &[key, value] : body.items())
        QVERIFY2(json[key] == value, key.c_str());
    QCOMPARE(json.size(), table().specs().size());
    const Expected<ParsedParams> again = parseParams(*parseJson(dumpJson(json)), table(), ParseMode::Strict);
    QVERIFY(again && again->values == parsed->values);
}

void ParamsTest::eachKindOfTaskHasItsFields()
{
    const ParamTable &text = ParamTable::textToImage();
    const ParamTable &image = ParamTable::imageToImage();
    QVERIFY(!text.find("init_images") && !text.find("mask") && text.find("enable_hr") &&
            text.find("denoising_strength"));
    QVERIFY(image.find("init_images") && image.find("mask") && !image.find("enable_hr") &&
            image.find("denoising_strength"));
    for (const ParamSpec &spec : table().specs()) {
        QVERIFY2(text.find(spec.key) || image.find(spec.key), spec.key.c_str());
        for (const std::string &other : spec.onlyWith)
            QVERIFY2(table().find(other), spec.key.c_str());
        if (spec.infotextValues.empty()) continue;
        const double count = spec.type == ParamType::Flag ? 2 : spec.maximum - spec.minimum + 1;
        QCOMPARE(static_cast<double>(spec.infotextValues.size()), count);
    }
    const Expected<ParsedParams> ignored = parseParams({{"init_images", Json::array({"a.png"})}}, text);
    QVERIFY(ignored && ignored->notes == std::vector<std::string>{"field \"init_images\" was ignored"});
}

QTEST_APPLESS_MAIN(ParamsTest)
#include "params_test.moc"
