#include "core/models/model_companions.h"

#include <QTest>

using namespace sg;

namespace {

ModelRecord record(const std::string &type, const std::string &name, const std::string &hash = {})
{
    ModelRecord made;
    made.type = type;
    made.name = name;
    made.path = "/models/" + name + ".safetensors";
    made.status = "unloaded";
    made.sha256 = hash;
    return made;
}

/// "name=path" of each file of a kind.
QStringList files(const Json &companions, const char *kind)
{
    QStringList list;
    for (const Json &file : companions.value(kind, Json::array()))
        list << QString::fromStdString(file.at("name").get<std::string>() + "=" + file.at("path").get<std::string>());
    return list;
}

std::vector<ModelRecord> library()
{
    std::vector<ModelRecord> models{
        record("stableDiffusion", "real"), record("sdVae", "real.vae", std::string(64, 'b')),
        record("sdVae", "blue"),           record("lora", "Ink", std::string(64, 'a')),
        record("lora", "styles/wash"),     record("lora", "gone"),
        record("embedding", "bad-hands")};
    models[4].alias = "AquaWash";
    models[4].contentHash = std::string(64, 'c');
    models[5].status = "unusable";
    return models;
}

}  // namespace

class ModelCompanionsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void onlyWhatTheTextsMention()
    {
        const Json none = modelCompanions(library(), library().front(), {{"a star"}, "None"});
        QVERIFY(none == Json::object());
        const Json some =
            modelCompanions(library(), library().front(), {{"<lora:Ink:1> <lora:gone:1>", "BAD-hands"}, "None"});
        QCOMPARE(files(some, "loras"), QStringList{QStringLiteral("Ink=/models/Ink.safetensors")});
        QCOMPARE(files(some, "embeddings"), QStringList{QStringLiteral("bad-hands=/models/bad-hands.safetensors")});
        QCOMPARE(some.at("loras")[0].at("hash").get<std::string>(), std::string(64, 'a'));
        QVERIFY(!some.contains("vae"));
    }

    void tinyAutoencoders()
    {
        std::vector<ModelRecord> models = library();
        models.push_back(record("taesd", "approx/taesdxl_decoder"));
        models.push_back(record("taesd", "taesd", std::string(64, 'd')));
        models.push_back(record("taesd", "torn"));
        models.back().status = "unusable";
        CompanionQuery query{{"x"}, "None"};
        QVERIFY(modelCompanions(models, models.front(), query) == Json::object());
        query.taesd = true;
        QCOMPARE(files(modelCompanions(models, models.front(), query), "taesd"),
                 (QStringList{QStringLiteral("approx/taesdxl_decoder=/models/approx/taesdxl_decoder.safetensors"),
                              QStringLiteral("taesd=/models/taesd.safetensors")}));
        // One may be the VAE, but a VAE of the name comes first.
        query = {{"x"}, "taesd"};
        QVERIFY(modelCompanions(models, models.front(), query).at("vae").at("path") ==
                Json("/models/taesd.safetensors"));
        models.push_back(record("sdVae", "elsewhere/taesd"));
        QVERIFY(modelCompanions(models, models.front(), query).at("vae").at("path") ==
                Json("/models/elsewhere/taesd.safetensors"));
    }

    void aLoraHasThreeNames()
    {
        const QString path = QStringLiteral("=/models/styles/wash.safetensors");
        for (const char *name : {"wash", "styles/wash", "AquaWash"}) {
            const Json found =
                modelCompanions(library(), library().front(), {{"<lora:" + std::string(name) + ":1>"}, "None"});
            QVERIFY(files(found, "loras").contains(QString::fromUtf8(name) + path));
            QCOMPARE(found.at("loras")[0].at("hash").get<std::string>(), std::string(64, 'c'));
        }
    }

    void aFilesOwnNameComesBeforeOthersNames()
    {
        std::vector<ModelRecord> models = library();
        models[4].alias = "Ink";
        const Json found = modelCompanions(models, models.front(), {{"<lora:Ink:1>"}, "None"});
        QCOMPARE(files(found, "loras"), QStringList{QStringLiteral("Ink=/models/Ink.safetensors")});
    }

    void wildcardsMayMeanAny()
    {
        const Json all = modelCompanions(library(), library().front(), {{"__styles__"}, "None"});
        QCOMPARE(files(all, "loras").size(), 4);  // Ink, and wash by its three names
        QCOMPARE(files(all, "embeddings").size(), 1);
    }

    void theVae_data()
    {
        QTest::addColumn<QString>("wanted");
        QTest::addColumn<QString>("name");
        QTest::newRow("automatic: the file beside") << "Automatic"
                                                    << "real.vae.safetensors";
        QTest::newRow("nothing said") << ""
                                      << "real.vae.safetensors";
        QTest::newRow("none") << "None"
                              << "";
        QTest::newRow("by name") << "blue"
                                 << "blue.safetensors";
        QTest::newRow("by file name") << "blue.safetensors"
                                      << "blue.safetensors";
        QTest::newRow("unknown") << "green"
                                 << "";
    }
    void theVae()
    {
        QFETCH(QString, wanted);
        QFETCH(QString, name);
        const Json found = modelCompanions(library(), library().front(), {{}, wanted.toStdString()});
        const std::string made = found.contains("vae") ? found.at("vae").at("name").get<std::string>() : std::string();
        QCOMPARE(QString::fromStdString(made), name);
        // Another checkpoint has no file beside it.
        QVERIFY(wanted != QStringLiteral("Automatic") ||
                !modelCompanions(library(), record("stableDiffusion", "other"), {{}, "Automatic"}).contains("vae"));
    }
};

QTEST_APPLESS_MAIN(ModelCompanionsTest)
#include "model_companions_test.moc"
