#include "core/params/generation_request.h"

#include "core/params/coding_rows.h"
#include "tests/unit/params/parsing.h"

#include <QTest>

#include <set>

using namespace sg;
using namespace sg::test;

class GenerationRequestTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void requestFromValues();
    void seedsAreResolvedOnce();
    void startPicturesAreTheBatch();
    void picturesOfARequest();
    void hiresSizes();
    void hiresRequest();
    void hiresNamesAreThoseOfTheFirstPass();
    void seamlessEdgesAndTiles();
    void loopsCountPicturesAndSeeds();
    void whatDoesNotGoTogether();
};

void GenerationRequestTest::requestFromValues()
{
    const Expected<ParsedParams> parsed = parseParams({{"prompt", "p"},
                                                       {"negative_prompt", "n"},
                                                       {"stable_diffusion_model", "m"},
                                                       {"steps", 3},
                                                       {"cfg_scale", 2},
                                                       {"width", 64},
                                                       {"height", 128},
                                                       {"seed", 1},
                                                       {"subseed", 2},
                                                       {"subseed_strength", 0.5},
                                                       {"batch_size", 2},
                                                       {"n_iter", 3},
                                                       {"eta", 0.25},
                                                       {"sampler_name", "Euler a"},
                                                       {"scheduler", "Exponential"}},
                                                      table());
    QVERIFY(parsed.has_value());
    const GenerationRequest request = GenerationRequest::from(parsed->values);
    QCOMPARE(request.prompt + request.negativePrompt + request.model, std::string("pnm"));
    QCOMPARE(request.sampler, std::string("Euler a"));
    QCOMPARE(request.schedule, std::string("exponential"));
    QCOMPARE(request.steps, std::int64_t(3));
    QCOMPARE(request.cfgScale, 2.0);
    QCOMPARE(request.width, std::int64_t(64));
    QCOMPARE(request.height, std::int64_t(128));
    QCOMPARE(request.seed, std::int64_t(1));
    QCOMPARE(request.subseed, std::int64_t(2));
    QCOMPARE(request.subseedStrength, 0.5);
    QCOMPARE(request.imageCount(), std::int64_t(6));
    QCOMPARE(request.eta, 0.25);
}

void GenerationRequestTest::seedsAreResolvedOnce()
{
    std::set<std::int64_t> seeds;
    for (int i = 0; i < 100; ++i) {
        ParamValues values = ParamValues::defaults(table());
        values.set("subseed", std::int64_t(77));
        resolveSeeds(values);
        const auto seed = values.get<std::int64_t>("seed");
        QVERIFY(seed >= 0 && seed <= 4294967293);
        QCOMPARE(values.get<std::int64_t>("subseed"), std::int64_t(77));
        ParamValues again = values;
        resolveSeeds(again);
        QVERIFY(again == values);
        seeds.insert(seed);
    }
    QVERIFY(seeds.size() > 95);
}

void GenerationRequestTest::startPicturesAreTheBatch()
{
    const Json two = Json::array({"a.png", "b.png"});
    const Expected<ParsedParams> parsed = parseParams({{"init_images", two}}, table());
    QVERIFY(parsed && parsed->values.get<std::int64_t>("batch_size") == 2 && parsed->notes.size() == 1);
    const Expected<ParsedParams> fewer = parseParams({{"init_images", two}, {"batch_size", 3}}, table());
    QVERIFY(fewer && fewer->values.get<std::int64_t>("batch_size") == 2);
    const ParamTable small = table().limited({.batchSize = 1});
    QVERIFY(namesField(parseParams({{"init_images", two}}, small), "init_images"));
    QVERIFY(namesField(parseParams({{"init_images", Json::array({"a", 5})}}, table()), "init_images"));
    QVERIFY(namesField(parseParams({{"init_images", "a.png"}}, table()), "init_images"));
    QVERIFY(namesField(parseParams({{"mask", two}}, table()), "mask"));
    QVERIFY(namesField(parseParams({{"init_images", std::vector<std::string>(17, "x")}}, table()), "init_images"));
    const Json json = parsed->values.toJson(table());
    QVERIFY(json["init_images"] == two && json["mask"] == "");
}

void GenerationRequestTest::picturesOfARequest()
{
    const auto request = [](const Json &body) { return GenerationRequest::from(parseParams(body, table())->values); };
    const GenerationRequest plain =
        request({{"inpainting_mask_invert", true}, {"inpainting_fill", 2}, {"mask_blur", 9}});
    QVERIFY(plain.start.maskInvert && plain.start.maskedContent == MaskedContent::LatentNoise && !plain.start.used());
    QCOMPARE(plain.start.maskBlurX, 9.0);
    QCOMPARE(request({{"mask_blur", 9}, {"mask_blur_y", 2}}).start.maskBlurY, 2.0);
    // A table of one kind of task is enough.
    const GenerationRequest text = GenerationRequest::from(ParamValues::defaults(ParamTable::textToImage()));
    QVERIFY(!text.start.used() && !text.hires.enabled && text.denoisingStrength == 0.75);
}

void GenerationRequestTest::hiresSizes()
{
    struct Case {
        std::int64_t width, height;
        double scale;
        std::int64_t x, y, upWidth, upHeight, drawnWidth, drawnHeight;
    };
    // The arithmetic of A1111's calculate_target_resolution, worked out by hand.
    for (const Case &c :
         {Case{512, 512, 2, 0, 0, 1024, 1024, 1024, 1024}, Case{512, 512, 1.3, 0, 0, 665, 665, 664, 664},
          Case{512, 768, 2, 1024, 0, 1024, 1536, 1024, 1536}, Case{512, 768, 2, 0, 1024, 682, 1024, 680, 1024},
          Case{512, 512, 2, 1024, 768, 1024, 1024, 1024, 768}, Case{512, 512, 2, 768, 1024, 1024, 1024, 768, 1024},
          Case{512, 640, 2, 1024, 1024, 1024, 1280, 1024, 1024}}) {
        const HiresSize size = HiresSize::of(c.width, c.height, c.scale, c.x, c.y);
        QCOMPARE(size.upWidth, c.upWidth);
        QCOMPARE(size.upHeight, c.upHeight);
        QCOMPARE(size.width, c.drawnWidth);
        QCOMPARE(size.height, c.drawnHeight);
    }
}

void GenerationRequestTest::hiresRequest()
{
    const Json body{{"prompt", "p"}, {"sampler_name", "DDIM"}, {"steps", 5}, {"enable_hr", true}};
    const auto with = [&](const Json &more) {
        Json all = body;
        all.update(more);
        return parseParams(all, table());
    };
    const HiresPass same = GenerationRequest::from(with(Json::object())->values).hires;
    QVERIFY(same.enabled && same.steps == 5 && same.sampler == "DDIM" && same.prompt == "p" &&
            same.schedule == "automatic");
    QCOMPARE(same.size.width, std::int64_t(1024));
    const HiresPass own = GenerationRequest::from(with({{"hr_sampler_name", "Euler"},
                                                        {"hr_scheduler", "Karras"},
                                                        {"hr_prompt", "q"},
                                                        {"hr_second_pass_steps", 3}})
                                                      ->values)
                              .hires;
    QVERIFY(own.steps == 3 && own.sampler == "Euler" && own.schedule == "karras" && own.prompt == "q");
    const Expected<ParsedParams> tooLarge = with({{"hr_scale", 4.0}, {"width", 1024}});
    QVERIFY(!tooLarge && tooLarge.error().subject == "hr_scale");
    const Expected<ParsedParams> noSide = with({{"hr_resize_x", 8}, {"width", 2048}, {"height", 8}});
    QVERIFY(!noSide && noSide.error().subject == "hr_resize_x");
    // A small picture may be cut out of one that nobody could hold.
    const Expected<ParsedParams> strip =
        with({{"hr_resize_x", 64}, {"hr_resize_y", 2048}, {"width", 2048}, {"height", 8}});
    QVERIFY(!strip && strip.error().subject == "hr_resize_x" && strip.error().code == ErrorCode::InvalidArgument);
}

void GenerationRequestTest::hiresNamesAreThoseOfTheFirstPass()
{
    const auto hires = [](const Json &fields) {
        return GenerationRequest::from(parseParams(fields, table(), ParseMode::Strict)->values).hires;
    };
    const HiresPass together = hires({{"enable_hr", true}, {"hr_sampler_name", "DPM++ 2M SDE Karras"}});
    QVERIFY(together.sampler == "DPM++ 2M SDE" && together.schedule == "karras");
    const HiresPass named = hires({{"enable_hr", true}, {"sampler_name", "Heun"}, {"hr_scheduler", "karras"}});
    QVERIFY(named.sampler == "Heun" && named.schedule == "karras");
    for (const char *key : {"hr_sampler_name", "hr_scheduler"}) {
        const Expected<ParsedParams> strict = parseField(key, "wobbly");
        QVERIFY2(!strict && strict.error().subject == key, key);
        const Expected<ParsedParams> lenient = parseField(key, "wobbly", table(), ParseMode::Lenient);
        QVERIFY2(lenient && lenient->notes.size() == 1, key);
        QVERIFY2(parseField(key, 5).error().subject == key, key);
    }
}

void GenerationRequestTest::seamlessEdgesAndTiles()
{
    const auto coding = [](const Json &body) {
        return GenerationRequest::from(parseParams(body, table())->values).coding;
    };
    const CodingSettings plain = coding(Json::object());
    QVERIFY(!plain.wrapsAcross && !plain.wrapsDown && plain.tiling == "Auto" && plain.tileSize == 512);
    QVERIFY(!coding({{"tiling_axis", "Down"}}).wrapsDown);  // means nothing alone
    for (const auto &[axis, across, down] :
         {std::tuple("Both", true, true), {"Across", true, false}, {"Down", false, true}}) {
        const CodingSettings made = coding({{"tiling", true}, {"tiling_axis", axis}});
        QVERIFY2(made.wrapsAcross == across && made.wrapsDown == down, axis);
    }
    const CodingSettings set =
        coding({{"override_settings",
                 {{"tiling", true}, {"vae_tiling", "On"}, {"vae_tile_size", 256}, {"show_progress_type", "TAESD"}}}});
    QVERIFY(set.wrapsAcross && set.tiling == "On" && set.tileSize == 256 && set.previews == kPreviewTiny);
    for (const auto &[key, value] : {std::pair("tiling", Json(2)),
                                     {"tiling_axis", "X"},
                                     {"vae_tile_size", 100},
                                     {"vae_tile_size", 64},
                                     {"ESRGAN_tile", 100},
                                     {"ESRGAN_tile", 528},
                                     {"ESRGAN_tile_overlap", 49}})
        QCOMPARE(parseField(key, value).error().subject, std::string(key));
    const auto upscaling = [&](std::int64_t tile, std::int64_t overlap) {
        return parseParams({{"override_settings", {{"ESRGAN_tile", tile}, {"ESRGAN_tile_overlap", overlap}}}}, table());
    };
    QVERIFY(plain.upscalerTile == 192 && plain.upscalerOverlap == 8);
    for (const auto &[tile, overlap] : {std::pair<std::int64_t, std::int64_t>(32, 31), {0, 48}, {512, 0}}) {
        const CodingSettings made = GenerationRequest::from(upscaling(tile, overlap)->values).coding;
        QVERIFY(made.upscalerTile == tile && made.upscalerOverlap == overlap);
    }
    QCOMPARE(upscaling(32, 32).error().subject, "ESRGAN_tile_overlap");
    for (const ParamSpec &spec : table().specs())
        QCOMPARE(isDecodingRow(spec.key),
                 spec.key == "sd_vae" || spec.key.starts_with("vae_") || spec.key == "show_progress_type");
}

void GenerationRequestTest::loopsCountPicturesAndSeeds()
{
    const auto with = [](const Json &fields) { return GenerationRequest::from(parseParams(fields, table())->values); };
    const GenerationRequest once =
        with({{"loopback_loops", 4}, {"seed", 10}, {"subseed", 5}, {"subseed_strength", 0.5}});
    QVERIFY(once.imageCount() == 4 && once.imageSeed(3) == 13 && once.imageSubseed(3) == 5 && once.imageLoop(3) == 3);
    const GenerationRequest twice = with({{"loopback_loops", 4}, {"n_iter", 2}, {"seed", 10}, {"batch_size", 3}});
    QVERIFY(twice.batchSize == 1 && twice.imageCount() == 2 && twice.imageSeed(0) == 13 && twice.imageSeed(1) == 17 &&
            twice.imageLoop(0) == 3);
    Loopback loopback{.loops = 5, .finalStrength = 0.2};
    QCOMPARE(loopback.strengthOf(0, 0.8), 0.8);
    QCOMPARE(loopback.strengthOf(4, 0.8), 0.2);
    QCOMPARE(loopback.strengthOf(2, 0.8), 0.5);
    loopback.curve = "Aggressive";
    QVERIFY(std::abs(loopback.strengthOf(2, 0.8) - (0.8 - 0.6 * std::sqrt(0.5))) < 1e-12);
    loopback.curve = "Lazy";
    QVERIFY(std::abs(loopback.strengthOf(2, 0.8) - (0.8 - 0.6 * (1 - std::sqrt(0.5)))) < 1e-12);
    loopback.loops = 1;
    QCOMPARE(loopback.strengthOf(0, 0.8), 0.8);
}

void GenerationRequestTest::whatDoesNotGoTogether()
{
    const Json start = Json::array({"a.png"});
    struct Case {
        Json fields;
        const char *subject;
    };
    for (const Case &c :
         {Case{{{"init_images", {"a.png", "b.png"}}, {"loopback_loops", 2}}, "init_images"},
          Case{{{"init_images", start}, {"loopback_loops", 2}, {"outpaint_up", 8}}, "loopback_loops"},
          Case{{{"init_images", start}, {"mask", "m.png"}, {"outpaint_left", 8}}, "mask"},
          Case{{{"loopback_loops", 32}, {"width", 2048}, {"height", 2048}, {"n_iter", 10}}, "loopback_loops"},
          Case{{{"batch_size", 16}, {"width", 2048}, {"height", 2048}, {"n_iter", 100}}, "n_iter"}}) {
        const Expected<ParsedParams> parsed = parseParams(c.fields, table());
        QVERIFY2(!parsed && parsed.error().subject == c.subject, c.subject);
    }
}

QTEST_GUILESS_MAIN(GenerationRequestTest)
#include "generation_request_test.moc"
