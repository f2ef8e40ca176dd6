#include "core/text/extra_networks.h"
#include "core/text/prompt.h"
#include "core/text/prompt_chunks.h"
#include "core/text/prompt_plan.h"
#include "core/text/prompt_styles.h"
#include "core/text/prompt_template.h"
#include "core/text/wildcard_folder.h"

#include <QTemporaryDir>
#include <QTest>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

using namespace sg;

namespace {

void write(const std::filesystem::path &file, const std::string &text)
{
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
}

std::map<std::string, int> outcomes(const std::string &text, int seeds, WildcardSource *wildcards = nullptr)
{
    std::map<std::string, int> counts;
    for (int seed = 0; seed < seeds; ++seed)
        ++counts[resolvePrompt(text, static_cast<std::uint64_t>(seed), wildcards).value()];
    return counts;
}

std::set<std::string> results(const std::string &text, WildcardSource *wildcards = nullptr)
{
    std::set<std::string> texts;
    for (const auto &[made, count] : outcomes(text, 200, wildcards))
        texts.insert(made);
    return texts;
}

}  // namespace

class PromptPlanTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void callsFindTheirText();
    void oldTimelines();
    void partsAndTags();
    void tagsWithWrongNumbersAreRefused();
    void limitsAreNamed();
    void emphasisModes();
    void commaBacktrack();
    void counterTakesTheLongest();
    void variants();
    void variantsWeigh();
    void variantsAreTheSeeds();
    void variantsEnd();
    void wildcards();
    void wildcardsStayInTheirFolder();
    void styles();
    void brokenStyles();
};

void PromptPlanTest::callsFindTheirText()
{
    const PromptSchedule schedule = schedulePrompt("[a:b:0.5]", {.steps = 20}).value();
    // A1111's counter begins at 0 and the entry includes its step: the eleventh call still draws "a".
    QCOMPARE(schedule.texts[schedule.textAt(10)], std::string("a"));
    QCOMPARE(schedule.texts[schedule.textAt(11)], std::string("b"));
    QCOMPARE(schedule.texts[schedule.textAt(20)], std::string("b"));
    QCOMPARE(schedule.texts[schedule.textAt(21)], std::string("a"));  // behind the end: the first again
    const PromptSchedule cycle = schedulePrompt("[x|y]", {.steps = 4}).value();
    std::string made;
    for (int call = 0; call < 5; ++call)
        made += cycle.texts[cycle.textAt(call)];
    QCOMPARE(made, std::string("xxyxy"));
    QCOMPARE(cycle.texts.size(), std::size_t(2));
}

/// A1111's before 1.6: below 1 a share, with or without a dot, else a step; hires fix's pass is read as the first.
void PromptPlanTest::oldTimelines()
{
    const auto until = [](const char *prompt, const ScheduleSteps &steps) {
        return schedulePrompt(prompt, steps).value().entries.front().until;
    };
    const ScheduleSteps now{.steps = 20}, old{.steps = 20, .oldTimelines = true};
    QCOMPARE(until("[a:b:0.25]", now), until("[a:b:0.25]", old));
    QCOMPARE(until("[a:b:5]", now), until("[a:b:5]", old));
    QCOMPARE(until("[a:b:5.0]", old), until("[a:b:5]", old));
    QCOMPARE(until("[a:b:5.0]", now), std::int64_t(20));  // five times all steps
    const ScheduleSteps second{.steps = 20, .hiresSteps = 8},
        oldSecond{.steps = 20, .hiresSteps = 8, .oldTimelines = true};
    QCOMPARE(until("[a:b:1.5]", second), std::int64_t(4));
    QCOMPARE(until("[a:b:0.5]", oldSecond), std::int64_t(10));
    QCOMPARE(until("[a:b:7]", oldSecond), std::int64_t(7));
}

void PromptPlanTest::partsAndTags()
{
    const PromptPlan plan =
        planPrompt("a <lora:one:0.5> AND b:0.3 <lyco:two:1:te=0.2:dyn=4><hypernet:h>", {.steps = 5}).value();
    QCOMPARE(plan.parts.size(), std::size_t(2));
    QCOMPARE(plan.parts[1].weight, 0.3);
    QCOMPARE(plan.parts[0].schedule.texts, std::vector<std::string>{"a"});
    QCOMPARE(plan.networks.size(), std::size_t(3));
    const std::vector<LoraTag> tags = loraTags(plan.networks).value();
    const std::vector<LoraTag> expected{{"one", 0.5, 0.5, std::nullopt}, {"two", 0.2, 0.2, 4}};
    QVERIFY(tags == expected);
    const std::vector<LoraTag> split = loraTags(takeExtraNetworks("<lora:x:0.4:0.9>").networks).value();
    QVERIFY(split == (std::vector<LoraTag>{{"x", 0.4, 0.9, std::nullopt}}));
    // In a negative prompt a tag is text, and AND a word.
    const PromptPlan negative = planNegativePrompt("x <lora:a:1> AND y", {.steps = 5}).value();
    QCOMPARE(negative.parts[0].schedule.texts, std::vector<std::string>{"x <lora:a:1> AND y"});
    QVERIFY(negative.networks.empty());
}

void PromptPlanTest::tagsWithWrongNumbersAreRefused()
{
    for (const char *tag : {"x <lora:a:much>", "x <lora:a:te=nan>", "x <lora:a:1:1:1.5>", "x <lora:a:1:1:-2>",
                            "x <lora::1>", "x <lora:a:1e999>"}) {
        const auto tags = loraTags(takeExtraNetworks(tag).networks);
        QVERIFY2(!tags, tag);
        QCOMPARE(tags.error().subject, std::string("prompt"));
        QVERIFY2(tags.error().message.find("at character 3") != std::string::npos, tags.error().message.c_str());
    }
}

void PromptPlanTest::limitsAreNamed()
{
    QVERIFY(schedulePrompt(std::string(64, '[') + "x", {.steps = 5}).has_value());
    const auto deep = schedulePrompt("\xC3\xA9" + std::string(65, '['), {.steps = 5});
    QCOMPARE(deep.error().message, std::string("more than 64 brackets are open at once at character 66"));
    const auto second = planPrompt("a AND " + std::string(65, '('), {.steps = 5});
    QVERIFY(second.error().message.ends_with("of part 2"));
    std::string many = "a";
    for (int i = 0; i < 64; ++i)
        many += " AND b";
    QCOMPARE(planPrompt(many, {.steps = 5}).error().code, ErrorCode::TooLarge);
    QCOMPARE(planPrompt("a:1" + std::string(60, '0'), {.steps = 5}).error().code, ErrorCode::InvalidArgument);
    // 150 different texts of 60 KiB each would be kept.
    std::string cycles;
    for (const int count : {2, 3, 5, 7}) {
        cycles += '[';
        for (int i = 0; i < count; ++i)
            cycles += std::string(i > 0 ? "|" : "") + std::to_string(i);
        cycles += ']';
    }
    const auto large = schedulePrompt(cycles + std::string(60 * 1024, 'x'), {.steps = 150});
    QVERIFY(!large);
    QCOMPARE(large.error().code, ErrorCode::TooLarge);
    QCOMPARE(planNegativePrompt(std::string(65, '['), {.steps = 5}).error().subject, std::string("negative_prompt"));
}

void PromptPlanTest::emphasisModes()
{
    const auto weights = [](Emphasis mode) {
        const PromptChunks chunks = chunkPrompt("(cat:1.5)", {.emphasis = mode}).value();
        return std::pair(chunks.tokenCount, chunks.chunks[0].weights[1]);
    };
    QCOMPARE(weights(Emphasis::Original), std::pair(std::int64_t(1), 1.5F));
    QCOMPARE(weights(Emphasis::NoNorm), std::pair(std::int64_t(1), 1.5F));
    QCOMPARE(weights(Emphasis::Ignore), std::pair(std::int64_t(1), 1.0F));
    QVERIFY(weights(Emphasis::None).first > 4);
    QCOMPARE(chunkPrompt("a BREAK b", {.emphasis = Emphasis::Ignore})->chunks.size(), std::size_t(2));
    QCOMPARE(chunkPrompt("a BREAK b", {.emphasis = Emphasis::None})->chunks.size(), std::size_t(1));
    QCOMPARE(emphasisFromName("No norm"), Emphasis::NoNorm);
}

void PromptPlanTest::commaBacktrack()
{
    std::string prompt;
    for (int i = 0; i < 70; ++i)
        prompt += "cat ";
    prompt += ", ";
    for (int i = 0; i < 10; ++i)
        prompt += "cat ";
    const auto inFirst = [&](std::size_t backtrack) {
        const PromptChunks chunks = chunkPrompt(prompt, {.commaBacktrack = backtrack}).value();
        std::size_t count = 0;
        while (count < kChunkTokens && chunks.chunks[0].tokens[count + 1] != chunks.chunks[1].tokens[kChunkLength - 1])
            ++count;
        return count;
    };
    QCOMPARE(inFirst(20), std::size_t(71));
    QCOMPARE(inFirst(5), std::size_t(71));
    QCOMPARE(inFirst(4), std::size_t(75));
    QCOMPARE(inFirst(0), std::size_t(75));
}

void PromptPlanTest::counterTakesTheLongest()
{
    QCOMPARE(countTokens("cat AND cat cat cat:0.5").value(), std::int64_t(3));
    QCOMPARE(countTokens("cat [cat:cat cat:0.5]").value(), std::int64_t(3));
    QCOMPARE(countTokens("cat <lora:x:1> # cat cat cat").value(), std::int64_t(1));
    QCOMPARE(countTokens("{cat|cat|cat}").value(), std::int64_t(1));
    QCOMPARE(countTokens("__cat__").value(), std::int64_t(1));
}

void PromptPlanTest::variants()
{
    using Texts = std::set<std::string>;
    QCOMPARE(results("a {b|c|d}"), (Texts{"a b", "a c", "a d"}));
    QCOMPARE(results("{2$$a|b|c}"), (Texts{"a,b", "b,a", "a,c", "c,a", "b,c", "c,b"}));
    QCOMPARE(results("{2$$ and $$a|b}"), (Texts{"a and b", "b and a"}));
    QCOMPARE(results("{1-2$$a|b}"), (Texts{"a", "b", "a,b", "b,a"}));
    QCOMPARE(results("{-1$$a|b}"), (Texts{"a", "b"}));
    QCOMPARE(results("{2-$$a|b}"), (Texts{"a,b", "b,a"}));
    QCOMPARE(results("{0$$a|b}"), Texts{""});
    QCOMPARE(results("{9$$a|b}"), (Texts{"a,b", "b,a"}));
    QCOMPARE(results("x {a|{b|c}} y"), (Texts{"x a y", "x b y", "x c y"}));
    QCOMPARE(results("{|a}"), (Texts{"", "a"}));
    QCOMPARE(results("[x:{a|b}:0.5]"), (Texts{"[x:a:0.5]", "[x:b:0.5]"}));
    QCOMPARE(results("\\{a|b\\} } {c"), Texts{"\\{a|b\\} } {c"});
    QCOMPARE(results("a\n# {b|c}\n(d:1.2)"), Texts{"a\n(d:1.2)"});
    QVERIFY(hasVariants("{a}") && hasVariants("__a__") && !hasVariants("a_b __ {c # {d}") && !hasVariants("\\{a}"));
}

void PromptPlanTest::variantsWeigh()
{
    const std::map<std::string, int> counts = outcomes("{3::a|b|0::c}", 4000);
    QCOMPARE(counts.size(), std::size_t(2));
    QVERIFY2(std::abs(counts.at("a") - 3000) < 150, std::to_string(counts.at("a")).c_str());
    const auto nothing = resolvePrompt("x {0::a|0::b}", 1, nullptr);
    QCOMPARE(nothing.error().message, std::string("the weights of the options have no usable sum at character 3"));
}

void PromptPlanTest::variantsAreTheSeeds()
{
    // Held fast: a picture's infotext gives the seed, and the seed must give the prompt in years to come.
    std::string made;
    for (std::uint64_t seed = 0; seed < 8; ++seed)
        made += resolvePrompt("{a|b|c|d|e|f|g|h}", seed, nullptr).value();
    QCOMPARE(made, std::string("heeaddfd"));
}

void PromptPlanTest::variantsEnd()
{
    std::string nested = "x";
    for (int i = 0; i < 70; ++i)
        nested = "{" + nested + "}";
    QVERIFY(resolvePrompt(nested, 1, nullptr).error().message.find("64") != std::string::npos);
    std::string options = "{2000$$";
    for (int i = 0; i < 20'000; ++i)
        options += "|a";
    QCOMPARE(resolvePrompt(options + "}", 1, nullptr).error().code, ErrorCode::TooLarge);
    QCOMPARE(resolvePrompt(std::string(64 * 1024 + 1, 'x'), 1, nullptr).error().code, ErrorCode::TooLarge);
    QCOMPARE(resolvePrompt("\xff", 1, nullptr).error().code, ErrorCode::InvalidArgument);
}

void PromptPlanTest::wildcards()
{
    const QTemporaryDir folder;
    const std::filesystem::path root = folder.path().toStdString();
    write(root / "colour.txt", "\xEF\xBB\xBFred\r\n# no colour\n\n  blue  \n");
    write(root / "animals/wild.txt", "{big|small} bear\n__colour__ fox");
    write(root / "animals/tame.txt", "2::cat");
    write(root / "loop.txt", "__loop__");
    write(root / "double.txt", "__double__ __double__");
    write(root / "latin.txt", "caf\xE9");
    WildcardFolder source(root);
    using Texts = std::set<std::string>;
    QCOMPARE(results("a __colour__ sky", &source), (Texts{"a red sky", "a blue sky"}));
    QCOMPARE(results("__animals/wild__", &source), (Texts{"big bear", "small bear", "red fox", "blue fox"}));
    QCOMPARE(results("__animals/*__", &source), (Texts{"big bear", "small bear", "red fox", "blue fox", "cat"}));
    QCOMPARE(results("{__colour__|x}", &source), (Texts{"red", "blue", "x"}));
    QCOMPARE(results("snake_case __ not__a wildcard", &source), Texts{"snake_case __ not__a wildcard"});
    QCOMPARE(results("<lora:a__b__c:0.5>", &source), Texts{"<lora:a__b__c:0.5>"});
    for (const char *bad : {"__loop__", "__double__", "__nothing__", "__latin__", "__no*thing__"}) {
        const auto made = resolvePrompt(bad, 3, &source);
        QVERIFY2(!made, bad);
        QCOMPARE(made.error().subject, std::string("prompt"));
    }
    const auto message = [&](const char *prompt) { return resolvePrompt(prompt, 3, &source).error().message; };
    // By the name that users know, never by a path.
    const std::string where = " in the data folder's wildcards (or the folder of --wildcards)";
    QCOMPARE(message("a __a/nothing__"),
             "the wildcard __a/nothing__ at character 3: there is no file a/nothing.txt" + where);
    QCOMPARE(message("__no*thing__"),
             "the wildcard __no*thing__ at character 1: there is no file like no*thing.txt" + where);
    for (const char *bad : {"__nothing__", "__latin__", "__no*thing__"})
        QVERIFY(message(bad).find(root.string()) == std::string::npos);
    QCOMPARE(resolvePrompt("__colour__", 3, nullptr).error().code, ErrorCode::NotFound);
}

void PromptPlanTest::wildcardsStayInTheirFolder()
{
    const QTemporaryDir folder;
    const std::filesystem::path root = folder.path().toStdString();
    write(root / "outside.txt", "secret");
    write(root / "inside/a.txt", "x");
    WildcardFolder source(root / "inside");
    QVERIFY(source.lines("a").has_value());
    for (const char *name : {"../outside", "/etc/passwd", ".hidden", "a/../../outside", "a//b", "", "../out*"})
        QVERIFY2(!source.lines(name), name);
}

void PromptPlanTest::styles()
{
    const auto made = parseStyles(
        "\xEF\xBB\xBFname,prompt,negative_prompt\r\nsea,\"{prompt}, \"\"big\"\" sea\nblue\",dry\r\n,x,y\nland,hills\n");
    const std::vector<PromptStyle> expected{{"sea", "{prompt}, \"big\" sea\nblue", "dry"}, {"land", "hills", ""}};
    QVERIFY(made.value() == expected);
    QCOMPARE(parseStyles("text,name\na,b\n")->front().prompt, std::string("a"));
    QCOMPARE(withStyle("a {prompt} b {prompt}", "x").value(), std::string("a x b x"));
    QCOMPARE(withStyle(" oil ", " x ").value(), std::string("x, oil"));
    QCOMPARE(withStyle("", "x").value(), std::string("x"));
    QCOMPARE(withStyle("oil", "").value(), std::string("oil"));
    QCOMPARE(styleNames(" a, b ,,c"), (std::vector<std::string>{"a", "b", "c"}));
    QCOMPARE(styleNames("a, b\nc"), (std::vector<std::string>{"a, b", "c"}));
}

void PromptPlanTest::brokenStyles()
{
    QCOMPARE(parseStyles("").error().code, ErrorCode::UnusableFile);
    QCOMPARE(parseStyles("name,negative_prompt\n").error().code, ErrorCode::UnusableFile);
    QVERIFY(parseStyles("name,prompt\n\"a\nb").error().message.find("line 2") != std::string::npos);
    QCOMPARE(parseStyles("name,prompt" + std::string(100, ',')).error().code, ErrorCode::UnusableFile);
    std::string many;
    for (int i = 0; i < 1000; ++i)
        many += "{prompt}";
    QCOMPARE(withStyle(many, std::string(1000, 'x')).error().code, ErrorCode::TooLarge);
}

QTEST_APPLESS_MAIN(PromptPlanTest)
#include "prompt_plan_test.moc"
