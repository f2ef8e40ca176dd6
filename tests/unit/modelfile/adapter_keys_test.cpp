#include "core/modelfile/adapter_keys.h"

#include "core/modelfile/adapter_settings.h"

#include <QTest>

#include <optional>
#include <set>

using namespace sg;

namespace {

TensorIndex indexOf(const std::vector<std::string> &keys)
{
    TensorIndex::Tensors tensors;
    for (const std::string &key : keys)
        tensors.emplace(key, TensorInfo{DType::F16, {1}});
    return TensorIndex({}, 0, {}, std::move(tensors));
}

/// A small text encoder of OpenCLIP and one of Hugging Face, and a UNet's attention.
AdapterLayers layersOf(AdapterNetwork openClip)
{
    AdapterLayers layers;
    layers.add(openClip,
               {"positional_embedding", "token_embedding.weight", "text_projection", "ln_final.weight", "ln_final.bias",
                "transformer.resblocks.3.attn.in_proj_weight", "transformer.resblocks.3.attn.in_proj_bias",
                "transformer.resblocks.3.attn.out_proj.weight", "transformer.resblocks.3.attn.out_proj.bias",
                "transformer.resblocks.3.mlp.c_fc.weight", "transformer.resblocks.3.mlp.c_fc.bias",
                "transformer.resblocks.3.ln_2.weight", "transformer.resblocks.3.ln_2.bias"});
    if (openClip == AdapterNetwork::Text2)
        layers.add(AdapterNetwork::Text, {"encoder.layers.0.self_attn.q_proj.weight",
                                          "encoder.layers.0.self_attn.q_proj.bias", "final_layer_norm.weight"});
    layers.add(AdapterNetwork::Unet,
               {"input_blocks.0.0.weight", "input_blocks.0.0.bias", "input_blocks.1.0.in_layers.2.weight",
                "input_blocks.1.1.proj_in.weight", "input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight",
                "input_blocks.1.1.transformer_blocks.0.attn1.to_out.0.weight",
                "input_blocks.1.1.transformer_blocks.0.attn1.to_out.0.bias"});
    return layers;
}

}  // namespace

class AdapterKeysTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void partsAreToldByTheirEnds_data()
    {
        QTest::addColumn<QString>("key");
        QTest::addColumn<QString>("layer");
        QTest::addColumn<QString>("part");
        const auto row = [](const char *key, const char *layer, const char *part) {
            QTest::newRow(key) << key << layer << part;
        };
        row("lora_unet_x.lora_up.weight", "lora_unet_x", "lora_up");
        row("lora_unet_x.lora_mid.weight", "lora_unet_x", "lora_mid");
        row("lora_unet_x.alpha", "lora_unet_x", "alpha");
        row("lora_unet_x.dora_scale", "lora_unet_x", "dora_scale");
        row("unet.a.to_q.lora_A.weight", "unet.a.to_q", "lora_down");
        row("unet.a.to_q.lora_B.default.weight", "unet.a.to_q", "lora_up");
        row("unet.a.to_q.lora.down.weight", "unet.a.to_q", "lora_down");
        row("unet.a.attn1.processor.to_q_lora.up.weight", "unet.a.attn1.to_q", "lora_up");
        row("text_encoder.b.q_proj.lora_linear_layer.down.weight", "text_encoder.b.q_proj", "lora_down");
        row("base_model.model.a.to_q.lora_A.weight", "a.to_q", "lora_down");
        row("unet.base_model.model.a.to_q.lora_magnitude_vector", "unet.a.to_q", "magnitude");
        row("lora_unet_x.hada_w1_a", "lora_unet_x", "hada_w1_a");
        row("lora_unet_x.lokr_w2_b", "lora_unet_x", "lokr_w2_b");
        row("lora_unet_x.oft_blocks", "lora_unet_x", "oft_blocks");
        row("lora_unet_x.a1.weight", "lora_unet_x", "a1");
        row("lora_unet_x.diff_b", "lora_unet_x", "diff_b");
        row("lora_unet_x.w_norm", "lora_unet_x", "w_norm");
        row("lora_unet_x.weight", "lora_unet_x", "weight");
    }
    void partsAreToldByTheirEnds()
    {
        QFETCH(QString, key);
        QFETCH(QString, layer);
        QFETCH(QString, part);
        std::vector<std::string> unknown;
        const auto groups = adapterGroups(indexOf({key.toStdString()}), unknown);
        QVERIFY(unknown.empty());
        QCOMPARE(groups.size(), std::size_t{1});
        QCOMPARE(QString::fromStdString(groups[0].layer), layer);
        QCOMPARE(QString::fromStdString(groups[0].parts.begin()->first), part);
        QCOMPARE(QString::fromStdString(groups[0].parts.begin()->second), key);
    }

    void otherKeysAreUnknown()
    {
        std::vector<std::string> unknown;
        const auto groups = adapterGroups(
            indexOf({"x", ".alpha", "x.lora_up", "y.lora_up.weight", "y.lora_B.weight", "y.lora_down.weight"}),
            unknown);
        QCOMPARE(groups.size(), std::size_t{1});
        QCOMPARE(groups[0].parts.size(), std::size_t{2});
        // The second spelling of y's up is not taken for another part.
        QCOMPARE(unknown, (std::vector<std::string>{".alpha", "x", "x.lora_up", "y.lora_up.weight"}));
    }

    void fusedAttentionHasThirds()
    {
        const AdapterLayers layers = layersOf(AdapterNetwork::Text2);
        int third = 0;
        for (const char *part : {"q", "k", "v"}) {
            const std::string name = std::string("text_model_encoder_layers_3_self_attn_") + part + "_proj";
            const AdapterTarget *found = layers.find("lora_te2_" + name);
            QVERIFY(found);
            QCOMPARE(*found, (AdapterTarget{AdapterNetwork::Text2, "transformer.resblocks.3.attn.in_proj_weight",
                                            "transformer.resblocks.3.attn.in_proj_bias", third++}));
            QVERIFY(!layers.find("lora_te1_" + name));
        }
        const AdapterTarget *out = layers.find("text_encoder_2.text_model.encoder.layers.3.self_attn.out_proj");
        QVERIFY(out);
        QCOMPARE(out->weight, std::string("transformer.resblocks.3.attn.out_proj.weight"));
        QCOMPARE(out->third, -1);
    }

    void openClipIsCalledAsHuggingFace_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("weight");
        const auto row = [](const char *name, const char *weight) { QTest::newRow(name) << name << weight; };
        row("lora_te_text_model_encoder_layers_3_mlp_fc1", "transformer.resblocks.3.mlp.c_fc.weight");
        row("lora_te1_text_model_encoder_layers_3_layer_norm2", "transformer.resblocks.3.ln_2.weight");
        row("text_encoder.text_model.final_layer_norm", "ln_final.weight");
        row("lora_te_text_model_embeddings_token_embedding", "token_embedding.weight");
        row("lora_te_text_model_embeddings_position_embedding", "positional_embedding");
        row("lora_te_text_projection", "text_projection");
        row("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q",
            "input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight");
        row("lora_unet_input_blocks_1_1_proj_in", "input_blocks.1.1.proj_in.weight");
        row("unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out",
            "input_blocks.1.1.transformer_blocks.0.attn1.to_out.0.weight");
        row("unet.conv_in", "input_blocks.0.0.weight");
        row("down_blocks.0.resnets.0.conv1", "input_blocks.1.0.in_layers.2.weight");
    }
    void openClipIsCalledAsHuggingFace()
    {
        QFETCH(QString, name);
        QFETCH(QString, weight);
        const AdapterLayers layers = layersOf(AdapterNetwork::Text);
        const AdapterTarget *found = layers.find(name.toStdString());
        QVERIFY(found);
        QCOMPARE(QString::fromStdString(found->weight), weight);
        QCOMPARE(found->transposed, weight == QStringLiteral("text_projection"));
    }

    // Whether a pattern fits is what peft 0.21's get_pattern_key says.
    void patternsFitAsPeftSays_data()
    {
        QTest::addColumn<QString>("pattern");
        QTest::addColumn<QString>("layer");
        QTest::addColumn<bool>("fits");
        const auto row = [](const char *pattern, const char *layer, bool fits) {
            QTest::addRow("%s on %s", pattern, layer) << pattern << layer << fits;
        };
        row("conv", "conv", true);
        row("conv", "a.conv", true);
        row("conv", "a.myconv", false);
        row("^conv", "conv", true);
        row("^conv", "a.conv", false);
        row("a.conv", "b.a.conv", true);
        row(".*\\.to_q", "x.to_q", true);
        row("(.*\\.)?to_q", "to_q", true);
        row("a\\.b$", "c.a.b", true);
        row("^a\\.b", "a.b", true);
    }
    void patternsFitAsPeftSays()
    {
        QFETCH(QString, pattern);
        QFETCH(QString, layer);
        QFETCH(bool, fits);
        const auto part = parseAdapterConfig(
            {{"lora_alpha", 0}, {"rank_pattern", {{pattern.toStdString(), 3}}}, {"alpha_pattern", {{"x", 0}}}});
        QVERIFY(part);
        QCOMPARE(valueOf(part->ranks, layer.toStdString()), fits ? std::optional(3.0) : std::nullopt);
        // Nought is a strength too, other than none said.
        QCOMPARE(part->alpha, std::optional(0.0));
        QCOMPARE(valueOf(part->alphas, "a.x"), std::optional(0.0));
        QVERIFY(!parseAdapterConfig(Json::object())->alpha);
    }

    void onlyNamesAreReadOfExpressions()
    {
        for (const char *text : {"a|b", "layers\\.[0-9]", "a.*", "(a)", "a\\d", "a^"}) {
            const auto part = parseAdapterConfig({{"alpha_pattern", {{text, 3}}}});
            QVERIFY2(!part && part.error().subject == "alpha_pattern", text);
            const auto names = parseAdapterConfig({{"feedforward_modules", text}});
            QVERIFY2(!names && names.error().subject == "feedforward_modules", text);
        }
        QCOMPARE(parseAdapterConfig({{"feedforward_modules", "net.2"}})->feedforward.at(0), "^net.2");
        QCOMPARE(parseAdapterConfig({{"feedforward_modules", ".*\\.ff"}})->feedforward.at(0), ".ff");
        QCOMPARE(parseAdapterConfig({{"feedforward_modules", {"ff", "fc2"}}})->feedforward.at(1), "fc2");
    }

    void biasesAreKnownWhereThereAreSome()
    {
        const AdapterLayers layers = layersOf(AdapterNetwork::Text);
        QCOMPARE(layers.find("unet.conv_in")->bias, std::string("input_blocks.0.0.bias"));
        QCOMPARE(layers.find("lora_unet_input_blocks_1_1_proj_in")->bias, std::string());
        QVERIFY(!layers.find("lora_unet_nowhere"));
        QVERIFY(!layers.find(""));
    }
};

QTEST_APPLESS_MAIN(AdapterKeysTest)
#include "adapter_keys_test.moc"
