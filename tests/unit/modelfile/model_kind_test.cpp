#include "core/modelfile/model_file.h"
#include "core/modelfile/model_kind.h"
#include "core/modelfile/safetensors.h"
#include "core/modelfile/upscaler_file.h"

#include <QTemporaryDir>
#include <QTest>

#include <fstream>

using namespace sg;

namespace {

using Shape = std::vector<std::int64_t>;

TensorIndex indexOf(const std::vector<std::pair<std::string, Shape>> &tensors, TensorIndex::Metadata metadata = {})
{
    TensorIndex::Tensors made;
    for (const auto &[name, shape] : tensors)
        made.emplace(name, TensorInfo{DType::F16, shape, 0, 0});
    return TensorIndex({}, 0, std::move(metadata), std::move(made));
}

const std::string kUnet = "model.diffusion_model.";
const std::string kToK = kUnet + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight";

void row(const char *name, const TensorIndex &index, const char *kind, const char *family)
{
    QTest::newRow(name) << index << QString::fromUtf8(kind) << QString::fromUtf8(family);
}

void checkpointRows()
{
    const std::pair<std::string, Shape> input{kUnet + "input_blocks.0.0.weight", {320, 4, 3, 3}};
    row("SD 1",
        indexOf({input,
                 {kToK, {320, 768}},
                 {"cond_stage_model.transformer.text_model.final_layer_norm.weight", {768}},
                 {"first_stage_model.decoder.conv_in.weight", {512, 4, 3, 3}}}),
        "checkpoint", "sd1");
    row("SD 1 without text encoder", indexOf({input, {kToK, {320, 768}}}), "checkpoint", "sd1");
    row("SD 2", indexOf({input, {kToK, {320, 1024}}, {"cond_stage_model.model.ln_final.weight", {1024}}}), "checkpoint",
        "sd2");
    row("SDXL",
        indexOf({input,
                 {kToK, {640, 2048}},
                 {"conditioner.embedders.0.transformer.text_model.final_layer_norm.weight", {768}}}),
        "checkpoint", "sdxl");
    row("tiny, told by metadata",
        indexOf({input, {kToK, {64, 64}}}, {{"modelspec.architecture", "stable-diffusion-v1"}}), "checkpoint", "sd1");
    row("tiny, nothing told", indexOf({input, {kToK, {64, 64}}}), "checkpoint", "unknown");
    row("SD 3", indexOf({{kUnet + "joint_blocks.0.x_block.attn.qkv.weight", {4608, 1536}}}), "checkpoint", "other");
    row("Flux", indexOf({{"double_blocks.0.img_attn.qkv.weight", {9216, 3072}}}), "checkpoint", "other");
}

void variantRow(const char *name, const TensorIndex &index, const char *variant, const char *refusal = "")
{
    QTest::newRow(name) << index << QString::fromUtf8(variant) << QString::fromUtf8(refusal);
}

void loraRows()
{
    row("kohya LoRA",
        indexOf({{"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight", {8, 768}},
                 {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight", {320, 8}},
                 {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.alpha", {}}}),
        "lora", "sd1");
    row("kohya LoRA for SDXL", indexOf({{"lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_up.weight", {3072, 8}}}),
        "lora", "sdxl");
    row("LoRA, told by metadata",
        indexOf({{"lora_unet_mid.lora_up.weight", {8, 8}}}, {{"ss_base_model_version", "sd_v2"}}), "lora", "sd2");
    row("LoRA for SDXL, told by metadata",
        indexOf({{"lora_unet_mid.lora_up.weight", {8, 8}}}, {{"ss_base_model_version", "sdxl_base_v1-0"}}), "lora",
        "sdxl");
    row("PEFT LoRA",
        indexOf({{"unet.down_blocks.0.attn2.to_k.lora_A.weight", {4, 1024}},
                 {"unet.down_blocks.0.attn2.to_k.lora_B.weight", {320, 4}}}),
        "lora", "sd2");
    row("Flux LoRA", indexOf({{"lora_unet_double_blocks_0_img_attn_proj.lora_up.weight", {8, 8}}}), "lora", "other");
    row("LoHa", indexOf({{"lora_unet_x.hada_w1_a", {8, 8}}}), "lora", "unknown");
    row("LoKr", indexOf({{"lora_unet_x.lokr_w1_a", {8, 8}}}), "lora", "unknown");
}

void otherRows()
{
    row("VAE", indexOf({{"first_stage_model.decoder.conv_in.weight", {512, 4, 3, 3}}}), "vae", "unknown");
    row("bare VAE", indexOf({{"encoder.conv_in.weight", {128, 3, 3, 3}}, {"decoder.conv_in.weight", {512, 4, 3, 3}}}),
        "vae", "unknown");
    row("VAE of 16 channels", indexOf({{"decoder.conv_in.weight", {512, 16, 3, 3}}}), "vae", "other");
    row("embedding", indexOf({{"emb_params", {4, 768}}}), "embedding", "sd1");
    row("embedding of another name", indexOf({{"<my-cat>", {1, 768}}}), "embedding", "sd1");
    row("embedding for SDXL", indexOf({{"clip_l", {2, 768}}, {"clip_g", {2, 1280}}}), "embedding", "sdxl");
    row("embedding of diffusers", indexOf({{"<my-cat>", {1024}}}), "embedding", "sd2");
    row("embedding for SDXL, two encoders", indexOf({{"text_encoders_0", {2, 768}}, {"text_encoders_1", {2, 1280}}}),
        "embedding", "sdxl");
    row("ViT-H alone", indexOf({{"cond_stage_model.model.transformer.resblocks.0.ln_1.weight", {1024}}}), "textEncoder",
        "unknown");
    row("ControlNet",
        indexOf({{"control_model.input_hint_block.0.weight", {16, 3, 3, 3}},
                 {"control_model.zero_convs.0.0.weight", {320, 320, 1, 1}}}),
        "controlNet", "unknown");
    row("ControlNet of diffusers",
        indexOf({{"controlnet_cond_embedding.conv_in.weight", {16, 3, 3, 3}},
                 {"down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", {320, 768}}}),
        "controlNet", "sd1");
    row("ESRGAN", indexOf({{"model.1.sub.0.RDB1.conv1.0.weight", {32, 64, 3, 3}}}), "upscaler", "unknown");
    row("Real-ESRGAN", indexOf({{"conv_first.weight", {64, 3, 3, 3}}, {"body.0.rdb1.conv1.weight", {32, 64, 3, 3}}}),
        "upscaler", "unknown");
    row("compact upscaler", indexOf({{"body.0.weight", {64, 3, 3, 3}}, {"body.1.weight", {64}}}), "upscaler",
        "unknown");
    row("TAESD of diffusers",
        indexOf({{"decoder.layers.0.weight", {64, 4, 3, 3}}, {"decoder.layers.2.conv.0.weight", {64, 64, 3, 3}}}),
        "taesd", "unknown");
    row("TAESD encoder of diffusers",
        indexOf({{"encoder.layers.0.weight", {64, 3, 3, 3}}, {"encoder.layers.1.conv.0.weight", {64, 64, 3, 3}}}),
        "taesd", "unknown");
    row("TAESD decoder", indexOf({{"1.weight", {64, 4, 3, 3}}, {"3.conv.0.weight", {64, 64, 3, 3}}}), "taesd",
        "unknown");
    row("text encoder", indexOf({{"text_model.encoder.layers.0.mlp.fc1.weight", {3072, 768}}}), "textEncoder",
        "unknown");
    row("T5", indexOf({{"encoder.block.0.layer.0.SelfAttention.q.weight", {4096, 4096}}}), "textEncoder", "other");
    row("hypernetwork", indexOf({{"768.0.linear.0.weight", {1536, 768}}}), "hypernetwork", "unknown");
    row("bare UNet", indexOf({{"input_blocks.0.0.weight", {320, 4, 3, 3}}}), "unknown", "unknown");
    row("something else", indexOf({{"a", {1000, 1000}}, {"b", {1}}}), "unknown", "unknown");
    row("nothing", indexOf({}), "unknown", "unknown");
}

}  // namespace

class ModelKindTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void kinds_data();
    void kinds();
    void variants_data();
    void variants();
    void namesGoBothWays();
    void theStarterModel();
    void formats_data();
    void formats();
    void upscalers_data();
    void upscalers();
};

void ModelKindTest::kinds_data()
{
    QTest::addColumn<TensorIndex>("index");
    QTest::addColumn<QString>("kind");
    QTest::addColumn<QString>("family");
    checkpointRows();
    loraRows();
    otherRows();
}

void ModelKindTest::kinds()
{
    QFETCH(TensorIndex, index);
    const ModelDescription found = describeModel(index);
    QTEST(QString::fromUtf8(modelKindName(found.kind)), "kind");
    QTEST(QString::fromUtf8(familyName(found.family)), "family");
    QVERIFY(!found.reason.empty() && found.reason.find('\n') == std::string::npos);
}

void ModelKindTest::variants_data()
{
    QTest::addColumn<TensorIndex>("index");
    QTest::addColumn<QString>("variant");
    QTest::addColumn<QString>("refusal");
    const auto checkpoint = [](std::int64_t channels, std::vector<std::pair<std::string, Shape>> more,
                               TensorIndex::Metadata metadata = {}) {
        more.push_back({kUnet + "input_blocks.0.0.weight", {320, channels, 3, 3}});
        more.push_back({"first_stage_model.decoder.conv_in.weight", {512, 4, 3, 3}});
        return indexOf(more, std::move(metadata));
    };
    const std::pair<std::string, Shape> sd1{"cond_stage_model.transformer.text_model.final_layer_norm.weight", {768}};
    const std::pair<std::string, Shape> xl{"conditioner.embedders.0.transformer.text_model.final_layer_norm.weight",
                                           {768}};
    const std::pair<std::string, Shape> bigG{"conditioner.embedders.0.model.ln_final.weight", {1280}};
    variantRow("plain", checkpoint(4, {sd1}), "");
    variantRow("inpainting", checkpoint(9, {sd1}), "inpainting");
    variantRow("editing", checkpoint(8, {xl}), "editing");
    variantRow("refiner", checkpoint(4, {bigG}), "refiner");
    variantRow("v_pred", checkpoint(4, {xl, {"v_pred", {0}}, {"ztsnr", {0}}}), "v prediction, zero terminal SNR");
    variantRow("v by metadata", checkpoint(9, {xl}, {{"modelspec.prediction_type", "v"}}), "inpainting, v prediction");
    variantRow("epsilon by metadata", checkpoint(4, {xl, {"v_pred", {0}}}, {{"modelspec.prediction_type", "epsilon"}}),
               "");
    variantRow("Playground", checkpoint(4, {xl, {"edm_mean", {4}}}), "", "Playground 2.5");
    variantRow("CosXL", checkpoint(4, {xl, {"edm_vpred.sigma_max", {}}}), "", "CosXL");
    variantRow("unCLIP", checkpoint(4, {sd1, {"noise_augmentor.x", {4}}}), "", "unCLIP");
    variantRow("depth", checkpoint(5, {sd1}), "", "depth to image");
    variantRow("distilled", checkpoint(4, {sd1, {kUnet + "time_embed.cond_proj.weight", {320, 256}}}), "",
               "guidance scale by an embedding");
}

void ModelKindTest::variants()
{
    QFETCH(TensorIndex, index);
    QFETCH(QString, refusal);
    const ModelDescription found = describeModel(index);
    QVERIFY(found.kind == ModelKind::Checkpoint);
    QTEST(QString::fromStdString(found.variant), "variant");
    QCOMPARE(found.refusal.empty(), refusal.isEmpty());
    QVERIFY(QString::fromStdString(found.refusal).contains(refusal));
}

void ModelKindTest::namesGoBothWays()
{
    for (int i = 0; i <= static_cast<int>(ModelKind::Hypernetwork); ++i)
        QVERIFY(modelKindFromName(modelKindName(static_cast<ModelKind>(i))) == static_cast<ModelKind>(i));
    for (int i = 0; i <= static_cast<int>(BaseFamily::Other); ++i)
        QVERIFY(familyFromName(familyName(static_cast<BaseFamily>(i))) == static_cast<BaseFamily>(i));
    QVERIFY(modelKindFromName("Lora") == ModelKind::Unknown);
    QVERIFY(familyFromName("") == BaseFamily::Unknown);
}

void ModelKindTest::theStarterModel()
{
    const Expected<TensorIndex> index = readSafetensors(SG_SOURCE_DIR "/resources/starter/starter.safetensors");
    QVERIFY2(index.has_value(), index ? "" : index.error().message.c_str());
    const ModelDescription found = describeModel(*index);
    QVERIFY(found.kind == ModelKind::Checkpoint && found.family == BaseFamily::Sd1);
    QVERIFY(!index->meta("serigraph.unet.norm_groups").empty());
}

void ModelKindTest::formats_data()
{
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<int>("format");
    QTest::newRow("safetensors") << QByteArray("\x40\0\0\0\0\0\0\0{\"a\"", 12)
                                 << static_cast<int>(ModelFormat::Safetensors);
    QTest::newRow("zip") << QByteArray("PK\x03\x04\x00\x00\x08\x08\x00\x00", 10)
                         << static_cast<int>(ModelFormat::TorchZip);
    QTest::newRow("pickle 2") << QByteArray("\x80\x02\x8a\x0al\xfc\x9c", 7)
                              << static_cast<int>(ModelFormat::TorchLegacy);
    QTest::newRow("GGUF") << QByteArray("GGUF\3\0\0\0", 8) << static_cast<int>(ModelFormat::Gguf);
    QTest::newRow("length that looks like a pickle")
        << QByteArray("\x80\x02\0\0\0\0\0\0{", 9) << static_cast<int>(ModelFormat::Safetensors);
    QTest::newRow("text") << QByteArray("hello, world, hello") << static_cast<int>(ModelFormat::Unknown);
    QTest::newRow("nothing") << QByteArray() << static_cast<int>(ModelFormat::Unknown);
}

void ModelKindTest::formats()
{
    QFETCH(QByteArray, bytes);
    QFETCH(int, format);
    QVERIFY(static_cast<int>(
                modelFormat(std::string_view(bytes.constData(), static_cast<std::size_t>(bytes.size())))) == format);
    QTemporaryDir folder;
    const std::string path = folder.path().toStdString() + "/file.ckpt";
    std::ofstream(path, std::ios::binary) << bytes.toStdString();
    QVERIFY(static_cast<int>(modelFormat(std::filesystem::path(path)).value()) == format);
    QVERIFY(modelFormat(std::filesystem::path(path + "x")).error().code == ErrorCode::NotFound);
}

/// A compact network of two convolutions with slopes, and one that shuffles to `scale` times the size.
std::vector<std::pair<std::string, Shape>> compactUpscaler(std::int64_t scale)
{
    std::vector<std::pair<std::string, Shape>> tensors;
    for (const char *front : {"body.0", "body.2", "body.4"}) {
        const bool first = front == std::string("body.0"), last = front == std::string("body.4");
        tensors.push_back({std::string(front) + ".weight", {last ? 3 * scale * scale : 8, first ? 3 : 8, 3, 3}});
        tensors.push_back({std::string(front) + ".bias", {last ? 3 * scale * scale : 8}});
    }
    tensors.push_back({"body.1.weight", {8}});
    tensors.push_back({"body.3.weight", {8}});
    return tensors;
}

void ModelKindTest::upscalers_data()
{
    QTest::addColumn<TensorIndex>("index");
    QTest::addColumn<QString>("said");
    const auto add = [](const char *name, std::vector<std::pair<std::string, Shape>> tensors, const char *said) {
        QTest::newRow(name) << indexOf(tensors) << QString::fromUtf8(said);
    };
    const auto with = [](std::vector<std::pair<std::string, Shape>> tensors, const std::string &name, Shape shape) {
        tensors.emplace_back(name, std::move(shape));
        return tensors;
    };
    add("compact", compactUpscaler(4), "");
    add("compact, 9 times", compactUpscaler(9), "243 numbers for each pixel");
    add("one tensor too many", with(compactUpscaler(4), "body.0.scale", {8}), "1 tensors belong to no place");
    add("SwinIR", {{"conv_first.weight", {180, 3, 3, 3}}, {"layers.0.residual_group.blocks.0.norm1.weight", {180}}},
        "is SwinIR; usable are ESRGAN");
    add("ScuNET", {{"m_head.0.weight", {64, 3, 3, 3}}}, "is ScuNET; usable are ESRGAN");
    add("DAT", {{"layers.0.blocks.0.norm1.weight", {180}}}, "is DAT; usable are ESRGAN");
    add("unheard of", {{"stem.weight", {64, 3, 3, 3}}}, "is another network than these");
    add("three times",
        {{"model.0.weight", {64, 3, 3, 3}},
         {"model.1.sub.0.RDB1.conv1.0.weight", {32, 64, 3, 3}},
         {"model.2.weight", {64, 64, 3, 3}},
         {"model.5.weight", {64, 64, 3, 3}},
         {"model.7.weight", {3, 64, 3, 3}}},
        "layers behind the blocks");
    add("grey",
        {{"conv_first.weight", {64, 1, 3, 3}},
         {"body.0.rdb1.conv1.weight", {32, 64, 3, 3}},
         {"conv_last.weight", {1, 64, 3, 3}}},
        "only RGB");
    add("16 times",
        {{"conv_first.weight", {64, 3, 3, 3}},
         {"body.0.rdb1.conv1.weight", {32, 64, 3, 3}},
         {"conv_last.weight", {3, 64, 3, 3}},
         {"conv_up1.weight", {64, 64, 3, 3}},
         {"conv_up2.weight", {64, 64, 3, 3}},
         {"conv_up3.weight", {64, 64, 3, 3}},
         {"conv_up4.weight", {64, 64, 3, 3}}},
        "4 times to double");
    add("no channels",
        {{"conv_first.weight", {0, 3, 3, 3}},
         {"body.0.rdb1.conv1.weight", {0, 0, 3, 3}},
         {"conv_last.weight", {3, 0, 3, 3}}},
        "of 1 blocks and 0 channels");
    add("ESRGAN+",
        {{"model.1.sub.0.RDB1.conv1.0.weight", {32, 64, 3, 3}}, {"model.1.sub.0.RDB1.conv1x1.weight", {32, 64, 1, 1}}},
        "is ESRGAN+; usable are ESRGAN");
}

void ModelKindTest::upscalers()
{
    QFETCH(TensorIndex, index);
    QFETCH(QString, said);
    const Expected<UpscalerFile> file = readUpscaler(index);
    if (said.isEmpty()) {
        QVERIFY2(file.has_value(), file ? "" : file.error().message.c_str());
        QCOMPARE(file->config.scale, std::int64_t{4});
        return;
    }
    QVERIFY(!file && file.error().code == ErrorCode::UnusableFile);
    QVERIFY2(QString::fromStdString(file.error().message).contains(said), file.error().message.c_str());
}

QTEST_APPLESS_MAIN(ModelKindTest)
#include "model_kind_test.moc"
